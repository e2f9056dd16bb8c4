"""Speed of the data path (decoding and preprocessing, no network): one pass against every window by itself."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import torch

from slowfast.features.extractor import VideoReader
from slowfast.features.preprocess import FramePreprocess
from slowfast.features.windows import WindowPlan
from slowfast.video import open_video

# Windows that are timed by themselves, evenly spread; their time is scaled to all windows.
_TIMED = 20


def compare_data_paths(path: str | Path, plan: WindowPlan, prepare: FramePreprocess, batch_size: int = 8) -> dict:
    """Time three ways to get all windows of a video, and check that they give the same input.

    Args:
        path: a video whose timestamps are sound.
        plan: where the windows lie.
        prepare: one frame to network input.
        batch_size: windows of a batch in the one pass.

    Returns:
        `video`, `frames`, `windows`; seconds for all windows in `one_pass`, by `open_each` (the file is opened and its
        frames asked for, window by window) and by `seek_each` (the same, from the keyframe before the window on);
        `open_ratio` and `seek_ratio`, how many times as long these take; `largest_difference` of the inputs.
    """
    start = time.perf_counter()
    reader = VideoReader(path, plan=plan, prepare=prepare, batch_size=batch_size)
    samples, firsts = [], []
    for batch in reader:
        samples += [_sample(clip_CTHW) for clip_CTHW in batch.clips(torch.device("cpu"))]
        firsts += batch.start_frame.tolist()
    one_pass = time.perf_counter() - start
    facts = reader.facts
    chosen = sorted({int(row) for row in np.linspace(0, len(firsts) - 1, _TIMED)}) if firsts else []

    def seconds(read: Callable[[np.ndarray], torch.Tensor]) -> float:
        begin = time.perf_counter()
        for row in chosen:
            clip_CTHW = read(plan.frames_of(firsts[row], facts["num_frames"]))
            differences.append((_sample(clip_CTHW) - samples[row]).abs().max().item())
        return (time.perf_counter() - begin) * len(firsts) / max(len(chosen), 1)

    differences: list[float] = []
    open_each = seconds(lambda frames_T: open_window(path, frames_T, prepare))
    seek_each = seconds(lambda frames_T: seek_window(path, frames_T, facts["source_fps"], prepare))
    return {
        "video": Path(path).name,
        "frames": facts["num_frames"],
        "windows": len(firsts),
        "one_pass": one_pass,
        "open_each": open_each,
        "seek_each": seek_each,
        "open_ratio": open_each / one_pass,
        "seek_ratio": seek_each / one_pass,
        "largest_difference": max(differences, default=0.0),
    }


def _sample(clip_CTHW: torch.Tensor) -> torch.Tensor:
    """Return some pixels of every frame."""
    return clip_CTHW[..., ::37, ::41].clone()


def open_window(path: str | Path, frames_T: np.ndarray, prepare: FramePreprocess) -> torch.Tensor:
    """Return one window, float32 (C, T, H, W), as an item of a data set reads it."""
    video = open_video(path)
    try:
        return torch.cat([prepare(frame) for frame in video.get_frames(frames_T)], dim=1)
    finally:
        video.close()


def seek_window(path: str | Path, frames_T: np.ndarray, fps: float, prepare: FramePreprocess) -> torch.Tensor:
    """Return one window, float32 (C, T, H, W), decoded from the keyframe before it on."""
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
