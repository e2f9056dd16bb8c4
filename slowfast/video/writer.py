"""Write clips as H.264 in MP4."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from slowfast.utils.files import atomic_write


def write_h264(
    path: str | Path,
    frames: Iterable[np.ndarray],
    *,
    fps: float,
    crf: float,
    preset: str = "ultrafast",
    faststart: bool = False,
) -> None:
    """Write a clip atomically; equal frames give equal bytes, and the encoder decides alike on every processor.

    Args:
        path: target, `.mp4`; its folder is made when missing.
        frames: uint8 RGB (H, W, 3), all of one size, also a whole clip (T, H, W, 3). An odd side gets one more row or
            column, since the format has even sides only.
        fps: frames per second.
        crf: constant rate factor of x264, 0 lossless to 51 worst.
        preset: speed preset of x264.
        faststart: the index stands before the frames, so that a browser plays the clip while it loads.

    Raises:
        ValueError: when there is no frame.
    """
    options = {"movflags": "faststart"} if faststart else {}
    with atomic_write(path) as aside, av.open(str(aside), "w", format="mp4", options=options) as container:
        stream = None
        for frame_HWC in frames:
            height, width = frame_HWC.shape[:2]
            if height % 2 or width % 2:
                frame_HWC = np.pad(frame_HWC, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
            if stream is None:
                stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
                stream.height, stream.width = frame_HWC.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.thread_count = 1
                stream.options = {
                    "preset": preset, "crf": str(crf), "threads": "1", "g": str(max(1, round(fps))),
                    # Slower presets otherwise depend on the processor and on where the frames lie in memory.
                    "x264-params": "cpu-independent=1",
                }  # fmt: skip
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame_HWC, format="rgb24")))
        if stream is None:
            raise ValueError(f"{path}: a clip needs at least one frame")
        container.mux(stream.encode())
