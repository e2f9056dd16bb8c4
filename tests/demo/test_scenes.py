import numpy as np
import pytest

from slowfast.demo.scenes import DARK_SCENES, LIGHT_SCENES, paint


@pytest.mark.parametrize("scene", LIGHT_SCENES + DARK_SCENES, ids=lambda scene: scene.__name__)
def test_scenes_fill_the_canvas_and_vary(scene):
    pictures = [np.asarray(paint(np.random.default_rng(seed), (scene,), (200, 140), 128.0, 90.0)) for seed in (0, 0, 1)]
    assert pictures[0].shape == (140, 200, 3) and pictures[0].dtype == np.uint8
    assert pictures[0].std() > 2
    np.testing.assert_array_equal(pictures[0], pictures[1])
    assert np.abs(pictures[0].astype(int) - pictures[2]).mean() > 2


def test_light_and_dark_domains_share_no_scene():
    assert not set(LIGHT_SCENES) & set(DARK_SCENES)
