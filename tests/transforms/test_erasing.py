import numpy as np
import pytest
import torch

from slowfast.transforms.erasing import random_erase_


def erased(**options) -> list[torch.Tensor]:
    rng = np.random.default_rng(0)
    return [random_erase_(torch.full((3, 4, 32, 40), 9.0), rng, **options) for _ in range(300)]


def test_probability_and_area():
    masks = [clip != 9.0 for clip in erased(prob=0.25)]
    share = np.mean([bool(mask.any()) for mask in masks])
    assert share == pytest.approx(0.25, abs=0.06)
    areas = [mask[0, 0].float().mean().item() for mask in masks if mask.any()]
    assert min(areas) > 0.01 and max(areas) < 0.36


def test_all_frames_share_the_box():
    for clip in erased(prob=1.0)[:50]:
        mask = (clip != 9.0).any(dim=0)
        assert torch.equal(mask, mask[:1].expand_as(mask))


def test_fills():
    noise = torch.cat([clip[clip != 9.0] for clip in erased(prob=1.0)[:100]])
    assert noise.mean().abs() < 0.02 and noise.std() == pytest.approx(1.0, abs=0.02)
    constant = erased(prob=1.0, mode="const")[0]
    assert set(constant.unique().tolist()) == {0.0, 9.0}
    colour = erased(prob=1.0, mode="rand")[0]
    assert all(len(frame[frame != 9.0].unique()) == 1 for channel in colour for frame in channel)


def test_count_shares_the_area():
    one, four = (np.mean([(clip == 0).float().mean() for clip in erased(prob=1.0, mode="const", count=count)])
                 for count in (1, 4))  # fmt: skip
    assert four == pytest.approx(one, rel=0.25)


def test_never_without_probability():
    clip = torch.ones(3, 2, 8, 8)
    assert random_erase_(clip, np.random.default_rng(0), prob=0.0) is clip and (clip == 1).all()


def test_frames_too_small_for_a_box():
    clip = torch.ones(3, 2, 1, 1)
    assert (random_erase_(clip, np.random.default_rng(0), prob=1.0) == 1).all()
