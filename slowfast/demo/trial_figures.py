"""What `slowfast.demo.trials` came to: accuracy on rendered dark clips, agreement on real film, one table."""

import dataclasses
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from slowfast.config.validate import TestSetting, parse_also
from slowfast.demo.results import read_truth
from slowfast.demo.trials import FOLDERS, POOL, REAL, Place, made_at, places, tests_of
from slowfast.ensemble import load_predictions
from slowfast.ensemble.agreement import kappa
from slowfast.ensemble.label_free import align
from slowfast.utils.files import write_json
from slowfast.utils.scores import accuracy, probabilities

Figures = dict[str, float]


def read_voters(place: Place, plan: Mapping[str, Any], folder: str, file: str) -> tuple[list[str], list[np.ndarray]]:
    """Return the names of the clips and the probabilities (N, K) of every voter of one test."""
    names, voters = [], []
    for voter in plan["voters"]:
        found = load_predictions(place.root / folder / voter / f"{file}.pkl")
        names = list(found.video_names)
        voters.append(probabilities(found.video_preds, found.score_kind, found.num_views))
    return names, voters


def measured(place: Place, plan: Mapping[str, Any], folder: str, suffix: str = "", share: float = 0) -> Figures:
    """Return what is known of one test of several networks, in percent.

    Rendered clips have a truth: top-1 of the mean network and of the vote with equal weights. On real film nobody has
    one; there the agreement of the networks beyond chance (Cohen's kappa) on the pool stands in for it, and where the
    folder's networks were trained, their mean top-1 on held-out light clips.

    Args:
        place: where.
        plan: names the voters.
        folder: of the runs.
        suffix: what the PKL's name says of gamma and adaptation.
        share: how far predictions are moved to equal class shares.
    """
    names, voters = read_voters(place, plan, folder, f"{place.split}x8x56x1x1{suffix}")
    voters = [(1 - share) * probs + share * align(probs) for probs in voters]
    if place.is_real:
        light = [light_accuracy(place.root / folder / voter / "metrics.jsonl") for voter in plan["voters"]]
        known = {} if None in light or suffix or share else {"light": float(np.mean(light))}
        return {"agreement": float(100 * kappa(voters)[np.triu_indices(len(voters), 1)].mean()), **known}
    truth = read_truth(place.data / "test_truth.csv")
    labels = np.array([truth[name] for name in names])
    each = [accuracy(probs.argmax(1), labels) for probs in voters]
    return {"mean network": float(np.mean(each)), "vote": accuracy(sum(voters).argmax(1), labels)}


def light_accuracy(metrics: Path) -> float | None:
    """Return the last top-1 on held-out light clips that a training wrote; None where it has none."""
    if not metrics.is_file():
        return None
    rows = map(json.loads, metrics.read_text(encoding="utf-8").splitlines())
    found = [100 - row["top1_err"] for row in rows if row.get("split") == "val_dry" and "top1_err" in row]
    return found[-1] if found else None


def figures(place: Place, plan: Mapping[str, Any]) -> dict[str, tuple[Figures, Figures]]:
    """Return without and with every trial that is made at a place."""
    trials = {name: trial for name, trial in plan["trials"].items() if made_at(place, trial)}
    compared = {trial["against"] for trial in trials.values()}
    baselines = {against: measured(place, plan, FOLDERS[against]) for against in compared}
    found = {}
    for name, trial in trials.items():
        without = baselines[trial["against"]]
        if "gammas" in trial:
            suffix = chosen_gamma(place, plan, trial)
            found[name] = without, measured(place, plan, "tested", suffix) if suffix else without
        elif "tests" in trial:
            suffix = suffix_of(parse_also(tests_of(place, trial)[0]))
            found[name] = without, measured(place, plan, "tested", suffix)
        elif "align" in trial:
            found[name] = without, measured(place, plan, "round_1", share=trial["align"])
        else:
            found[name] = without, measured(place, plan, name, "_bn-train_unlabel" if "average" in trial else "")
    return found


def suffix_of(setting: TestSetting) -> str:
    """Return what the name of a test's PKL ends with; the pool is the one that adaptations have by default."""
    return dataclasses.replace(setting, adapt_split=setting.adapt_split or "train_unlabel").suffix


def chosen_gamma(place: Place, plan: Mapping[str, Any], trial: Mapping[str, Any]) -> str:
    """Return the suffix of the gamma with which the voters agree most on the pool; empty for the usual one."""
    suffixes = ["", *(f"_gamma{gamma:g}_bn-train_unlabel" for gamma in trial["gammas"])]

    def agreement(suffix: str) -> float:
        _, voters = read_voters(place, plan, "tested" if suffix else "exp_adapt_bn", POOL + suffix)
        return float(kappa(voters)[0, 1])

    return max(suffixes, key=agreement)


def table(results: Mapping[str, Any], plan: Mapping[str, Any]) -> str:
    """Return the trials as a Markdown table.

    A trial wins when it adds more than a standard deviation over the seeds to every figure of every night, and loses no
    more than one on real film.

    Args:
        results: per trial and night (or `real`) a list of (without, with), one for each seed.
        plan: says what was tried.
    """
    columns = [(night, figure) for night in plan["nights"] for figure in ("mean network", "vote")]
    real = any(found.get(REAL) for found in results.values())
    columns += [(REAL, figure) for figure in ("agreement", "light") if real]
    head = [f"{night}: {figure}" for night, figure in columns]
    lines = ["| trial | " + " | ".join([*head, "wins"]) + " |", "|---|" + "---|" * (len(head) + 1)]
    for name, trial in plan["trials"].items():
        cells, wins = zip(*(_cell(results[name].get(night), figure, night) for night, figure in columns))
        known = [win for win, (night, _) in zip(wins, columns) if win is not None and night != REAL]
        verdict = "–" if not known else "no" if False in wins else "yes"
        lines.append(f"| {trial['what']} | {' | '.join(cells)} | {verdict} |")
    return "\n".join(lines)


def _cell(pairs: Sequence[tuple[Figures, Figures]] | None, figure: str, night: str) -> tuple[str, bool | None]:
    """Return the text of a figure without and with a trial, and whether it is what a winner needs (None: not tried)."""
    if not pairs or not all(figure in found for pair in pairs for found in pair):
        return "–", None
    gains = [after[figure] - before[figure] for before, after in pairs]
    without = statistics.mean(before[figure] for before, _ in pairs)
    gain, deviation = statistics.mean(gains), statistics.stdev(gains) if len(gains) > 1 else 0.0
    enough = gain >= -deviation if night == REAL else gain > deviation
    return f"{without:.1f} {gain:+.1f} ± {deviation:.1f}", enough


def measure(root: Path, plan: Mapping[str, Any], real: Path | None = None) -> dict[str, Any]:
    """Return the figures of all places, by trial and night, and write them as `trials.json`."""
    results: dict[str, Any] = {name: {} for name in plan["trials"]}
    for place in places(root, plan, real):
        for name, pair in figures(place, plan).items():
            results[name].setdefault(place.night, []).append(pair)
    write_json(root / "trials.json", results)
    return results
