"""Predictions, pseudo-labels and votes; needs NumPy only, neither torch nor a configuration."""

from slowfast.ensemble.aggregate import aggregate_views
from slowfast.ensemble.predictions import Predictions, load_predictions, save_predictions

__all__ = ["Predictions", "aggregate_views", "load_predictions", "save_predictions"]
