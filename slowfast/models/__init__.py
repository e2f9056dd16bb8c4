"""Networks: UniFormer, MViT, SlowFast and VideoMAE, and loading their weights."""

from slowfast.models.build import ARCHITECTURES, build_model, load_starting_weights, load_trained_weights

__all__ = ["ARCHITECTURES", "build_model", "load_starting_weights", "load_trained_weights"]
