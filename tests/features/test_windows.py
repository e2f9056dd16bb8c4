"""Windows: upstream's counts and places, and the same from a stream."""

import json

import numpy as np
import pytest
import torch

from slowfast.config import load_config
from slowfast.features.build import build_plan
from slowfast.features.windows import WindowPlan, WindowStream
from slowfast.video.stream import StreamedFrame

CONFIGS = {"vit_huge": "videomae_vith_k400", "vit_large": "videomae_vitl_hybrid_k700"}


@pytest.mark.parametrize("script", CONFIGS)
def test_places_are_upstreams(script, golden, repo):
    plan = build_plan(load_config(repo / f"configs/features/{CONFIGS[script]}.yaml"))
    cases = json.loads((golden / "features/windows.json").read_text())[script]
    assert len(cases) > 20
    for case in cases:
        starts = plan.starts(case["frames"])
        assert len(starts) == case["features"]
        assert starts.tolist() == case["first_frame_of_window"]
        assert [plan.frames_of(start)[-1] for start in starts] == case["last_frame_of_window"]


def test_places_for_other_settings_are_upstreams(golden):
    """Up to where upstream's windows read past the end of the video, which fails there."""
    for case in json.loads((golden / "features/windows.json").read_text())["vit_large_other"]:
        plan = WindowPlan(case["num_frames"], case["sampling_rate"], case["stride"])
        starts = plan.starts(case["frames"])
        if not case["reads_past_the_end"]:
            assert len(starts) == case["features"]
        assert starts.tolist() == case["first_frame_of_window"][: len(starts)]
        assert [plan.frames_of(start)[-1] for start in starts] == case["last_frame_of_window"][: len(starts)]


def stream_of(plan: WindowPlan, length: int, batch_size: int):
    """Return the batches over frames that show their own number, and the numbers in the order of preparation."""
    prepared = []

    def prepare(frame: np.ndarray) -> torch.Tensor:
        prepared.append(int(frame[0, 0, 0]))
        return torch.full((3, 1, 1, 1), float(frame[0, 0, 0]))

    def show(number):
        return lambda: np.full((1, 1, 3), number, np.int64)

    frames = (StreamedFrame(number / 10, show(number)) for number in range(length))
    stream = WindowStream(frames, plan=plan, prepare=prepare, batch_size=batch_size)
    return stream, prepared


PLANS = [
    WindowPlan(16, 2, 16), WindowPlan(32, 1, 16), WindowPlan(8, 2, 8, "pad"), WindowPlan(4, 3, 5, "pad"),
    WindowPlan(4, 1, 9), WindowPlan(4, 2, 11, "pad"), WindowPlan(1, 1, 1), WindowPlan(3, 2, 1, "pad"),
]  # fmt: skip


@pytest.mark.parametrize("plan", PLANS, ids=str)
@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_stream_gives_the_windows_of_the_plan(plan, batch_size):
    for length in [0, 1, 3, 5, 11, 12, 13, 31, 32, 47, 48, 64, 71]:
        stream, prepared = stream_of(plan, length, batch_size)
        batches = list(stream)
        starts = plan.starts(length)
        expected = [plan.frames_of(start, length) for start in starts]
        clips = [clip for batch in batches for clip in batch.clips(torch.device("cpu"))]
        assert [clip[0, :, 0, 0].tolist() for clip in clips] == [frames.tolist() for frames in expected]
        assert [n for batch in batches for n in batch.start_frame] == starts.tolist()
        assert [n for batch in batches for n in batch.end_frame] == [frames.max() for frames in expected]
        assert [t for batch in batches for t in batch.end_time] == [frames.max() / 10 for frames in expected]
        assert all(len(batch) == batch_size for batch in batches[:-1])
        assert len(prepared) == len(set(prepared)), "a frame was prepared twice"
        assert set(np.concatenate(expected).tolist() if expected else []) <= set(prepared)
        assert all(plan.uses(number) for number in prepared)
        assert stream.num_frames == length


def test_memory_is_bounded_by_a_batch_of_windows():
    plan = WindowPlan(8, 1, 4)
    stream, _ = stream_of(plan, 500, 3)
    assert max(len(stream._held) for _ in stream) <= plan.window + 2 * plan.stride
    assert max(len(batch.frames) for batch in stream_of(plan, 500, 3)[0]) == plan.window + 2 * plan.stride


def test_padding_covers_every_frame():
    plan = WindowPlan(8, 2, 8, "pad")
    assert plan.starts(47).tolist() == [0, 8, 16, 24, 32]
    assert plan.frames_of(32, 47).tolist() == [32, 34, 36, 38, 40, 42, 44, 46]
    assert plan.frames_of(0, 5).tolist() == [0, 2, 4, 4, 4, 4, 4, 4]
    assert plan.starts(48).tolist() == [0, 8, 16, 24, 32]
    assert plan.starts(0).tolist() == []
