"""Trials of ideas on rendered clips: the runs of every kind of night and seed, their figures, and the table of them.

Truth of the dark clips only measures here; nothing is chosen with it. A run that is done is marked in its folder, so
that a stopped call goes on. `configs/demo/trials.yaml` says what is tried.
"""

import shlex
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from slowfast.config.validate import parse_also
from slowfast.demo.results import VOTERS, read_truth
from slowfast.ensemble import load_predictions
from slowfast.ensemble.label_free import align
from slowfast.utils.errors import InputError
from slowfast.utils.files import write_json
from slowfast.utils.paths import REPO_ROOT
from slowfast.utils.scores import accuracy, probabilities

POOL, PLAIN = "total_unlabelx8x56x1x1.pkl", "testx8x56x1x1"
DONE = "trial.done"
_FOLDERS = {"adapted": "exp_adapt_bn", "round_1": "round_1"}


class Place(NamedTuple):
    """The folder of one kind of night and seed."""

    root: Path
    night: str
    seed: int


class Score(NamedTuple):
    """Top-1 accuracy on the test clips in percent: mean of the networks, and of their vote with equal weights."""

    mean: float
    vote: float


def places(root: Path, plan: Mapping[str, Any]) -> list[Place]:
    """Return the folders of a plan."""
    return [Place(root / f"{night}-seed{seed}", night, seed) for seed in plan["seeds"] for night in plan["nights"]]


def training(place: Place, step: str, voter: str, out: str, options: str) -> list[str]:
    """Return the words of a training (or of a test alone, as the options say)."""
    configs = ["--cfg", f"configs/demo/models/{voter}.yaml", "--cfg", f"configs/demo/quick/{step}.yaml"]
    given = {"OUTPUT_DIR": place.root / out / voter, "DATA.PATH_PREFIX": place.root / "data"}
    given |= {"DATA.CACHE_DIR": place.root / "cache", "RNG_SEED": place.seed}
    if step != "exp_adapt_bn":
        given["TRAIN.CHECKPOINT_FILE_PATH"] = place.root / "exp_adapt_bn" / voter / "best.pyth"
    words = ["tools/run_net.py", *configs]
    return [*words, *(str(word) for pair in given.items() for word in pair), *shlex.split(options)]


def adapted(place: Place, plan: Mapping[str, Any], voter: str) -> list[str]:
    """Return the words that train a voter on the light clips and adapt it.

    The light clips are the same under every kind of night, so after the first one a step too small to change a weight
    is trained from its weights, and only the statistics are new.
    """
    options = ""
    if place.night != plan["nights"][0]:
        first = place.root.parent / f"{plan['nights'][0]}-seed{place.seed}" / "exp_adapt_bn" / voter / "best.pyth"
        options = (
            f"TRAIN.CHECKPOINT_FILE_PATH '{first}' TRAIN.STEPS_PER_EPOCH 1 SOLVER.MAX_EPOCH 1"
            " SOLVER.BASE_LR 1e-9 SOLVER.COSINE_END_LR 1e-10 SOLVER.WARMUP_EPOCHS 0.0"
        )
    return training(place, "exp_adapt_bn", voter, "exp_adapt_bn", options)


def selection(place: Place) -> list[str]:
    """Return the words that choose the labels of round 1, half of the pool."""
    files = [str(place.root / "exp_adapt_bn" / voter / POOL) for voter in VOTERS]
    data = place.root / "data"
    return [
        "gen_pseudo_tools/select_pseudo_labels.py", "--predictions", *files, "--list", str(data / "total_unlabel.csv"),
        "--coverage", "0.5", "--output", str(data / "pseudo" / "stage1.csv"),
    ]  # fmt: skip


def trial_runs(place: Place, plan: Mapping[str, Any]) -> Iterator[tuple[Path, list[str]]]:
    """Yield folder and words of all runs of one place that need the adapted networks and their labels."""
    plain = "TEST.DATA_SELECT test TEST.ALSO []"
    tests = [trial["tests"] for trial in plan["trials"].values() if "tests" in trial]
    steps = {name: trial for name, trial in plan["trials"].items() if "step" in trial}
    steps["round_1"] = {"step": "exp_pseudo_stage1", "opts": ""}
    for voter in plan["voters"]:
        also = f'TRAIN.ENABLE False TEST.DATA_SELECT test TEST.ALSO "{tests}"'
        yield place.root / "tested" / voter, training(place, "exp_pseudo_stage1", voter, "tested", also)
        for name, trial in steps.items():
            table = "" if "mean_teacher" in trial["opts"] else "pseudo/stage1.csv"
            labels = f"DATA.PSEUDO_CSV '{table}'" if trial["step"] != "exp_adapt_bn" else ""
            options = f"{plain} {labels} {trial['opts']}"
            yield place.root / name / voter, training(place, trial["step"], voter, name, options)


def run_place(place: Place, plan: Mapping[str, Any], environment: Mapping[str, str], jobs: int) -> None:
    """Make everything of one place that is not there yet, `jobs` runs at a time.

    Raises:
        InputError: a run failed; its log is named.
    """

    def run(folder: Path, words: list[str]) -> None:
        if (folder / DONE).is_file():
            return
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "trial.log", "w", encoding="utf-8") as log:
            command = [sys.executable, *words]
            done = subprocess.run(command, cwd=REPO_ROOT, env=environment, stdout=log, stderr=log, check=False)
        if done.returncode:
            raise InputError(f"{folder / 'trial.log'}: this run of the trials failed; mend its cause and call again")
        (folder / DONE).touch()

    def run_all(runs: list[tuple[Path, list[str]]]) -> None:
        with ThreadPoolExecutor(jobs) as pool:
            for _ in pool.map(lambda pair: run(*pair), runs):
                pass

    data = str(place.root / "data")
    render = ["tools/render_demo_data.py", "--output", data, "--seed", str(place.seed), "--night", place.night]
    run(place.root / "rendered", render)
    run_all([
        (place.root / "exp_adapt_bn" / voter, adapted(place, plan, voter))
        for voter in VOTERS
    ])  # fmt: skip
    run(place.root / "stage1", selection(place))
    run_all(list(trial_runs(place, plan)))


def score(place: Place, plan: Mapping[str, Any], folder: str, suffix: str = "", share: float = 0) -> Score:
    """Return the accuracy of one test.

    Args:
        place: its clips.
        plan: names the voters.
        folder: of the runs.
        suffix: what the PKL's name says of the adaptation.
        share: how far predictions are moved to equal class shares.
    """
    truth, each, total = read_truth(place.root / "data" / "test_truth.csv"), [], 0
    for voter in plan["voters"]:
        found = load_predictions(place.root / folder / voter / f"{PLAIN}{suffix}.pkl")
        labels = np.array([truth[name] for name in found.video_names])
        probs = probabilities(found.video_preds, found.score_kind, found.num_views)
        if share:
            probs = (1 - share) * probs + share * align(probs)
        each.append(accuracy(probs.argmax(1), labels))
        total = total + probs
    return Score(float(np.mean(each)), accuracy(total.argmax(1), labels))


def figures(place: Place, plan: Mapping[str, Any]) -> dict[str, tuple[Score, Score]]:
    """Return without and with every trial."""
    found = {}
    for name, trial in plan["trials"].items():
        without = score(place, plan, _FOLDERS[trial["against"]])
        if "tests" in trial:
            setting = parse_also(trial["tests"])
            found[name] = without, score(place, plan, "tested", f"_{setting.adapt}-train_unlabel")
        elif "align" in trial:
            found[name] = without, score(place, plan, "round_1", share=trial["align"])
        else:
            found[name] = without, score(place, plan, name)
    return found


def table(results: Mapping[str, Any], plan: Mapping[str, Any]) -> str:
    """Return the trials as a Markdown table.

    Args:
        results: per trial and night a list of (without, with), one for each seed.
        plan: says what was tried.
    """
    nights = plan["nights"]
    head = " | ".join(f"{night}: mean network | {night}: vote" for night in nights)
    lines = [f"| trial | {head} | wins |", "|---|" + "---|" * (2 * len(nights) + 1)]
    for name, trial in plan["trials"].items():
        cells, wins = [], True
        for night in nights:
            for field in Score._fields:
                pairs = [(Score(*a), Score(*b)) for a, b in results[name][night]]
                gains = [getattr(b, field) - getattr(a, field) for a, b in pairs]
                without = statistics.mean(getattr(a, field) for a, _ in pairs)
                gain, deviation = statistics.mean(gains), statistics.stdev(gains) if len(gains) > 1 else 0.0
                wins &= gain > deviation
                cells.append(f"{without:.1f} {gain:+.1f} ± {deviation:.1f}")
        lines.append(f"| {trial['what']} | {' | '.join(cells)} | {'yes' if wins else 'no'} |")
    return "\n".join(lines)


def measure(root: Path, plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of all places, by trial and night, and write them as `trials.json`."""
    results: dict[str, Any] = {name: {night: [] for night in plan["nights"]} for name in plan["trials"]}
    for place in places(root, plan):
        for name, pair in figures(place, plan).items():
            results[name][place.night].append(pair)
    write_json(root / "trials.json", results)
    return results
