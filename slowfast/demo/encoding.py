"""Rendered clips are written like every other clip."""

from slowfast.video.writer import write_h264

__all__ = ["write_h264"]
