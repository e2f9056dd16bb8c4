import json

import numpy as np
import pytest
import torch

from slowfast.datasets.sampling import FrameSampling
from slowfast.datasets.views import EvalViews, Normalisation, TrainViews, empty_clips
from slowfast.transforms.rand_augment import parse_policy

KINDS = {"ug2_sparse": "uniform", "ug2": "dense"}


def test_golden_clips(golden):
    clips = np.load(golden / "data/clips.npz")
    checked = 0
    for key in clips.files:
        if key.endswith("frames"):
            continue
        name, dataset, split, shape = key.split(".")
        views, crops = map(int, shape.split("x"))
        frames = clips[f"{name}.frames"]
        indices, rows = np.unique(FrameSampling(KINDS[dataset], 6, 2).test(len(frames), views), return_inverse=True)
        cut = EvalViews(24, crops, 0.25 if split == "arid" else 1.0)
        got = cut(frames[indices], rows.reshape(views, -1))
        assert got.dtype == torch.float32
        np.testing.assert_allclose(got, clips[key], atol=1e-5, err_msg=key)
        checked += 1
    assert checked == 16


def test_golden_item_order(golden):
    """All crops of view 0, then of view 1; one crop is the centre."""
    items = json.loads((golden / "data/items.json").read_text())
    frames = np.broadcast_to(np.arange(40, dtype=np.uint8)[None, None, :, None], (3, 20, 40, 3)).copy()
    frames += np.arange(0, 120, 40, dtype=np.uint8)[:, None, None, None]
    for shape, fact in items.items():
        views, crops = map(int, shape.split("x"))
        norm = Normalisation((0.0,) * 3, (1 / 255,) * 3)
        clips = EvalViews(20, crops, norm=norm)(frames, np.arange(views)[:, None])
        order = [(view, crop) for _, video, view, crop in fact["item_index_to_video_temporal_spatial"] if video == 0]
        left = {0: 0, 1: 10, 2: 20}
        assert [round(clip[0, 0, 0, 0].item()) for clip in clips] == [40 * view + left[crop] for view, crop in order]


def test_pieces_do_not_change_values(monkeypatch):
    frames = np.random.default_rng(0).integers(0, 256, (9, 40, 60, 3), dtype=np.uint8)
    rows_VT = np.array([[0, 3, 6, 6], [1, 4, 7, 8], [2, 5, 5, 8]])
    whole = EvalViews(32, 3, 0.5)(frames, rows_VT)
    monkeypatch.setattr("slowfast.datasets.views._CHUNK_VALUES", 2 * frames[0].nbytes)
    assert torch.equal(EvalViews(32, 3, 0.5)(frames, rows_VT), whole)


def test_temporal_mean_is_taken_per_clip():
    frames = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    rows_VT = np.array([[0, 1, 2], [3, 4, 5]])
    norm = Normalisation(temporal_mean=1.0)
    clips = EvalViews(32, norm=norm)(frames, rows_VT)
    assert clips.mean(dim=2).abs().max() < 1e-5
    plain = EvalViews(32)(frames, rows_VT)
    assert torch.allclose(clips, plain - plain.mean(2, keepdim=True), atol=1e-6)


def augment(views: TrainViews, seed=0, frames=None) -> torch.Tensor:
    if frames is None:
        frames = np.random.default_rng(1).integers(0, 256, (4, 36, 48, 3), dtype=np.uint8)
    prepared = views.prepare(frames, np.random.default_rng(seed))
    out_VCTHW = torch.full(views.shape(prepared), float("nan"))
    views.finish(prepared, out_VCTHW)
    return out_VCTHW[0]


@pytest.mark.parametrize("area", [(), (0.08, 1.0)])
def test_training_clips_repeat_with_the_seed(area):
    views = TrainViews(24, (24, 40), area, rand_augment=parse_policy("rand-m7-n4-mstd0.5-inc1"), erase_prob=0.5)
    assert torch.equal(augment(views, 3), augment(views, 3))
    assert len({augment(views, seed).sum().item() for seed in range(8)}) == 8
    assert torch.isfinite(augment(views, 3)).all()


def test_all_frames_get_the_same_augmentation():
    still = np.repeat(np.random.default_rng(1).integers(0, 256, (1, 36, 48, 3), dtype=np.uint8), 5, 0)
    for area in ((), (0.08, 1.0)):
        views = TrainViews(24, (24, 40), area, rand_augment=parse_policy("rand-m7-n4-p1-inc1"))
        for seed in range(10):
            clip = augment(views, seed, still)
            assert torch.equal(clip, clip[:, :1].expand_as(clip))


def test_flips_and_gamma():
    ramp = np.broadcast_to(np.arange(48, dtype=np.uint8)[None, None, :, None] * 5, (2, 24, 48, 3)).copy()
    views = TrainViews(24, (24, 24), flip=True)
    rising = [bool(clip[0, 0, 0, 0] < clip[0, 0, 0, -1]) for clip in (augment(views, s, ramp) for s in range(60))]
    assert 15 < sum(rising) < 45
    still = TrainViews(24, (24, 24), flip=False)
    assert all(augment(still, s, ramp)[0, 0, 0, 0] < augment(still, s, ramp)[0, 0, 0, -1] for s in range(10))
    brighter = TrainViews(24, (24, 24), flip=False, gamma=0.25)
    assert (augment(brighter, 0, ramp) >= augment(still, 0, ramp) - 1e-6).all()


def test_frames_smaller_than_the_crop():
    tiny = np.random.default_rng(1).integers(0, 256, (2, 9, 7, 3), dtype=np.uint8)
    assert torch.isfinite(augment(TrainViews(24, (10, 12)), 0, tiny)).all()
    assert torch.isfinite(augment(TrainViews(24, area=(0.08, 1.0)), 0, tiny)).all()


def test_darkening_hits_the_asked_share():
    light = np.full((2, 24, 24, 3), 200, np.uint8)
    views = TrainViews(24, (24, 24), darken_prob=0.5)
    dark = [bool(augment(views, seed, light).mean() < 0.5) for seed in range(80)]
    assert 25 < sum(dark) < 55
    assert torch.equal(augment(views, 3, light), augment(views, 3, light))


def test_memory_is_used_again_once_nothing_refers_to_it():
    first = empty_clips((2, 3, 5))
    place, view = first.data_ptr(), first[1]
    second = empty_clips((2, 3, 5))
    assert second.data_ptr() != place and len({place, second.data_ptr(), empty_clips((2, 3, 5)).data_ptr()}) == 3
    del first
    view.fill_(7.0)
    others = [empty_clips((2, 3, 5)).fill_(0.0) for _ in range(5)]
    assert (view == 7.0).all() and len(others) == 5
    array = empty_clips((4, 4)).fill_(1.0).numpy()
    for _ in range(4):
        empty_clips((4, 4)).fill_(2.0)
    assert (array == 1.0).all()
    last = empty_clips((3, 7))
    place = last.data_ptr()
    del last
    assert empty_clips((20,)).data_ptr() == place, "also for a smaller batch"
