"""Which clips of a pool are least like any class, by what the voters say."""

import numpy as np
import pytest

from slowfast.ensemble.novelty import novelty
from slowfast.utils.errors import InputError
from slowfast.utils.scores import softmax

CLASSES = 4


def said(labels, rng, sure=4.0, noise=0.5):
    """Probabilities of a voter that is sure of these labels; -1: it wavers between all classes."""
    logits = sure * np.eye(CLASSES + 1)[labels][:, :CLASSES]
    return softmax(logits + noise * rng.standard_normal(logits.shape))


def world(strangers=40, known=160):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, CLASSES, 80)
    light = [said(truth, rng) for _ in range(3)]
    pool_truth = np.concatenate([rng.integers(0, CLASSES, known), np.full(strangers, -1)])
    return [said(pool_truth, rng) for _ in range(3)], light, truth, pool_truth


def test_clips_of_no_class_are_the_farthest():
    pool, light, truth, pool_truth = world()
    far = novelty(pool, light, truth)
    assert far.shape == (200,) and far[pool_truth < 0].min() > far[pool_truth >= 0].max()


def test_it_is_the_mahalanobis_distance_of_one_voter_from_the_nearest_mean():
    pool, light, truth, _ = world()
    logs = [np.log(probs) - np.log(probs).mean(1, keepdims=True) for probs in (light[0], pool[0])]
    means = np.stack([logs[0][truth == label].mean(0) for label in range(CLASSES)])
    within = logs[0] - means[truth]
    covariance = within.T @ within / len(within)
    covariance = 0.9 * covariance + 0.1 * np.trace(covariance) / CLASSES * np.eye(CLASSES)
    right = np.array([
        min((row - mean) @ np.linalg.solve(covariance, row - mean) for mean in means) for row in logs[1]
    ])  # fmt: skip
    found = novelty(pool[:1], light[:1], truth)
    np.testing.assert_allclose(found, (right - right.mean()) / right.std(), rtol=1e-9)


def test_temperatures_of_the_pool_are_taken_back():
    pool, light, truth, _ = world()
    tempered = [softmax(np.log(probs) / heat) for probs, heat in zip(pool, (0.5, 1.0, 3.0))]
    np.testing.assert_allclose(novelty(tempered, light, truth, [0.5, 1.0, 3.0]), novelty(pool, light, truth), rtol=1e-6)


def test_clips_without_scores_and_classes_without_light_clips():
    pool, light, truth, _ = world()
    pool[1][5] = np.nan
    far = novelty(pool, light, np.where(truth == 2, -1, truth))
    assert np.isnan(far[5]) and np.isfinite(np.delete(far, 5)).all()
    with pytest.raises(InputError, match="no light clip has a class"):
        novelty(pool, light, np.full(80, -1))


def test_light_clips_that_never_vary_and_a_pool_of_equal_clips_give_finite_numbers():
    same = np.tile(softmax(np.eye(CLASSES)), (5, 1))
    far = novelty([same[:1].repeat(7, 0)], [same], np.tile(np.arange(CLASSES), 5))
    assert far.tolist() == [0.0] * 7
