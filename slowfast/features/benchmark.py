"""Speed of the data path (decoding and preprocessing, no network): one pass against every window by itself."""

import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import torch

from slowfast.features.extractor import VideoReader
from slowfast.features.preprocess import FramePreprocess
from slowfast.features.windows import WindowPlan


def compare_data_paths(path: str | Path, plan: WindowPlan, prepare: FramePreprocess, batch_size: int = 8) -> dict:
    """Time both ways to get all windows of a video, and check that they give the same input.

    Args:
        path: a video whose timestamps are sound.
        plan: where the windows lie.
        prepare: one frame to network input.
        batch_size: windows of a batch in the one pass.

    Returns:
        `video`, `frames`, `windows`, `one_pass_seconds`, `per_window_seconds`, `ratio`, `largest_difference`.
    """
    start = time.perf_counter()
    reader = VideoReader(path, plan=plan, prepare=prepare, batch_size=batch_size)
    sums, firsts = [], []
    for batch in reader:
        clips_BCTHW = batch.clips(torch.device("cpu"))
        sums += [clip_CTHW[:, ::5].double().sum().item() for clip_CTHW in clips_BCTHW]
        firsts += batch.start_frame.tolist()
    one_pass = time.perf_counter() - start
    facts = reader.facts
    start = time.perf_counter()
    differences = []
    for first, expected in zip(firsts, sums):
        clip_CTHW = window_by_itself(path, plan.frames_of(first, facts["num_frames"]), facts["source_fps"], prepare)
        differences.append(abs(clip_CTHW[:, ::5].double().sum().item() - expected))
    per_window = time.perf_counter() - start
    return {
        "video": Path(path).name,
        "frames": facts["num_frames"],
        "windows": len(firsts),
        "one_pass_seconds": one_pass,
        "per_window_seconds": per_window,
        "ratio": per_window / one_pass,
        "largest_difference": max(differences, default=0.0),
    }


def window_by_itself(path: str | Path, frames_T: np.ndarray, fps: float, prepare: FramePreprocess) -> torch.Tensor:
    """Return one window, float32 (C, T, H, W), after opening the file and going to the keyframe before it."""
    wanted = dict.fromkeys(frames_T.tolist())
    for index, frame in _frames_from(path, int(frames_T[0]), fps):
        if index in wanted:
            wanted[index] = prepare(frame.to_ndarray(format="rgb24"))
        if index >= frames_T[-1]:
            break
    return torch.cat([wanted[index] for index in frames_T.tolist()], dim=1)


def _frames_from(path: str | Path, first: int, fps: float) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yield (number, frame) from the keyframe at or before a frame on; numbers follow from the timestamps."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        origin = stream.start_time or 0
        container.seek(origin + int(first / fps / stream.time_base), stream=stream)
        for frame in container.decode(stream):
            yield round(float((frame.pts - origin) * stream.time_base) * fps), frame
