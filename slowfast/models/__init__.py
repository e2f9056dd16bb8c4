"""Networks: UniFormer, MViT, SlowFast and VideoMAE, and loading their weights."""

from slowfast.models.build import ARCHITECTURES, build_model

__all__ = ["ARCHITECTURES", "build_model"]
