import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from slowfast.datasets.sampling import FrameSampling, dense_indices, dense_indices_no_offset, uniform_indices


@pytest.fixture(scope="module")
def cases(golden):
    return json.loads((golden / "data/frame_index.json").read_text())


def test_golden_uniform_views(cases):
    for case in cases["ug2_sparse_test"]:
        got = uniform_indices(case["length"], case["num_frames"], case["view"], case["num_views"])
        assert got.tolist() == case["index"]


def test_golden_uniform_training_ranges(cases):
    for case in cases["ug2_sparse_train_ranges"]:
        drawn = np.stack([uniform_indices(case["length"], case["num_frames"], rng=seed) for seed in range(60)])
        low, high = np.array(case["ranges"]).T
        assert (drawn >= low).all() and (drawn <= high).all()
        narrow = high - low <= 2
        assert (drawn.min(0) == low)[narrow].all() and (drawn.max(0) == high)[narrow].all(), "both ends are drawn"


def test_golden_dense_views(cases):
    for case in cases["ug2_dense_test"]:
        got = dense_indices(case["length"], case["num_frames"], case["sampling_rate"], case["view"], case["num_views"])
        assert got.tolist() == case["index"]


def test_golden_dense_views_without_offset(cases):
    for case in cases["ug2_dense_test_without_offset"]:
        got = dense_indices_no_offset(
            case["length"], case["num_frames"], case["sampling_rate"], case["view"], case["num_views"]
        )
        assert got.tolist() == case["index"]


def test_golden_dense_training(cases):
    class Fraction(np.random.Generator):
        """A generator whose uniform numbers are a fixed share of the range."""

        def __init__(self, share):
            super().__init__(np.random.PCG64(0))
            self.share = share

        def uniform(self, low, high):
            assert [low, high] == case["start_range"]
            return low + self.share * (high - low)

    for case in cases["ug2_dense_train"]:
        for share, expected in case["index_at_fraction"].items():
            rng = Fraction(float(share))
            got = dense_indices(case["length"], case["num_frames"], case["sampling_rate"], rng=rng)
            assert got.tolist() == expected


@given(st.integers(1, 3000), st.integers(1, 64), st.integers(1, 8), st.integers(0, 99))
def test_indices_are_inside_and_ascending(length, num_frames, rate, seed):
    for got in (
        uniform_indices(length, num_frames, rng=seed),
        dense_indices(length, num_frames, rate, rng=seed),
        uniform_indices(length, num_frames, 2, 3),
        dense_indices(length, num_frames, rate, 2, 3),
    ):
        assert got.dtype == np.int64 and got.shape == (num_frames,)
        assert got[0] >= 0 and got[-1] < length and (np.diff(got) >= 0).all()


def test_training_draws_vary_and_repeat_with_the_seed():
    assert (uniform_indices(100, 8, rng=1) == uniform_indices(100, 8, rng=np.random.default_rng(1))).all()
    assert len({tuple(uniform_indices(100, 8)) for _ in range(10)}) > 5
    assert len({tuple(dense_indices(100, 8, 2)) for _ in range(20)}) > 5


@pytest.mark.parametrize("arguments", [(0, 4), (5, 0), (5, 4, 1, 1), (5, 4, -1, 3)])
def test_senseless_arguments(arguments):
    with pytest.raises(ValueError):
        uniform_indices(*arguments)


def test_global_generators_are_left_alone():
    np.random.seed(0)
    torch.manual_seed(0)
    uniform_indices(50, 4, rng=0)
    dense_indices(50, 4, 2, rng=0)
    assert np.random.rand() == np.random.RandomState(0).rand()
    assert torch.equal(torch.rand(1), torch.rand(1, generator=torch.Generator().manual_seed(0)))


def test_frame_sampling_chooses_the_rule():
    assert FrameSampling("uniform", 8).test(100, 3).tolist() == [
        uniform_indices(100, 8, v, 3).tolist() for v in range(3)
    ]
    assert FrameSampling("dense", 8, 2).test(100, 1).tolist() == [dense_indices(100, 8, 2, 0, 1).tolist()]
    plain = FrameSampling("dense", 8, 2, use_offset=False).test(100, 3)
    assert plain.tolist() == [dense_indices_no_offset(100, 8, 2, v, 3).tolist() for v in range(3)]


@pytest.mark.parametrize("kind", ["uniform", "dense", "segment"])
@pytest.mark.parametrize("use_offset", [True, False])
def test_views_that_a_test_shares_with_a_larger_one_have_the_same_frames(kind, use_offset):
    sampling, lengths = FrameSampling(kind, 8, 2, use_offset), range(1, 500)
    for few, many in [(1, 1), (1, 2), (1, 3), (1, 5), (2, 2), (3, 5)]:
        places = sampling.places(few, many)
        assert len(places) in (0, few)
        for length in lengths if places else ():
            chosen_VT = sampling.test(length, many)[list(places)]
            np.testing.assert_array_equal(sampling.test(length, few), chosen_VT, err_msg=f"{few} of {many}, {length}")
    assert sampling.places(1, 3) == {"uniform": (1,), "dense": (1,) if use_offset else (0,), "segment": ()}[kind]
