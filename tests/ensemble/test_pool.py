import numpy as np
import pytest

from slowfast.ensemble import Predictions
from slowfast.ensemble.pool import build_pool, table_rows
from slowfast.lists.tables import LabelTable
from slowfast.utils.errors import InputError


def table(names, probs, source="t.csv"):
    probs = np.asarray(probs, dtype=float)
    return LabelTable(list(names), np.nan_to_num(probs).argmax(axis=1), probs, source)


def test_tables_are_joined_by_name_and_divided_by_their_sum():
    rows = table_rows(table("ca", [[0.19, 0.76], [0.5, 0.5]]), ["a", "b", "c", "d"])
    np.testing.assert_allclose(rows, [[0.5, 0.5], [np.nan] * 2, [0.2, 0.8], [np.nan] * 2])


def test_newest_table_last():
    pool = build_pool(tables=[table("a", [[0.6, 0.4]]), table("ab", [[0.7, 0.3], [0.2, 0.8]])])
    assert pool.names == ["a", "b"] and len(pool.witnesses) == 1
    np.testing.assert_allclose(pool.newest, [[0.7, 0.3], [0.2, 0.8]])
    assert np.isnan(pool.witnesses[0][1]).all()


def test_voters_become_mean_and_witnesses():
    first = Predictions(np.array([[2.0, 0.0], [0.0, 2.0]]), np.zeros(2), video_names=["a", "b"], source="1.pkl")
    second = Predictions(np.array([[0.0, 3.0], [3.0, 0.0]]), np.zeros(2), video_names=["b", "a"], source="2.pkl")
    pool = build_pool([first, second], [table("b", [[0.1, 0.9]])], calibration="none")
    assert pool.newest.argmax(axis=1).tolist() == [0, 1]
    assert len(pool.witnesses) == 3
    np.testing.assert_allclose(pool.newest, (pool.witnesses[1] + pool.witnesses[2]) / 2)


def test_what_is_refused():
    with pytest.raises(InputError, match="no predictions and no tables"):
        build_pool()
    with pytest.raises(InputError, match="has none of the videos"):
        build_pool(tables=[table("x", [[0.6, 0.4]]), table("a", [[0.6, 0.4]])])
    with pytest.raises(InputError, match="'a' stands twice"):
        build_pool(tables=[table("ab", [[0.6, 0.4]] * 2)], names=["a", "a"])
    with pytest.raises(InputError, match="3 classes but"):
        build_pool(tables=[table("a", [[0.6, 0.4]]), table("a", [[0.6, 0.2, 0.2]])])
