import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slowfast.ensemble import Predictions
from slowfast.ensemble.calibration import agreement, calibrate, clip_probabilities, temperature_for
from slowfast.utils.scores import softmax


def predictions(scores, **more):
    return Predictions(np.asarray(scores, dtype="f4"), np.full(len(scores), -1), **more)


def test_sums_over_views_are_no_more_confident_than_one_clip():
    scores = np.array([[2.0, 1.0], [0.0, 3.0]])
    one = clip_probabilities(predictions(scores, score_kind="logits", num_views=1))
    nine = clip_probabilities(predictions(9 * scores, score_kind="logits", num_views=9))
    np.testing.assert_allclose(one, nine, atol=1e-6)
    np.testing.assert_allclose(one, softmax(scores))


def test_probabilities_are_recognised_in_files_that_do_not_say():
    probs = np.array([[0.25, 0.75], [0.5, 0.5], [np.nan, np.nan]])
    found = clip_probabilities(predictions(3 * probs))
    np.testing.assert_allclose(found, probs, atol=1e-6)
    logits = np.array([[0.25, 2.75], [1.5, 0.5]])
    np.testing.assert_allclose(clip_probabilities(predictions(logits)), softmax(logits), atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), wanted=st.floats(0.5, 0.95))
def test_temperature_meets_the_confidence(seed, wanted):
    probs = softmax(np.random.default_rng(seed).normal(size=(50, 4)))
    temperature = temperature_for(probs, wanted)
    assert softmax(np.log(probs) / temperature).max(axis=1).mean() == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("method", ["agreement", "standardise"])
def test_the_scale_of_a_voter_does_not_matter(method):
    rng = np.random.default_rng(3)
    truth = np.arange(60) % 3
    logits = [4 * np.eye(3)[truth] + rng.normal(size=(60, 3)) for _ in range(3)]
    plain, _ = calibrate([softmax(scores) for scores in logits], method)
    scaled, temperatures = calibrate([softmax(scores * s) for scores, s in zip(logits, (0.1, 1, 4))], method)
    assert temperatures[0] < temperatures[1] < temperatures[2]
    if method == "agreement":
        np.testing.assert_allclose(np.mean(plain, axis=0), np.mean(scaled, axis=0), atol=2e-2)
    shares = [voter.max(axis=1).mean() for voter in scaled]
    assert np.ptp(shares) < 0.1


def test_a_voter_that_nobody_agrees_with_is_softened():
    rng = np.random.default_rng(0)
    truth = np.arange(90) % 3
    good = [softmax(3 * np.eye(3)[truth] + rng.normal(size=(90, 3))) for _ in range(2)]
    noise = softmax(20 * rng.normal(size=(90, 3)))
    scaled, temperatures = calibrate([*good, noise])
    assert agreement([*good, noise])[2] < 0.5
    assert temperatures[2] > 5 * max(temperatures[:2])
    assert (np.mean(scaled, axis=0).argmax(axis=1) == truth).mean() > (
        np.mean([*good, noise], axis=0).argmax(axis=1) == truth
    ).mean()


def test_single_voters_and_missing_rows_stay():
    probs = np.array([[0.2, 0.8], [np.nan, np.nan], [0.9, 0.1]])
    scaled, temperatures = calibrate([probs])
    np.testing.assert_array_equal(scaled[0], probs)
    assert temperatures == [1.0]
    scaled, _ = calibrate([probs, probs])
    assert np.isnan(np.mean(scaled, axis=0)[1]).all() and not np.isnan(np.mean(scaled, axis=0)[[0, 2]]).any()
