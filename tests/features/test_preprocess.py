"""One frame to network input: both upstream scripts, and the test crop."""

import numpy as np
import pytest
import torch

from slowfast.config import load_config
from slowfast.features.build import build_preprocess
from slowfast.features.preprocess import FramePreprocess
from slowfast.transforms.gamma import apply_gamma
from slowfast.transforms.spatial import normalise_, resize_and_crop, to_planes

SIZES = {"a": (32, 1), "b": (48, 1), "c": (224, 8)}


@pytest.mark.parametrize("case", SIZES)
@pytest.mark.parametrize(
    ("script", "name"), [("vit_huge", "videomae_vith_k400"), ("vit_large", "videomae_vitl_ego4d_verb_k700")]
)
def test_values_are_upstreams(case, script, name, golden, repo):
    size, step = SIZES[case]
    arrays = np.load(golden / "features/preprocess.npz")
    prepare = build_preprocess(load_config(repo / f"configs/features/{name}.yaml", ["DATA.TEST_CROP_SIZE", str(size)]))
    clip_CTHW = torch.cat([prepare(frame) for frame in arrays[f"{case}.frames"]], dim=1)
    np.testing.assert_allclose(clip_CTHW[..., ::step, ::step], arrays[f"{case}.{script}"], atol=1e-5, rtol=0)


def test_crop_is_that_of_testing():
    frame = np.random.default_rng(0).integers(0, 256, (40, 70, 3), dtype=np.uint8)
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)
    prepare = FramePreprocess(24, "crop", mean, std, gamma=0.5)
    crop_CTHW = resize_and_crop(to_planes(apply_gamma(frame, 0.5)[None]), 24, 1)
    expected = (crop_CTHW / 255 - torch.tensor(mean)[:, None, None, None]) / torch.tensor(std)[:, None, None, None]
    torch.testing.assert_close(prepare(frame), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("resize", ["crop", "squash", "squash_antialias"])
def test_the_frame_is_left_alone(resize):
    frame = np.random.default_rng(1).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    before = frame.copy()
    square = FramePreprocess(24, resize, (0.45,) * 3, (0.225,) * 3)(frame)
    np.testing.assert_array_equal(frame, before)
    torch.testing.assert_close(square, normalise_(to_planes(frame[None]).float(), (0.45,) * 3, (0.225,) * 3))
