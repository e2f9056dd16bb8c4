"""Adaptations: a trained network is fitted to unlabelled clips before it is tested. One file is one adaptation."""

from slowfast.engine.adapt import batchnorm, recentre, sar, tent  # noqa: F401  (each registers itself)
from slowfast.engine.adapt.base import ADAPTATIONS, Adaptation, Pool

__all__ = ["ADAPTATIONS", "Adaptation", "Pool"]
