"""The folder of a finished demo: where every step's predictions lie, and what the report shows of them."""

import csv
import json
import os
import platform
import sys
from pathlib import Path

import yaml

from slowfast.demo.report import DemoFigures, DemoRun, Scores, choose_clips
from slowfast.ensemble import load_predictions
from slowfast.ensemble.rules import submission_rules
from slowfast.ensemble.voters import schedule_voters
from slowfast.lists.tables import read_names, read_table
from slowfast.report import ClipExample
from slowfast.transforms.gamma import gamma_table
from slowfast.utils.errors import InputError
from slowfast.utils.paths import repo_path
from slowfast.video import VideoError, open_video

_VOTERS, _EXPERTS = schedule_voters(repo_path("workflow/demo.yaml"))
VOTERS = tuple(voter.name for voter in _VOTERS)
EXPERT = f"exp_experts/{_EXPERTS[0].name}"
# Rounds of pseudo-labels.
ROUNDS = {"first": 1, "quick": 4, "full": 4}
# Steps in which the expert has a say beside the voters.
WITH_EXPERT = ("expert", "tta_1x3", "tta_3x3")


def rules_of(mode: str) -> str:
    """Return the table of the vote of a mode."""
    return "configs/demo/first/vote.yaml" if mode == "first" else "configs/demo/vote.yaml"


def tests_of(rounds: int) -> dict[tuple[str, int, int], tuple[str, str]]:
    """Return step, views, crops: folder of the experiments, and what the PKL's name says of gamma and statistics."""
    last = f"exp_pseudo_stage{rounds}"
    return {
        ("source_only", 1, 1): ("exp_adapt_bn", "_gamma1_bn-train_label"),
        ("gamma", 1, 1): ("exp_adapt_bn", "_bn-train_label"),
        ("adapt_bn", 1, 1): ("exp_adapt_bn", "_gamma1_bn-train_unlabel"),
        ("adapt_bn_gamma", 1, 1): ("exp_adapt_bn", ""),
        **{(f"pseudo_{stage}", 1, 1): (f"exp_pseudo_stage{stage}", "") for stage in range(1, rounds + 1)},
        ("no_pseudo", 1, 1): ("exp_no_pseudo", ""),
        ("no_pseudo", 3, 3): ("exp_no_pseudo", ""),
        ("expert", 1, 1): (last, ""),
        ("tta_1x3", 1, 3): (last, ""),
        ("tta_3x3", 3, 3): (last, ""),
    }


def read_run(work: Path) -> DemoRun:
    """Read predictions, pseudo-labels, submission and truth of a demo folder.

    Raises:
        InputError: something is missing or broken.
    """
    if not (work / "data" / "test_truth.csv").is_file():
        raise InputError(f"{work} is no finished demo: data/test_truth.csv is missing; run `make demo` first")
    manifest = json.loads((work / "data" / "manifest.json").read_text())
    mode = manifest.get("parameters", {}).get("mode", "quick")
    rounds = range(1, ROUNDS[mode] + 1)
    tests: dict[tuple[str, int, int], dict[str, Scores]] = {}
    for key, (folder, suffix) in tests_of(len(rounds)).items():
        tests[key] = {voter: read_scores(work / folder / voter, suffix, key) for voter in VOTERS}
        if key[0] in WITH_EXPERT:
            tests[key]["expert"] = read_scores(work / EXPERT, suffix, key)
    pseudo = {stage: read_table(work / "data" / "pseudo" / f"stage{stage}.csv") for stage in rounds}
    return DemoRun(
        class_names=manifest["classes"],
        truth=read_truth(work / "data" / "test_truth.csv"),
        tests=tests,
        submission=read_submission(work / "submission" / "arid_pred.csv"),
        pool_truth=read_truth(work / "data" / "total_unlabel_truth.csv"),
        pseudo={stage: dict(zip(table.names, table.labels.tolist())) for stage, table in pseudo.items()},
        weights=vote_weights(rules_of(mode)),
    )


def files_of(work: Path) -> list[Path]:
    """Return what a demo's figures are made from."""
    return [*sorted(work.glob("exp_*/*/test*.pkl")), *sorted(work.glob("data/pseudo/stage*.csv"))]


def vote_weights(table: str) -> dict[str, float]:
    """Return the weights of voters and expert in the mode that gives the demo's submission."""
    rules = submission_rules(repo_path(table))
    mode = rules.modes[rules.vote[0]]
    folders = {key: Path(path).parts for key, path in rules.files[mode.files].items()}
    names = {key: "expert" if parts[0] == "exp_experts" else parts[1] for key, parts in folders.items()}
    return {names[key]: weight for key, weight in mode.weights.usual.items()}


def read_scores(folder: Path, suffix: str, key: tuple[str, int, int]) -> Scores:
    """Return the test predictions in the folder of one experiment.

    Args:
        folder: the experiment's output folder.
        suffix: what the PKL's name says of gamma and BatchNorm statistics.
        key: step, views, crops.
    """
    step, views, crops = key
    pattern = f"testx*x*x{views}x{crops}{suffix}.pkl"
    found = sorted(folder.glob(pattern))
    if not found:
        raise InputError(f"{folder} has no {pattern}, so the step {step} cannot be measured; finish the demo first")
    if len(found) > 1:
        raise InputError(f"{found[0]} and {found[1]} differ in clip size; delete the one that is not this run's")
    loaded = load_predictions(found[0])
    if loaded.video_names is None or loaded.score_kind is None or loaded.num_views is None:
        raise InputError(f"{found[0]} has no names or kind of score; write it again by testing the model")
    return Scores(loaded.video_names, loaded.video_preds, loaded.score_kind, loaded.num_views, str(found[0]))


def read_truth(path: Path) -> dict[str, int]:
    """Return the class of every name of a list."""
    names, labels_N = read_names(path)
    return dict(zip(names, labels_N.tolist()))


def read_submission(path: Path) -> dict[str, int]:
    """Return the submitted class of every video."""
    try:
        with open(path, newline="", encoding="utf-8") as handle:
            return {row["Video"]: int(row["ClassID"]) for row in csv.DictReader(handle)}
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not a submission ({error}); make it with test_ensemble_vote.py") from None


def gamma_of(work: Path) -> float:
    """Return the gamma of the tests, from the resolved configuration of the first voter."""
    path = work / "exp_adapt_bn" / VOTERS[0] / "config.yaml.resolved"
    return float(yaml.safe_load(path.read_text(encoding="utf-8"))["DATA"]["GAMMA"]["TEST"])


def read_seconds(work: Path) -> dict[str, float]:
    """Return the durations of the jobs, nothing when the run has not recorded any."""
    path = work / "timings.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def read_verdict(work: Path, stage: int) -> str:
    """Return what was said about the labels of a round before it was trained, nothing without a record."""
    path = work / "data" / "pseudo" / f"stage{stage}.json"
    return json.loads(path.read_text(encoding="utf-8")).get("verdict", "") if path.is_file() else ""


def example_clips(work: Path, figures: DemoFigures, count: int, seed: int) -> list[ClipExample]:
    """Return test clips drawn at random with eight frames each; those that cannot be read are left out."""
    table, clips = gamma_table(gamma_of(work)), []
    for row in choose_clips(figures.truth_N, count, seed):
        name = figures.names[row]
        try:
            video = open_video(work / "data" / "Test" / name)
            length = len(video)
            dark_THWC = video.get_frames([length * index // 8 for index in range(8)])
            video.close()
        except VideoError as error:
            print(f"left out of the report: {error}", file=sys.stderr)
            continue
        before, after = figures.guesses(row)
        clips.append(ClipExample(name, int(figures.truth_N[row]), dark_THWC, table[dark_THWC], before, after))
    return clips


def describe(work: Path, run: DemoRun, seed: int, mode: str) -> dict[str, str]:
    """Return what was run, for the page."""
    manifest = json.loads((work / "data" / "manifest.json").read_text())
    splits = manifest.get("splits", {})
    return {
        "seed": str(seed),
        "mode": mode,
        "voters": ", ".join(VOTERS),
        "expert": EXPERT.split("/")[1],
        "classes": ", ".join(run.class_names),
        "clips": ", ".join(f"{name} {split['clips']}" for name, split in splits.items()),
        "gamma": f"{gamma_of(work):g}",
        "vote": f"mean of the networks' probabilities, weighted by agreement ({rules_of(mode)})",
        "machine": f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}",
    }
