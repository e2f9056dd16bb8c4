"""Average precision, by its definition and as scikit-learn has it."""

import numpy as np
import pytest

from slowfast.utils.scores import average_precision, mean_average_precision


def by_definition(scores_N, is_positive_N):
    """Sum over all thresholds, from the highest, of precision times what recall gains."""
    total = before = 0.0
    for threshold in sorted(set(scores_N.tolist()), reverse=True):
        taken_N = scores_N >= threshold
        recall = (taken_N & is_positive_N).sum() / is_positive_N.sum()
        total += (recall - before) * (taken_N & is_positive_N).sum() / taken_N.sum()
        before = recall
    return total


@pytest.mark.parametrize("levels", [2, 5, 10_000])
def test_average_precision_is_the_definition(levels):
    rng = np.random.default_rng(levels)
    for _ in range(50):
        size = int(rng.integers(1, 40))
        scores_N = (rng.integers(0, levels, size) / levels).astype(np.float32)
        is_positive_N = rng.random(size) < 0.4
        is_positive_N[rng.integers(size)] = True
        assert average_precision(scores_N, is_positive_N) == pytest.approx(by_definition(scores_N, is_positive_N))


def test_average_precision_by_hand():
    scores_N, is_positive_N = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, False])
    assert average_precision(scores_N, is_positive_N) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert average_precision(np.zeros(4), is_positive_N) == pytest.approx(0.5), "all equal: the share of the positive"


def test_mean_over_the_classes_that_some_video_has():
    rng = np.random.default_rng(0)
    scores_NK = rng.integers(0, 8, (60, 5)) / 8
    targets_NK = (rng.random((60, 5)) < 0.3).astype(np.float32)
    targets_NK[:, 3] = 0
    mean, classes = mean_average_precision(scores_NK, targets_NK)
    others = [0, 1, 2, 4]
    each = [by_definition(scores_NK[:, k], targets_NK[:, k] > 0) for k in others]
    assert classes == 4 and mean == pytest.approx(100 * np.mean(each))


def test_mean_average_precision_is_that_of_scikit_learn():
    metrics, rng = pytest.importorskip("sklearn.metrics"), np.random.default_rng(1)
    for levels in (3, 1000):
        scores_NK, targets_NK = rng.integers(0, levels, (80, 6)) / levels, (rng.random((80, 6)) < 0.3) * 1
        theirs = metrics.average_precision_score(targets_NK, scores_NK)
        assert mean_average_precision(scores_NK, targets_NK) == (pytest.approx(100 * theirs), 6)


def test_no_label_at_all():
    mean, classes = mean_average_precision(np.ones((3, 2)), np.zeros((3, 2)))
    assert np.isnan(mean) and classes == 0
