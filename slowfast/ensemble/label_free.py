"""Selection of pseudo-labels without any label: alignment of class shares, ranking, coverage.

A pool of N videos has the newest probabilities and witnesses: single voters, or tables of earlier rounds. A rule
gives every video a label and a place in a ranking; the first rows of the ranking are selected. `docs/pseudo_labels.md`
reports what the rules reach.

Legend: N videos, K classes. A row of NaN is a video that a source does not have.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from slowfast.utils.errors import InputError

# Weight of the margin in one witness, beside 1 for the newest probabilities.
WITNESS_WEIGHT = 0.25
# Weight of the place within the class, beside 1 for the place in the pool.
BALANCE_WEIGHT = 0.5
# A source with at least this share of the pool is aligned; a smaller one is a selection with shares of its own.
WHOLE_POOL = 0.9
# What a pool needs so that its class shares say something about the model: rows per class, labels of at least this
# share of the classes, factors that overturn no label surer than this many times the next class, and no more than this
# share of the labels that are surer than that overturned.
ROWS_PER_CLASS = 10
LABELLED_CLASSES = 0.5
LARGEST_FACTOR = 50.0
SURE = 0.8
OVERTURNED = 0.05
_TINY = 1e-12


@dataclass
class Ranking:
    """What a rule makes of a pool.

    Attributes:
        labels: int64 (N,).
        probs: float64 (N, K) whose argmax is the label; NaN for rows without scores.
        confidence: float64 (N,), the rule's confidence; -inf for rows without scores.
        score: float64 (N,), rows are selected from the largest score on, equal ones by their confidence; -inf for
            rows without scores.
        unaligned: why the rule aligned nothing though it does elsewhere; empty when it did, or never does.
    """

    labels: np.ndarray
    probs: np.ndarray
    confidence: np.ndarray
    score: np.ndarray
    unaligned: str = ""

    def order(self) -> np.ndarray:
        """Return all rows, best first, as int64 (N,)."""
        return np.lexsort((-self.confidence, -self.score))


def align(probs_NK: np.ndarray, shares_K: np.ndarray | None = None, iterations: int = 500) -> np.ndarray:
    """Return probabilities whose class shares over the pool are the given ones.

    One factor per class is found by Sinkhorn's iteration (as in Caron et al., "SwAV", NeurIPS 2020): multiply
    every class, divide every row by its sum, until the column means are the shares. Rows of NaN stay and do not count.

    Args:
        probs_NK: float (N, K).
        shares_K: wanted shares; equal ones by default.
        iterations: upper bound; stops when the shares are met to 1e-9.

    Returns:
        float64 (N, K), rows sum to 1.
    """
    probs_NK = np.maximum(np.asarray(probs_NK, dtype=np.float64), _TINY)
    classes = probs_NK.shape[1]
    shares_K = np.full(classes, 1.0 / classes) if shares_K is None else np.asarray(shares_K) / np.sum(shares_K)
    known_MK = probs_NK[~np.isnan(probs_NK).any(axis=1)]
    factor_K = np.ones(classes)
    for _ in range(iterations if len(known_MK) else 0):
        aligned_MK = known_MK * factor_K
        aligned_MK /= aligned_MK.sum(axis=1, keepdims=True)
        found_K = aligned_MK.mean(axis=0)
        if np.abs(found_K - shares_K).max() < 1e-9:
            break
        factor_K *= shares_K / np.maximum(found_K, _TINY)
        factor_K /= factor_K.max()
    aligned_NK = probs_NK * factor_K
    return aligned_NK / aligned_NK.sum(axis=1, keepdims=True)


def signed_margin(probs_NK: np.ndarray, labels_N: np.ndarray) -> np.ndarray:
    """Return the probability of the label minus that of the best other class; 0 for rows of NaN.

    Args:
        probs_NK: float (N, K).
        labels_N: int (N,); where it is not the argmax the margin is negative.
    """
    rows = np.arange(len(labels_N))
    others_NK = np.array(probs_NK, dtype=np.float64)
    own_N = others_NK[rows, labels_N].copy()
    others_NK[rows, labels_N] = -np.inf
    return np.nan_to_num(own_N - others_NK.max(axis=1), nan=0.0)


def _labels(probs_NK: np.ndarray) -> np.ndarray:
    return np.nan_to_num(probs_NK, nan=0.0).argmax(axis=1)


def _places(score_N: np.ndarray) -> np.ndarray:
    """Place of every row from the largest score (0) on."""
    places_N = np.empty(len(score_N))
    places_N[np.argsort(-score_N, kind="stable")] = np.arange(len(score_N))
    return places_N


def _places_within(labels_N: np.ndarray, score_N: np.ndarray) -> np.ndarray:
    """Place of every row among the rows of its own label."""
    places_N = np.empty(len(score_N))
    for label in np.unique(labels_N):
        rows = np.flatnonzero(labels_N == label)
        places_N[rows] = _places(score_N[rows])
    return places_N


def _align_if_sound(probs_NK: np.ndarray, covered: float, shares_K: np.ndarray | None) -> tuple[np.ndarray, str]:
    """Return aligned probabilities, or the given ones and why the pool cannot bear an alignment."""
    if shares_K is not None:
        return align(probs_NK, shares_K), ""
    known_MK = probs_NK[~np.isnan(probs_NK).any(axis=1)]
    (rows, classes), found = known_MK.shape, len(np.unique(known_MK.argmax(axis=1)))
    if covered < WHOLE_POOL:
        return probs_NK, f"only {100 * covered:.0f} % of the pool have scores, a selection has shares of its own"
    if rows < ROWS_PER_CLASS * classes:
        return probs_NK, f"{rows} videos are too few for the shares of {classes} classes ({ROWS_PER_CLASS * classes})"
    if found < LABELLED_CLASSES * classes:
        return probs_NK, f"the pool is one-sided, {found} of {classes} classes are the likeliest of any video"
    aligned_NK = align(probs_NK)
    aligned_MK = aligned_NK[~np.isnan(probs_NK).any(axis=1)]
    gains_MK = np.maximum(aligned_MK, _TINY) / np.maximum(known_MK, _TINY)
    factor = float(np.median(gains_MK.max(axis=1) / gains_MK.min(axis=1)))
    if factor > LARGEST_FACTOR:
        return probs_NK, f"equal shares would weigh one class {factor:.3g} times as much as another"
    sure_M = known_MK.max(axis=1) > SURE
    turned = float((aligned_MK.argmax(axis=1) != known_MK.argmax(axis=1))[sure_M].mean()) if sure_M.any() else 0.0
    if turned > OVERTURNED:
        return probs_NK, f"equal shares would overturn {100 * turned:.0f} % of the labels surer than {SURE}"
    return aligned_NK, ""


@dataclass
class Sources:
    """What a rule sees: rows of the newest round, all with scores, and the same rows of the witnesses.

    Attributes:
        plain: float64 (N, K), the newest probabilities.
        aligned: the same, aligned to the class shares.
        witnesses: float64 (N, K) each, NaN where a row is missing.
        aligned_witnesses: the same, aligned where a witness covers the pool.
        weights: what a witness counts; 1 where nothing is said.
    """

    plain: np.ndarray
    aligned: np.ndarray
    witnesses: list[np.ndarray]
    aligned_witnesses: list[np.ndarray]
    weights: Sequence[float]


def confidence_rule(sources: Sources) -> Ranking:
    """Rank by the largest probability: one global threshold."""
    peak_N = sources.plain.max(axis=1)
    return Ranking(_labels(sources.plain), sources.plain, peak_N, peak_N)


def margin_rule(sources: Sources) -> Ranking:
    """Rank by the margin between the two largest probabilities."""
    labels_N = _labels(sources.plain)
    margin_N = signed_margin(sources.plain, labels_N)
    return Ranking(labels_N, sources.plain, margin_N, margin_N)


def per_class_rule(sources: Sources) -> Ranking:
    """Keep the same share of every predicted class: a threshold per class, its quantile."""
    labels_N, peak_N = _labels(sources.plain), sources.plain.max(axis=1)
    sizes_N = np.bincount(labels_N, minlength=sources.plain.shape[1])[labels_N]
    return Ranking(labels_N, sources.plain, peak_N, -_places_within(labels_N, peak_N) / sizes_N)


def class_balanced_rule(sources: Sources) -> Ranking:
    """Keep the same number of every predicted class: the top k of each."""
    labels_N, peak_N = _labels(sources.plain), sources.plain.max(axis=1)
    return Ranking(labels_N, sources.plain, peak_N, -_places_within(labels_N, peak_N))


def aligned_rule(sources: Sources) -> Ranking:
    """Align to the class shares, then rank by the largest probability."""
    peak_N = sources.aligned.max(axis=1)
    return Ranking(_labels(sources.aligned), sources.aligned, peak_N, peak_N)


def agreement_rule(sources: Sources) -> Ranking:
    """Align, then rank by the margin x (1 + number of witnesses, or their weights, that give the same label)."""
    labels_N = _labels(sources.aligned)
    agreeing_N = np.zeros(len(labels_N))
    for weight, witness_NK in zip(sources.weights, sources.witnesses):
        agreeing_N += weight * ((_labels(witness_NK) == labels_N) & ~np.isnan(witness_NK).any(axis=1))
    score_N = signed_margin(sources.aligned, labels_N) * (1.0 + agreeing_N)
    return Ranking(labels_N, sources.aligned, score_N, score_N)


def keep_better_rule(sources: Sources) -> Ranking:
    """Take every row from the source that separates it best, the newest or a witness, and rank by that margin."""
    best_NK = sources.aligned.copy()
    best_N = signed_margin(best_NK, _labels(best_NK))
    for other_NK in sources.aligned_witnesses:
        other_N = signed_margin(other_NK, _labels(other_NK))
        better_N = other_N > best_N
        best_NK[better_N], best_N[better_N] = other_NK[better_N], other_N[better_N]
    return Ranking(_labels(best_NK), best_NK, best_N, best_N)


def stable_rule(sources: Sources) -> Ranking:
    """Align, add the margins that the witnesses give the label, and balance the classes while ranking.

    A label that earlier rounds or single voters share counts more, one that they contradict counts less, each in
    proportion to how sure they are. The place in the ranking is the place in the pool plus half the place within
    the class (in units of an average class), so that no class is left behind.
    """
    labels_N = _labels(sources.aligned)
    support_N = signed_margin(sources.aligned, labels_N)
    for weight, witness_NK in zip(sources.weights, sources.aligned_witnesses):
        support_N = support_N + WITNESS_WEIGHT * weight * signed_margin(witness_NK, labels_N)
    classes = sources.aligned.shape[1]
    place_N = _places(support_N) + BALANCE_WEIGHT * classes * _places_within(labels_N, support_N)
    return Ranking(labels_N, sources.aligned, support_N, -place_N)


RULES: dict[str, Callable[[Sources], Ranking]] = {
    "stable": stable_rule,
    "agreement": agreement_rule,
    "aligned": aligned_rule,
    "keep-better": keep_better_rule,
    "class-balanced": class_balanced_rule,
    "per-class": per_class_rule,
    "margin": margin_rule,
    "confidence": confidence_rule,
}
DEFAULT_RULE = "stable"
ALIGNING = ("stable", "agreement", "aligned", "keep-better")


def rank_pool(
    newest_NK: np.ndarray,
    witnesses: Sequence[np.ndarray] = (),
    rule: str = DEFAULT_RULE,
    shares_K: np.ndarray | None = None,
    weights: Sequence[float] | None = None,
) -> Ranking:
    """Return labels and a ranking of the pool.

    Args:
        newest_NK: float (N, K) probabilities of the newest round; NaN rows have no scores and rank last.
        witnesses: further probabilities of the same rows: single voters, earlier rounds; NaN where a row is missing.
        rule: a name of `RULES`.
        shares_K: class shares that aligning rules aim at. By default equal ones where the pool can bear that: a
            source that covers less than 90 % of it, has few rows for its classes, is one-sided, would need extreme
            factors or lose labels that are sure stays as it is (`Ranking.unaligned` says why).
        weights: what each witness counts; None: all 1.

    Raises:
        InputError: the rule is unknown or no row has scores.
    """
    if rule not in RULES:
        raise InputError(f"the rule {rule!r} is unknown; choose one of {', '.join(RULES)}")
    newest_NK = np.asarray(newest_NK, dtype=np.float64)
    known_N = ~np.isnan(newest_NK).any(axis=1)
    if not known_N.any():
        raise InputError("no row of the pool has scores, so nothing can be selected; check the predictions")
    witnesses = [np.asarray(witness_NK, dtype=np.float64)[known_N] for witness_NK in witnesses]
    aligned_NK, unaligned = _align_if_sound(newest_NK[known_N], known_N.mean(), shares_K)
    covered = [1.0 - np.isnan(witness_NK).any(axis=1).mean() for witness_NK in witnesses]
    aligned = [_align_if_sound(*source, shares_K)[0] for source in zip(witnesses, covered)]
    counts = [1.0] * len(witnesses) if weights is None else weights
    part = RULES[rule](Sources(newest_NK[known_N], aligned_NK, witnesses, aligned, counts))
    labels_N = np.zeros(len(newest_NK), dtype=np.int64)
    probs_NK = np.full(newest_NK.shape, np.nan)
    confidence_N, score_N = np.full(len(newest_NK), -np.inf), np.full(len(newest_NK), -np.inf)
    labels_N[known_N], probs_NK[known_N] = part.labels, part.probs
    confidence_N[known_N], score_N[known_N] = part.confidence, part.score
    return Ranking(labels_N, probs_NK, confidence_N, score_N, unaligned if rule in ALIGNING else "")


def choose(ranking: Ranking, coverage: float | None = None, taken: int = 0) -> np.ndarray:
    """Return the selected rows, best first.

    Args:
        ranking: from `rank_pool`.
        coverage: share of the pool to keep, in (0, 1]; None keeps as many rows as have at least the mean
            confidence (the global part of FreeMatch's threshold, Wang et al., ICLR 2023).
        taken: rows of the coverage that are selected already.

    Returns:
        int64 row numbers; never a row without scores, so possibly fewer than asked for.
    """
    known_N = np.isfinite(ranking.score)
    if coverage is not None:
        count = max(0 if taken else 1, round(coverage * len(known_N)) - taken)
    elif known_N.any():
        known_confidence = ranking.confidence[known_N]
        # The mean of equal numbers may be rounded up.
        count = int((known_confidence >= min(known_confidence.mean(), known_confidence.max())).sum())
    else:
        count = 0
    return ranking.order()[: min(count, int(known_N.sum()))]


def fix_rows(ranking: Ranking, labels_N: np.ndarray) -> np.ndarray:
    """Put a person's labels into a ranking; no rule selects these rows any more.

    Args:
        ranking: changed in place.
        labels_N: int (N,): a class, -1 for a row that is never used, -2 for one that nobody looked at.

    Returns:
        int64, the rows that have a class, to be selected before all others.
    """
    given = np.flatnonzero(labels_N >= 0)
    ranking.labels[given] = labels_N[given]
    ranking.probs[given] = np.eye(ranking.probs.shape[1])[labels_N[given]]
    ranking.score[labels_N > -2] = -np.inf
    return given


def precision_at(ranking: Ranking, truth_N: np.ndarray, coverage: float) -> float:
    """Return the share of right labels among the best-ranked share of the labelled rows.

    Args:
        ranking: from `rank_pool`.
        truth_N: int (N,), -1 where unknown; used for measuring only.
        coverage: share of the labelled rows, in (0, 1]; NaN is returned when fewer of them have scores.
    """
    order = ranking.order()
    rows = order[(truth_N[order] >= 0) & np.isfinite(ranking.score[order])]
    count = max(1, round(coverage * int((truth_N >= 0).sum())))
    if count > len(rows):
        return float("nan")
    best = rows[:count]
    return float((ranking.labels[best] == truth_N[best]).mean())
