"""Networks: UniFormer, MViT, SlowFast and VideoMAE, and loading their weights."""

from slowfast.models.build import build_model, load_starting_weights, load_trained_weights, weights_as_built
from slowfast.models.network import NETWORKS, Network

__all__ = ["NETWORKS", "Network", "build_model", "load_starting_weights", "load_trained_weights", "weights_as_built"]
