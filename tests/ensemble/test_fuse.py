import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slowfast.ensemble import Predictions
from slowfast.ensemble.fuse import VoteWeights, join_voters, weighted_mix
from slowfast.utils.errors import InputError
from slowfast.utils.scores import softmax


def voter(names=None, rows=3, classes=2, source="v.pkl", **more):
    scores = np.arange(rows * classes, dtype="f4").reshape(rows, classes)
    return Predictions(scores, np.arange(rows), video_names=names, source=source, **more)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), rows=st.integers(1, 20))
def test_join_by_name_undoes_any_order(seed, rows):
    names = [f"v{row}" for row in range(rows)]
    order = np.random.default_rng(seed).permutation(rows)
    plain = voter(names, rows)
    mixed = Predictions(plain.video_preds[order], order, video_names=[names[row] for row in order])
    joined = join_voters({"a": plain, "b": mixed}, names)
    np.testing.assert_array_equal(joined["b"].video_preds, plain.video_preds)
    assert joined["b"].video_labels.tolist() == list(range(rows)) and joined["b"].video_names == names


def test_join_by_row_where_there_are_no_names():
    joined = join_voters({"a": voter(), "b": voter(["z", "y", "x"])}, ["x", "y", "z"])
    np.testing.assert_array_equal(joined["a"].video_preds, joined["b"].video_preds[::-1])


def test_softmax():
    found = softmax(np.array([[1000, 0], [0, 0], [np.nan, 1]], dtype=np.float32))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[:2], [[1, 0], [0.5, 0.5]])
    assert np.isnan(found[2]).all()


def test_anchored_rows_use_their_own_weights():
    sure, other = np.array([[0.9, 0.1], [0.2, 0.8]], "f4"), np.array([[0.0, 1.0], [0.0, 1.0]], "f4")
    weights = VoteWeights({"a": 0.5, "b": 0.25}, {"a": 0.75}, "a", [1])
    np.testing.assert_allclose(weighted_mix({"a": sure, "b": other}, weights), [[0.45, 0.3], [0.15, 0.6]], atol=1e-7)
    plain = VoteWeights({"b": 2.0})
    np.testing.assert_array_equal(weighted_mix({"a": sure, "b": other}, plain), 2 * other)


def test_names_of_the_other_file_are_in_the_message():
    with pytest.raises(InputError, match=r"w\.pkl does not belong to data/list\.csv: it lacks 'x'"):
        join_voters({"a": voter(["p", "q", "r"], source="w.pkl")}, ["x", "q", "r"], "data/list.csv")


def test_names_of_another_system_are_joined():
    """A list with backslashes, or in the other Unicode form, is one of the same videos."""
    scores = np.arange(8, dtype=np.float32).reshape(2, 4)
    voter = Predictions(scores, np.full(2, -1), video_names=["a/b.mp4", "\u00e9.mp4"], score_kind="logits")
    joined = join_voters({"one": voter}, ["e\u0301.mp4", "a\\b.mp4"])["one"]
    np.testing.assert_array_equal(joined.video_preds, scores[::-1])
