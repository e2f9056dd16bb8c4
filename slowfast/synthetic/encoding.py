"""Write clips as H.264 in MP4."""

from pathlib import Path

import av
import numpy as np

from slowfast.utils.files import atomic_write


def write_h264(path: str | Path, frames_THWC: np.ndarray, *, fps: int, crf: float, preset: str = "ultrafast") -> None:
    """Write a clip atomically; equal frames give equal bytes.

    Args:
        path: target, `.mp4`; its folder is made when missing.
        frames_THWC: uint8 RGB (T, H, W, 3), H and W even.
        fps: frames per second.
        crf: constant rate factor of x264, 0 lossless to 51 worst.
        preset: speed preset of x264.
    """
    with atomic_write(path) as aside, av.open(str(aside), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.height, stream.width = frames_THWC.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        stream.options = {"preset": preset, "crf": str(crf), "threads": "1", "g": str(fps)}
        for frame_HWC in frames_THWC:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame_HWC, format="rgb24")))
        container.mux(stream.encode())
