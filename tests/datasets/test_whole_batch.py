"""Clips of a whole batch at once are the clips that are made one by one."""

import copy

import numpy as np
import pytest
import torch

from slowfast.datasets.paired import PairedViews
from slowfast.datasets.video_dataset import Collate
from slowfast.datasets.views import EvalFrames, EvalViews, Normalisation, TrainViews, empty_clips

SIZES = [(40, 64), (64, 40), (32, 32), (33, 57)]
NORM = Normalisation((0.45, 0.4, 0.5), (0.225, 0.2, 0.25), 0.3)


def frames_of(count, seed):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (count, *size, 3), dtype=np.uint8) for size in SIZES]


def train_views(**settings):
    return TrainViews(size=32, jitter=(32, 48), norm=NORM, erase_prob=0.7, **settings)


def training(views):
    return [views.prepare(frames, np.random.default_rng(seed)) for seed, frames in enumerate(frames_of(4, 0))]


def evaluation():
    rows = np.array([[0, 2, 4], [1, 3, 4]])
    return [EvalFrames(torch.from_numpy(frames), torch.from_numpy(rows)) for frames in frames_of(5, 1)]


CASES = {
    "jitter": (train_views(), training),
    "area": (train_views(area=(0.1, 1.0)), training),
    "pairs": (PairedViews([train_views(area=(0.3, 1.0)), train_views()]), training),
    "centre": (EvalViews(32, 1, 0.25, NORM), lambda views: evaluation()),
    "crops": (EvalViews(24, 3, 1.0, NORM), lambda views: evaluation()),
}


@pytest.mark.parametrize("case", CASES)
def test_the_same_clips(case):
    views, make = CASES[case]
    frames = make(views)
    collate = Collate(views, repeat=True)
    expected = collate.finish(copy.deepcopy(frames))
    found = empty_clips(tuple(expected.shape))
    collate._at_once(frames, found)
    assert len(found) >= len(SIZES)
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=0)


def test_only_other_devices_than_the_cpu_do_it(monkeypatch):
    views, make = CASES["jitter"]
    collate, asked = Collate(views, repeat=True), []
    monkeypatch.setattr(collate, "_at_once", lambda frames, clips: asked.append((len(frames), clips.device.type)))
    collate.finish(make(views))
    assert not asked
    assert collate.finish(make(views), "meta").shape == (4, 3, 4, 32, 32)
    assert asked == [(4, "meta")]
