"""Reading video files: one protocol, three decoders, the same frames from each."""

from slowfast.video.reader import BACKENDS, Video, VideoError, open_video

__all__ = ["BACKENDS", "Video", "VideoError", "open_video"]
