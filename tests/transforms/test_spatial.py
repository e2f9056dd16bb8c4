import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from slowfast.transforms import spatial


def test_golden_sizes_and_offsets(golden):
    cases = json.loads((golden / "data/spatial.json").read_text())
    assert len(cases) > 50
    for case in cases:
        height, width, size = case["height"], case["width"], case["size"]
        clip_CTHW = torch.zeros(1, 1, height, width)
        resized = spatial.resize_short_side(clip_CTHW, size)
        assert list(resized.shape[-2:]) == case["resized"]
        assert (resized is clip_CTHW) == case["resize_skipped"]
        offsets = [list(spatial.crop_offset(*resized.shape[-2:], size, crop)) for crop in range(3)]
        assert offsets == case["offsets_y_x_for_crop_0_1_2"]


def test_resize_and_crop_is_the_cut_of_the_resized_clip():
    clip_CTHW = torch.rand(3, 2, 30, 44)
    resized = spatial.resize(clip_CTHW, 24, 35)
    for crop, left in enumerate((0, 6, 11)):
        out = spatial.resize_and_crop(clip_CTHW, 24, crop)
        assert torch.equal(out, resized[..., left : left + 24])
    portrait = spatial.resize_and_crop(clip_CTHW.transpose(-1, -2), 24, 2)
    assert torch.allclose(portrait, resized[..., 11:35].transpose(-1, -2), atol=1e-6)


def test_integers_and_arrays_are_taken():
    levels = np.arange(2 * 40 * 30, dtype=np.uint8).reshape(1, 2, 40, 30)
    out = spatial.resize_and_crop(levels, 30, 0)
    assert out.dtype == torch.float32 and torch.equal(out, torch.from_numpy(levels[:, :, :30]).float())


@pytest.mark.parametrize("crop", [-1, 3])
def test_unknown_crop(crop):
    with pytest.raises(ValueError, match="centre"):
        spatial.resize_and_crop(torch.zeros(1, 1, 4, 4), 4, crop)


def test_tiny_and_extreme_frames():
    for height, width in ((16, 16), (1, 1), (1, 300), (300, 1)):
        for crop in range(3):
            assert spatial.resize_and_crop(torch.rand(3, 1, height, width), 24, crop).shape == (3, 1, 24, 24)


def test_normalisation_per_channel():
    levels = torch.arange(256.0).repeat(3, 1).view(3, 1, 16, 16)
    mean, std = (0.4, 0.45, 0.5), (0.2, 0.225, 0.25)
    expected = (levels / 255 - torch.tensor(mean)[:, None, None, None]) / torch.tensor(std)[:, None, None, None]
    assert torch.allclose(spatial.normalise_(levels.clone(), mean, std), expected, atol=1e-5)
    same = spatial.normalise_(levels.clone(), (0.45,) * 3, (0.225,) * 3)
    assert torch.allclose(same, (levels / 255 - 0.45) / 0.225, atol=1e-6)


def test_temporal_mean():
    clip_CTHW = torch.rand(3, 4, 5, 6)
    still = clip_CTHW[:, :1].expand(3, 4, 5, 6)
    assert spatial.subtract_temporal_mean(still, 1.0).abs().max() < 1e-6
    half = spatial.subtract_temporal_mean(clip_CTHW, 0.5)
    assert torch.allclose(half, clip_CTHW - 0.5 * clip_CTHW.mean(1, keepdim=True))
    assert spatial.subtract_temporal_mean(clip_CTHW, 0) is clip_CTHW


@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 10**6))
def test_random_boxes_lie_inside(height, width, seed):
    rng = np.random.default_rng(seed)
    top, left, h, w = spatial.random_resized_box(height, width, (0.08, 1.0), (0.75, 1.3333), rng)
    assert min(top, left) >= 0 and min(h, w) >= 1 and top + h <= height and left + w <= width


def test_random_boxes_have_the_asked_shares():
    rng = np.random.default_rng(0)
    boxes = [spatial.random_resized_box(240, 320, (0.08, 1.0), (0.75, 1.3333), rng) for _ in range(4000)]
    areas = np.array([h * w / (240 * 320) for _, _, h, w in boxes])
    aspects = np.array([w / h for _, _, h, w in boxes])
    assert 0.07 < areas.min() < 0.1 and areas.max() > 0.95
    assert aspects.min() > 0.74 and aspects.max() < 1.35
    assert abs(np.log(aspects).mean()) < 0.06
    assert {top for top, _, _, _ in boxes} >= set(range(40))


def test_random_crops_reach_every_place():
    rng = np.random.default_rng(0)
    places = {spatial.random_crop_offset(5, 6, 4, rng) for _ in range(200)}
    assert places == {(top, left) for top in range(2) for left in range(3)}
    sizes = {spatial.jitter_size((10, 12), rng) for _ in range(100)}
    assert sizes == {10, 11, 12}
