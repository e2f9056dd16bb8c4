import json

import numpy as np
import pytest

from slowfast.transforms.gamma import apply_gamma, apply_table, gamma_table


def test_golden_tables(golden):
    tables = json.loads((golden / "data/gamma_lut.json").read_text())["lut"]
    for gamma, expected in tables.items():
        table = gamma_table(float(gamma))
        assert table.dtype == np.uint8 and table.tolist() == expected


def test_gamma_of_frames_goes_through_the_table():
    frames = np.random.default_rng(0).integers(0, 256, (2, 3, 5, 3), dtype=np.uint8)
    assert np.array_equal(apply_gamma(frames, 0.25), gamma_table(0.25)[frames])
    view = frames[:, :, ::-1]
    assert np.array_equal(apply_gamma(view, 1.8), gamma_table(1.8)[view])


def test_gamma_one_copies_nothing():
    frames = np.zeros((1, 2, 2, 3), np.uint8)
    assert apply_gamma(frames, 1.0) is frames


def test_table_is_the_callers_own():
    gamma_table(0.5)[:] = 0
    assert gamma_table(0.5)[255] == 255


@pytest.mark.parametrize("gamma", [0, -1, float("nan")])
def test_senseless_exponents(gamma):
    with pytest.raises(ValueError, match="above 0"):
        gamma_table(gamma)


def test_any_table():
    assert apply_table(np.array([[0, 255]], np.uint8), bytes(range(255, -1, -1))).tolist() == [[255, 0]]
