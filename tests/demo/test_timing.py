import numpy as np
import pytest

from slowfast.demo.timing import bump, ease, event_progress, phase, sway

SECONDS = np.arange(24) / 10


def test_ease_and_bump_hit_their_ends():
    np.testing.assert_allclose(ease(np.array([-1.0, 0.0, 0.5, 1.0, 2.0]), 0.0, 1.0), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(bump(np.array([0.0, 0.2, 0.5, 0.8, 1.0]), 0.0, 0.2, 0.8, 1.0), [0, 1, 1, 1, 0])


@pytest.mark.parametrize("lasts", [(0.9, 1.8), (2.0, 4.0)])
def test_most_of_an_event_is_seen(lasts):
    for seed in range(100):
        progress_T = event_progress(np.random.default_rng(seed), SECONDS, lasts)
        assert np.all(np.diff(progress_T) > 0)
        seen = np.clip(progress_T, 0, 1)
        assert seen[-1] - seen[0] > 0.5


def test_phase_has_the_wanted_rate_and_sway_its_size():
    for seed in range(20):
        cycles_T = phase(np.random.default_rng(seed), SECONDS, (1.0, 2.0))
        rate = (cycles_T[-1] - cycles_T[0]) / (SECONDS[-1] - SECONDS[0])
        assert 0.9 < rate < 2.2
        assert np.abs(sway(np.random.default_rng(seed), SECONDS, 0.1)).max() <= 0.1
