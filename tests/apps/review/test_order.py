"""Which clip comes next, and an estimate that is right on average though useful clips are mostly wrong."""

import math

import numpy as np
import pytest

from slowfast.apps.review.journal import Decision
from slowfast.apps.review.order import estimate, next_rows, random_order, useful_order
from slowfast.lists.tables import LabelTable


def table_of(count: int, classes: int = 3, seed: int = 0) -> tuple[LabelTable, np.ndarray]:
    """A table whose uncertain labels are mostly wrong, and the truth."""
    rng = np.random.default_rng(seed)
    labels_N = rng.integers(0, classes, count)
    sure_N = rng.uniform(0.4, 1.0, count)
    probs_NK = np.repeat(((1 - sure_N) / (classes - 1))[:, None], classes, axis=1)
    probs_NK[np.arange(count), labels_N] = sure_N
    truth_N = np.where(rng.random(count) < sure_N, labels_N, (labels_N + 1) % classes)
    return LabelTable([f"{index}.mp4" for index in range(count)], labels_N, probs_NK), truth_N


def decide(table: LabelTable, truth_N, rows) -> dict[int, Decision]:
    return {row: Decision(table.names[row], "correct", int(truth_N[row]), int(table.labels[row])) for row in rows}


def test_classes_take_turns_and_disputed_rows_come_first():
    table, _ = table_of(60)
    votes_VN = np.stack([table.labels, table.labels.copy()])
    disputed = int(np.flatnonzero(table.labels == 2)[np.argmax(table.probs[table.labels == 2, 2])])
    votes_VN[0, disputed] = 0
    order = useful_order(table, votes_VN)
    assert sorted(order.tolist()) == list(range(60))
    assert sorted(table.labels[order[:3]].tolist()) == [0, 1, 2] and disputed in order[:3]
    one = [row for row in order if table.labels[row] == 1]
    assert table.probs[one, 1].tolist() == sorted(table.probs[one, 1])


def test_unknown_votes_dispute_nothing():
    table, _ = table_of(30)
    assert useful_order(table, np.full((2, 30), -1)).tolist() == useful_order(table).tolist()


def test_turns_of_useful_and_random_rows():
    taken = np.array([True, False, False, False, False, False])
    assert next_rows([0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], taken, 0, 4) == [1, 5, 2, 4]
    assert next_rows([0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], taken, 1, 3) == [5, 1, 4]
    assert next_rows([0], [0], np.array([True]), 0, 3) == []


def test_the_estimate_is_unbiased_and_its_interval_holds():
    inside, errors, naive = 0, [], []
    for seed in range(120):
        table, truth_N = table_of(1000, seed=seed)
        useful_N = useful_order(table)
        random_N = np.random.default_rng(seed + 999).permutation(1000)
        taken, decided = np.zeros(1000, bool), {}
        rows = next_rows(useful_N.tolist(), random_N.tolist(), taken, 0, 200)
        decided = decide(table, truth_N, rows)
        true = float((truth_N == table.labels).mean())
        found = estimate(table.labels, useful_N, random_N, decided)
        assert found.reviewed >= 100 and 80 <= found.sampled <= 100
        inside += found.low <= true <= found.high
        errors.append(found.precision - true)
        naive.append(float((truth_N[rows] == table.labels[rows]).mean()) - true)
    assert abs(np.mean(errors)) < 0.01 < 0.1 < -np.mean(naive)
    assert inside >= 108  # 95 % of 120 is 114


def test_ends_of_the_estimate():
    table, truth_N = table_of(20)
    useful_N, random_N = useful_order(table), random_order(table)
    nothing = estimate(table.labels, useful_N, random_N, {})
    assert math.isnan(nothing.precision) and (nothing.low, nothing.high) == (0.0, 1.0)
    true = float((truth_N == table.labels).mean())
    whole = estimate(table.labels, useful_N, random_N, decide(table, truth_N, range(20)))
    assert (whole.precision, whole.low, whole.high) == pytest.approx((true, true, true))
    rejected = {row: Decision(name, "reject") for row, name in enumerate(table.names)}
    assert estimate(table.labels, useful_N, random_N, rejected).high == 0.0


def test_the_random_order_is_the_same_at_every_start():
    table, _ = table_of(50)
    assert random_order(table).tolist() == random_order(table).tolist() != list(range(50))
