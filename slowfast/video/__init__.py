"""Reading video files: one protocol, three decoders, the same frames from each."""

from slowfast.video.opening import BACKENDS, check_backend, open_video
from slowfast.video.reader import Video, VideoError

__all__ = ["BACKENDS", "Video", "VideoError", "check_backend", "open_video"]
