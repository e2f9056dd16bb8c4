"""Training methods, one file each; `TRAIN.METHOD` names one. An own one is a plugin that registers a `Method`."""

from slowfast.engine.methods.base import METHODS, Method, Reads, chosen_method, feature_width, frozen_copy, named_views
from slowfast.engine.methods.labelled import LabelledLoss

# Registered when they are imported.
from slowfast.engine.methods import mean_teacher, pseudo_label, supervised  # isort: skip  # noqa: F401
from slowfast.engine.update import Measure

__all__ = [
    "METHODS",
    "LabelledLoss",
    "Measure",
    "Method",
    "Reads",
    "chosen_method",
    "feature_width",
    "frozen_copy",
    "named_views",
]
