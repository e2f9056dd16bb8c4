"""The published weights, thresholds and corrections, read from tables (`tables/*.yaml`).

Legend: N videos, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from slowfast.ensemble.fuse import VoteWeights
from slowfast.utils.errors import InputError

TABLES = Path(__file__).parent / "tables"


@dataclass(frozen=True)
class CorrectionPass:
    """One correction: unsure rows of a class move to the first alternative that is likely enough.

    Attributes:
        label: class whose rows are looked at.
        test: class whose probability is compared.
        at_most: rows above this probability keep their label.
        alternatives: pairs of class and least probability, in order of preference.
    """

    label: int
    test: int
    at_most: float
    alternatives: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class StageRules:
    """The published vote of one pseudo-label stage: see `tables/pseudo_labels.yaml`."""

    stage: int
    inputs: dict[str, str]
    score_kinds: dict[str, str]
    weights: VoteWeights
    thresholds: tuple[float, ...]


@dataclass(frozen=True)
class Mode:
    """One mode of the submission: see `tables/submission.yaml`."""

    number: int
    files: str
    weights: VoteWeights
    override_labels: tuple[int, ...]
    override_model: str
    passes: tuple[CorrectionPass, ...]


@dataclass(frozen=True)
class SubmissionRules:
    """Files, modes and final vote of the submission: see `tables/submission.yaml`; `num_classes` 0 is any number.

    A model of `files` has one file or several alternatives; the vote takes the one that agrees most with the others.
    `weigh` `agreement` multiplies the weights by how far the voters agree with each other beyond chance.
    """

    num_classes: int
    files: dict[str, dict[str, str | list[str]]]
    score_kinds: dict[str, str]
    modes: dict[int, Mode]
    vote: tuple[int, ...]
    per_clip: bool = False
    weigh: str = ""


def _table(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def stage_rules(stage: int) -> StageRules:
    """Return the published rules of pseudo-label stage 1, 2, 3 or 4."""
    table = _table(TABLES / "pseudo_labels.yaml")
    return StageRules(
        stage=stage,
        inputs={
            voter: f"{table['rounds'][stage]}/{folder}/{table['predictions']}"
            for voter, folder in table["voters"].items()
        },
        score_kinds=table["score_kinds"],
        weights=VoteWeights(**table["weights"]),
        thresholds=tuple(table["thresholds"][stage]),
    )


def submission_rules(path: Path | None = None) -> SubmissionRules:
    """Return the rules of the five submission modes and the final vote.

    Args:
        path: a table in the form of `tables/submission.yaml`; default is that one, the published rules.

    Raises:
        InputError: the table cannot be read or lacks an entry.
    """
    path = path or TABLES / "submission.yaml"
    try:
        return _submission_rules(_table(path))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        text = " ".join(str(error).split())
        raise InputError(f"{path} is no table of submission rules ({type(error).__name__}: {text})") from error


def _submission_rules(table: dict[str, Any]) -> SubmissionRules:
    passes = {
        name: tuple(
            CorrectionPass(row["label"], row["test"], row["at_most"], tuple(map(tuple, row["else"]))) for row in rows
        )
        for name, rows in table["corrections"].items()
    }
    modes = {
        number: Mode(
            number=number,
            files=mode["files"],
            weights=VoteWeights(mode["weights"], table["anchored"], table["anchor"], table["anchor_labels"]),
            override_labels=tuple(table["override"]["labels"]),
            override_model=table["override"]["model"],
            passes=passes[mode["corrections"]],
        )
        for number, mode in table["modes"].items()
    }
    return SubmissionRules(
        num_classes=table["num_classes"],
        files=table["files"],
        score_kinds=table["score_kinds"],
        modes=modes,
        vote=tuple(table["vote"]),
        per_clip=table.get("per_clip", False),
        weigh=table.get("weigh", ""),
    )


def apply_passes(labels_N: np.ndarray, probs_NK: np.ndarray, passes: Sequence[CorrectionPass]) -> np.ndarray:
    """Return the labels after all corrections, one pass after the other over all rows.

    A label changed by one pass may be changed again by a later one.

    Args:
        labels_N: int (N,).
        probs_NK: float (N, K), compared in float64.
        passes: the corrections.

    Returns:
        int64 (N,), a new array.
    """
    labels_N = np.array(labels_N, dtype=np.int64)
    probs_NK = np.asarray(probs_NK, dtype=np.float64)
    for step in passes:
        open_N = (labels_N == step.label) & (probs_NK[:, step.test] <= step.at_most)
        for label, at_least in step.alternatives:
            moved_N = open_N & (probs_NK[:, label] >= at_least)
            labels_N[moved_N] = label
            open_N &= ~moved_N
    return labels_N
