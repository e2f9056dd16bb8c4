"""Accuracies against hand-counted figures."""

import numpy as np
import pytest

from slowfast.report.measures import fuse, per_class_accuracy, per_class_coverage, per_class_precision
from slowfast.utils.scores import accuracy, confusion_matrix, predicted_labels, probabilities

TRUTH = np.array([0, 0, 1, 1, 1, 2])
LABELS = np.array([0, 1, 1, 1, -1, 0])


def test_accuracy_counts_unread_clips_as_wrong():
    assert accuracy(LABELS, TRUTH) == pytest.approx(50.0)


def test_per_class_accuracy_is_nan_without_clips():
    np.testing.assert_allclose(per_class_accuracy(LABELS, TRUTH, 4), [50.0, 200 / 3, 0.0, np.nan])


def test_confusion_matrix_has_truth_in_rows_and_leaves_out_unread():
    expected = [[1, 1, 0], [0, 2, 0], [1, 0, 0]]
    np.testing.assert_array_equal(confusion_matrix(LABELS, TRUTH, 3), expected)


def test_precision_and_coverage_per_class():
    given, truth = np.array([0, 0, 1]), np.array([0, 2, 1])
    np.testing.assert_allclose(per_class_precision(given, truth, 3), [50.0, 100.0, np.nan])
    selected = np.array([True, False, True, True, False, False])
    np.testing.assert_allclose(per_class_coverage(selected, TRUTH, 3), [50.0, 200 / 3, 0.0])


def test_probabilities_of_logits_do_not_depend_on_the_number_of_views():
    logits = np.array([[2.0, 0.0, -1.0], [0.0, 0.0, 0.0]])
    once, ninefold = probabilities(logits, "logits", 1), probabilities(9 * logits, "logits", 9)
    np.testing.assert_allclose(once, ninefold)
    np.testing.assert_allclose(once[0], np.exp([2, 0, -1]) / np.exp([2, 0, -1]).sum())
    np.testing.assert_allclose(once[1], 1 / 3)


def test_probabilities_of_probs_are_their_mean():
    np.testing.assert_allclose(probabilities(np.array([[6.0, 3.0]]), "probs", 9), [[6 / 9, 3 / 9]])


def test_large_logits_do_not_overflow():
    np.testing.assert_allclose(probabilities(np.array([[1e4, 0.0]]), "logits", 1), [[1.0, 0.0]])


def test_missing_rows():
    probs = np.array([[0.2, 0.8], [np.nan, np.nan]])
    np.testing.assert_array_equal(predicted_labels(probs), [1, -1])
    np.testing.assert_array_equal(predicted_labels(probabilities(probs, "logits", 1)), [1, -1])


def test_first_class_wins_a_tie():
    np.testing.assert_array_equal(predicted_labels(np.array([[0.5, 0.5]])), [0])


def test_fuse_is_the_mean_of_the_voters_that_have_a_row():
    first = np.array([[0.6, 0.4], [np.nan, np.nan], [np.nan, np.nan]])
    second = np.array([[0.2, 0.8], [0.1, 0.9], [np.nan, np.nan]])
    np.testing.assert_allclose(fuse([first, second]), [[0.4, 0.6], [0.1, 0.9], [np.nan, np.nan]])
