"""The precision of pseudo-labels without labels: voters that know something, and voters that guess."""

import numpy as np
import pytest

from slowfast.ensemble.agreement import agreement_of_each, kappa, most_agreeing, standard_error, trust
from slowfast.ensemble.estimate import estimate
from slowfast.ensemble.label_free import precision_at, rank_pool

CLASSES = 6


def voters_of(truth_N, known, seed):
    """Probabilities of voters who know a share of the clips and guess the others."""
    rng = np.random.default_rng(seed)
    voters = []
    for share in known:
        knows_N = rng.random(len(truth_N)) < share
        labels_N = np.where(knows_N, truth_N, rng.integers(0, CLASSES, len(truth_N)))
        peak_N = np.where(knows_N, 0.8, 0.4)[:, None]
        voters.append(np.eye(CLASSES)[labels_N] * peak_N + (1 - peak_N) / CLASSES)
    return voters


@pytest.fixture
def light():
    truth_N = np.random.default_rng(1).integers(0, CLASSES, 200)
    return voters_of(truth_N, [0.7] * 4, 2), truth_N


def truth_of_pool(size=1000):
    return np.random.default_rng(3).integers(0, CLASSES, size)


def test_agreement_is_that_beyond_chance():
    same = np.eye(3)[[0, 1, 2, 0]]
    assert kappa([same, same])[0, 1] == pytest.approx(1.0)
    always = np.eye(3)[[0, 0, 0, 0]]
    assert kappa([always, same])[0, 1] == pytest.approx(0.0)
    holed = np.vstack([same, [[np.nan] * 3]])
    assert kappa([holed, np.vstack([same, [[1, 0, 0]]])])[0, 1] == pytest.approx(1.0)


def test_a_voter_that_guesses_agrees_with_nobody():
    each_V = agreement_of_each(voters_of(truth_of_pool(), [0.7, 0.7, 0.0, 0.7], 4))
    assert each_V[2] < 0.05 and min(each_V[[0, 1, 3]]) > 0.25


@pytest.mark.parametrize("known", [0.7, 0.5, 0.3, 0.0])
def test_the_estimate_falls_with_the_truth_and_is_never_far_above_it(light, known):
    """Voters that err apart from each other, the best case, are estimated too low rather than too high."""
    truth_N = truth_of_pool()
    pool = voters_of(truth_N, [known] * 4, 5)
    found = estimate(pool, *light, rule="stable")
    right = precision_at(rank_pool(np.mean(pool, axis=0), pool), truth_N, 0.5)
    assert 1 / CLASSES <= found.precision(0.5) < right + 0.1
    better = estimate(voters_of(truth_N, [known + 0.2] * 4, 5), *light, rule="stable")
    assert better.precision(0.5) > found.precision(0.5) or found.transfer == 1.0


def test_coverage_follows_from_the_estimate(light):
    truth_N = truth_of_pool()
    good = estimate(voters_of(truth_N, [0.7] * 4, 6), *light, rule="stable")
    poor = estimate(voters_of(truth_N, [0.1] * 4, 7), *light, rule="stable")
    assert good.coverage(0.5) == 0.5 and good.precision(0.5) > good.precision(1.0)
    assert poor.coverage(0.5) == 0.0 and poor.transfer < 0.1


def test_an_earlier_round_bounds_the_transfer(light):
    pool = voters_of(truth_of_pool(), [0.7] * 4, 8)
    assert estimate(pool, *light, rule="stable", bound=0.2).transfer == 0.2
    assert estimate(pool, *light, rule="stable").transfer == pytest.approx(0.7, abs=0.05)
    assert estimate([pool[0]] * 4, *light, rule="stable").transfer == 1.0


@pytest.mark.parametrize("known", [0.4, 0.6, 0.9])
def test_what_is_known_of_the_pool_does_not_follow_the_light(known):
    """Two seeds of one demo agree by 0.53 and 0.54 on the pool, and by 0.73 and 0.64 on light clips: one answer."""
    truth_N = np.random.default_rng(1).integers(0, CLASSES, 400)
    pool = voters_of(truth_of_pool(), [known] * 4, 8)
    found = [
        estimate(pool, voters_of(truth_N, [share] * 4, 2), truth_N, rule="stable").transfer for share in (0.7, 0.95)
    ]
    assert found[0] == found[1] == pytest.approx(known, abs=0.05)


def test_few_clips_make_the_estimate_careful(light):
    truth_N = truth_of_pool()
    pool = voters_of(truth_N, [0.7] * 4, 8)
    few = [probs_NK[:25] for probs_NK in pool]
    assert standard_error(few) > 2.5 * standard_error(pool) > 0.02
    found = estimate(few, *light, rule="stable")
    assert found.transfer**2 == pytest.approx(found.agreement_pool - standard_error(few))


def test_light_clips_without_a_label_do_not_count(light):
    voters, truth_N = light
    half_N = np.where(np.arange(len(truth_N)) % 2, truth_N, -1)
    assert len(estimate(voters, voters, half_N, rule="stable").light_truth) == 100


def test_a_voter_that_guesses_loses_its_weight():
    voters = voters_of(truth_of_pool(), [0.7, 0.7, 0.0, 0.7], 4)
    weights_V = trust(voters)
    assert weights_V[2] < 0.02 and weights_V.sum() == pytest.approx(1.0)
    assert trust(voters[:2]).tolist() == [0.5, 0.5]
    assert trust([np.eye(3)[[0, 0, 0]]] * 3).tolist() == pytest.approx([1 / 3] * 3)


def test_every_voter_is_taken_in_the_way_that_agrees_most():
    good, bad = (voters_of(truth_of_pool(), [known] * 3, seed) for known, seed in ((0.7, 9), (0.1, 10)))
    assert most_agreeing([[good[0], bad[0]], [good[1]], [bad[2], good[2]]]) == [0, 0, 1]
