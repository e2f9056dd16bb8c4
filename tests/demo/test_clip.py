import numpy as np
import pytest

from slowfast.demo.clip import DARK_DOMAIN, HEIGHT, LIGHT_DOMAIN, WIDTH, render_clip
from slowfast.demo.motions import ARID_MOTIONS
from slowfast.transforms.darken import darken, random_darkening

LUMA = np.array([0.299, 0.587, 0.114])


@pytest.mark.parametrize("domain", [LIGHT_DOMAIN, DARK_DOMAIN], ids=["light", "dark"])
@pytest.mark.parametrize("name", ARID_MOTIONS)
def test_clips_show_a_moving_person(name, domain):
    clip = render_clip(np.random.default_rng(5), ARID_MOTIONS[name], domain)
    assert clip.dtype == np.uint8 and clip.shape[1:] == (HEIGHT, WIDTH, 3)
    assert 20 <= len(clip) <= 28
    change = np.abs(clip[1:].astype(int) - clip[:-1]).max(axis=(0, 3))
    assert (change > 20).sum() > 20


def test_clips_are_deterministic_and_vary():
    first, again, other = (
        render_clip(np.random.default_rng(seed), ARID_MOTIONS["Wave"], LIGHT_DOMAIN) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or (first != other).any()


def test_mean_luma_of_dark_clips_is_that_of_arid():
    lumas = []
    for seed in range(33):
        rng = np.random.default_rng([9, seed])
        frames = render_clip(rng, list(ARID_MOTIONS.values())[seed % 11], DARK_DOMAIN)
        lumas.append(float((darken(frames, random_darkening(frames, rng), rng) @ LUMA).mean()))
    low, middle, high = np.percentile(lumas, [5, 50, 95])
    assert 5 < low < middle < high < 45
    assert 8 < middle < 25
