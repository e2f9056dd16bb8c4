import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slowfast.ensemble.label_free import RULES, align, choose, fix_rows, precision_at, rank_pool, signed_margin
from slowfast.utils.errors import InputError


def noisy_pool(seed=0, rows=330, classes=11, bias=0.0, noise=1.0):
    """Probabilities of a fair model with a bias towards class 0, and the truth."""
    rng = np.random.default_rng(seed)
    truth = np.arange(rows) % classes
    logits = 2.5 * np.eye(classes)[truth] + noise * rng.normal(size=(rows, classes))
    logits[:, 0] += bias
    probs = np.exp(logits)
    return probs / probs.sum(axis=1, keepdims=True), truth


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), classes=st.integers(2, 6))
def test_aligned_shares_are_the_wanted_ones(seed, classes):
    rng = np.random.default_rng(seed)
    probs, _ = noisy_pool(seed, rows=60, classes=classes, bias=2.0)
    probs[rng.integers(60)] = np.nan
    wanted = rng.dirichlet(np.full(classes, 5.0))
    aligned = align(probs, wanted)
    np.testing.assert_allclose(np.nanmean(aligned, axis=0), wanted, atol=1e-4)
    np.testing.assert_allclose(aligned[~np.isnan(probs[:, 0])].sum(axis=1), 1.0)
    assert np.isnan(aligned).sum() == classes


def test_alignment_repairs_a_biased_model():
    probs, truth = noisy_pool(bias=3.0)
    plain, repaired = probs.argmax(axis=1), align(probs).argmax(axis=1)
    assert (plain == truth).mean() < (repaired == truth).mean() - 0.1


def test_alignment_survives_certain_rows():
    aligned = align(np.array([[1.0, 0.0], [1.0, 0.0], [0.6, 0.4]]))
    assert np.isfinite(aligned).all() and aligned[2].argmax() == 1


def test_signed_margin():
    probs = np.array([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1], [np.nan] * 3])
    np.testing.assert_allclose(signed_margin(probs, np.array([0, 1, 2])), [0.5, -0.5, 0.0])


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_ranks_right_rows_first(rule):
    probs, truth = noisy_pool(noise=1.4)
    earlier, _ = noisy_pool(seed=1, noise=1.4)
    earlier[::3] = np.nan
    missing = [5, 77]
    probs[missing] = np.nan
    ranking = rank_pool(probs, [earlier], rule)
    assert ranking.probs.shape == probs.shape
    known = np.isfinite(ranking.score)
    assert np.flatnonzero(~known).tolist() == missing
    assert (ranking.probs[known].argmax(axis=1) == ranking.labels[known]).all()
    rows = choose(ranking, 1.0)
    assert len(rows) == 328 and not set(missing) & set(rows.tolist())
    assert precision_at(ranking, truth, 0.3) > precision_at(ranking, truth, 0.9) + 0.05
    assert (np.diff(ranking.score[rows]) <= 0).all()
    assert np.isnan(precision_at(ranking, truth, 1.0))
    own = choose(ranking)
    assert 0 < len(own) < 328


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), coverage=st.floats(0.01, 1.0))
def test_selection_does_not_depend_on_the_order_of_rows(rule, seed, coverage):
    probs, _ = noisy_pool(seed, rows=44)
    earlier, _ = noisy_pool(seed + 1, rows=44)
    order = np.random.default_rng(seed).permutation(44)
    plain = choose(rank_pool(probs, [earlier], rule), coverage)
    mixed = choose(rank_pool(probs[order], [earlier[order]], rule), coverage)
    assert len(plain) == max(1, round(coverage * 44))
    assert set(plain.tolist()) == set(order[mixed].tolist())


def test_default_is_better_than_one_threshold_when_rounds_are_known():
    gains = []
    for seed in range(8):
        newest, truth = noisy_pool(seed, bias=1.5, noise=1.5)
        earlier, _ = noisy_pool(seed + 100, noise=1.5)
        gains.append(
            precision_at(rank_pool(newest, [earlier]), truth, 0.5)
            - precision_at(rank_pool(newest, rule="confidence"), truth, 0.5)
        )
    assert np.mean(gains) > 0.03


def test_default_leaves_no_class_behind():
    probs, _ = noisy_pool(rows=440, noise=1.5)
    probs[:, 3] *= 0.6
    probs /= probs.sum(axis=1, keepdims=True)
    ranking = rank_pool(probs)
    counts = np.bincount(ranking.labels[choose(ranking, 0.3)], minlength=11)
    assert counts.min() >= 6


def test_class_balanced_takes_the_same_number():
    probs, _ = noisy_pool(bias=1.0)
    ranking = rank_pool(probs, rule="class-balanced")
    counts = np.bincount(ranking.labels[choose(ranking, 0.2)], minlength=11)
    assert counts.max() - counts.min() <= 1


def test_a_selection_is_not_aligned_unless_asked():
    probs, _ = noisy_pool(bias=2.0)
    probs[::2] = np.nan
    np.testing.assert_allclose(rank_pool(probs).probs, probs, atol=1e-12)
    asked = rank_pool(probs, shares_K=np.ones(11))
    np.testing.assert_allclose(np.nanmean(asked.probs, axis=0), 1 / 11, atol=1e-4)


def test_unknown_rule_and_empty_pool():
    with pytest.raises(InputError, match="rule 'magic' is unknown"):
        rank_pool(np.ones((2, 2)) / 2, rule="magic")
    with pytest.raises(InputError, match="no row of the pool"):
        rank_pool(np.full((2, 2), np.nan))


@pytest.mark.parametrize("rule", ["stable", "agreement", "aligned", "keep-better"])
@pytest.mark.parametrize(
    ("rows", "classes", "sure", "reason"),
    [
        (40, 11, 0.99, "40 videos are too few"), (40, 4, 0.99, "one-sided, 1 of 4 classes"),
        (1, 11, 0.9, "1 videos are too few"), (900, 11, 0.6, "one-sided, 1 of 11 classes"),
    ],
)  # fmt: skip
def test_a_small_or_one_sided_pool_keeps_its_labels(rule, rows, classes, sure, reason):
    """Certain labels are not spread over all classes."""
    rng = np.random.default_rng(0)
    rest = rng.dirichlet(np.ones(classes - 1), size=rows) * (1 - sure)
    probs = np.insert(rest, 3, sure, axis=1)
    ranking = rank_pool(probs, rule=rule)
    assert (ranking.labels == 3).all() and reason in ranking.unaligned
    np.testing.assert_allclose(ranking.probs, probs)


def test_extreme_factors_are_not_applied():
    """Half of the classes are found, but one is certain everywhere else."""
    rng = np.random.default_rng(0)
    probs = np.full((400, 4), 1e-4)
    probs[np.arange(400), np.where(rng.random(400) < 0.02, 1, 3)] = 1 - 3e-4
    ranking = rank_pool(probs)
    assert "times as much as another" in ranking.unaligned and (ranking.labels == 3).sum() > 380


@pytest.mark.parametrize(("classes", "share"), [(4, 0.5), (4, 0.85), (11, 0.5), (11, 0.85)])
def test_labels_that_are_sure_are_not_spread(classes, share):
    """Every class is found, but one has most of the pool: that is what the pool is like, not a fault of the model."""
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(60 * classes) < share, 3, rng.integers(0, classes, 60 * classes))
    logits = 4 * np.eye(classes)[labels] + 0.5 * rng.normal(size=(len(labels), classes))
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    ranking = rank_pool(probs)
    assert (ranking.labels == labels).all() and ("surer than 0.8" in ranking.unaligned or share > 0.8)


@pytest.mark.parametrize("rule", ["stable", "confidence", "margin", "agreement", "aligned"])
def test_rows_that_are_all_alike_are_all_selected(rule):
    for rows in range(1, 60):
        alike = np.full((rows, 11), 0.001)
        alike[:, 3] = 0.99
        assert len(choose(rank_pool(alike, rule=rule))) == rows


def test_a_fair_pool_is_aligned_and_other_rules_say_nothing():
    probs, _ = noisy_pool(bias=2.0)
    assert rank_pool(probs).unaligned == ""
    np.testing.assert_allclose(rank_pool(probs).probs.mean(axis=0), 1 / 11, atol=1e-4)
    assert rank_pool(probs[:20], rule="confidence").unaligned == ""
    assert rank_pool(probs[:20], shares_K=np.ones(11)).unaligned == "", "asked for"


def test_fixed_rows_are_selected_first_or_never():
    probs, _ = noisy_pool(rows=110)
    ranking = rank_pool(probs)
    surest = ranking.order()[0]
    labels = np.full(110, -2)
    labels[surest], labels[7], labels[8] = -1, 4, 5
    given = fix_rows(ranking, labels)
    assert given.tolist() == [7, 8] and ranking.labels[[7, 8]].tolist() == [4, 5]
    rows = choose(ranking, 0.1, taken=len(given))
    assert len(rows) == 9 and not {7, 8, int(surest)} & set(rows.tolist())
    assert ranking.probs[7].argmax() == 4
