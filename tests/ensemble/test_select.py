import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slowfast.ensemble.select import search_threshold, select_by_thresholds


def test_thresholds_are_inclusive_ties_go_to_the_first_and_nan_never():
    probs = np.array([[0.5, 0.5], [0.4, 0.6], [0.3, 0.7], [np.nan, 1.0]])
    labels, kept = select_by_thresholds(probs, [0.5, 0.65])
    assert labels.tolist() == [0, 1, 1, 0]
    assert kept.tolist() == [True, False, True, False]
    assert select_by_thresholds(probs, [0.0, 0.0])[1].tolist() == [True, True, True, False]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_optimum_is_the_smallest_threshold_with_the_highest_precision(seed):
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.ones(3), size=30)
    truth = np.where(rng.random(30) < 0.6, probs.argmax(axis=1), rng.integers(-1, 3, 30))
    search = search_threshold(probs, truth, 1)
    known = truth >= 0
    peaks, right = probs.max(axis=1), truth == 1
    predicted = known & (probs.argmax(axis=1) == 1)
    precisions = []
    for th in np.linspace(0, 1, 1001):
        kept = predicted & (peaks >= th)
        if not kept.any():
            break
        precisions.append(right[kept].mean())
    if not precisions or not (truth == 1).any() or max(precisions) == 0:
        assert search.optimum is None
        return
    assert search.optimum.precision == pytest.approx(max(precisions))
    first = int(np.argmax(np.isclose(precisions, max(precisions))))
    assert search.improvements[-1].th >= np.linspace(0, 1, 1001)[first]
    assert [point.th for point in search.improvements] == sorted(point.th for point in search.improvements)
    assert search.best_f1.f1 == pytest.approx(
        max(2 * point.correct / (point.selected + point.num_real) for point in [*search.improvements, search.best_f1])
    )
