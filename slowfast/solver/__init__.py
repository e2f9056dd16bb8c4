"""Optimizers, their parameter groups and learning-rate schedules."""

from slowfast.solver.lr_policy import LRSchedule
from slowfast.solver.optimizer import OPTIMIZERS, construct_optimizer, parameter_groups, set_lr

__all__ = ["OPTIMIZERS", "LRSchedule", "construct_optimizer", "parameter_groups", "set_lr"]
