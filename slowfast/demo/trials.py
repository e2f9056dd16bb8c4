"""Trials of ideas: their runs on rendered clips of every kind of night, on real film, and for every seed.

Truth of the dark clips only measures here; nothing is chosen with it. The words of a run that is done stand in its
folder, so that a stopped call goes on and a changed plan makes again what it changes. `configs/demo/trials.yaml` says
what is tried, `slowfast.demo.trial_figures` what came out.
"""

import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from slowfast.demo.night import NIGHTS
from slowfast.demo.results import VOTERS
from slowfast.engine.checkpoint import load_checkpoint, save_checkpoint
from slowfast.utils.errors import InputError
from slowfast.utils.files import write_text
from slowfast.utils.paths import REPO_ROOT

REAL = "real"
POOL = "total_unlabelx8x56x1x1"
DONE = "trial.done"
FOLDERS = {"adapted": "exp_adapt_bn", "round_1": "round_1"}
Run = tuple[Path, list[str]]


class Place(NamedTuple):
    """The folder of one kind of clips and one seed: a night of `NIGHTS`, or real film whose dark labels nobody has."""

    root: Path
    night: str
    seed: int
    data: Path

    @property
    def is_real(self) -> bool:
        """Whether the clips are real film."""
        return self.night == REAL

    @property
    def kind(self) -> str:
        """The kind of clips as a plan names it: `real` or `rendered`."""
        return REAL if self.is_real else "rendered"

    @property
    def split(self) -> str:
        """The tested split; the pool where no test set has labels."""
        return "total_unlabel" if self.is_real else "test"

    @property
    def labels(self) -> Path:
        """The table of round 1's labels, which does not lie among the clips of a user."""
        return self.root / "data" / "pseudo" / "stage1.csv"


def places(root: Path, plan: Mapping[str, Any], real: Path | None = None) -> list[Place]:
    """Return the folders of a plan.

    Args:
        root: of all of them.
        plan: its `seeds` and `nights`.
        real: data folder of real clips, as `tools/prepare_lists.py` makes it.

    Raises:
        InputError: the data folder has no data.yaml, or a night is not known.
    """
    unknown = set(plan["nights"]) - set(NIGHTS)
    if unknown:
        raise InputError(f"nights: {', '.join(sorted(unknown))} is not one of {', '.join(NIGHTS)}")
    if real is not None and not (real / "data.yaml").is_file():
        raise InputError(f"{real} has no data.yaml; make it with tools/prepare_lists.py")
    found = []
    for seed in plan["seeds"]:
        for night in plan["nights"]:
            folder = root / f"{night}-seed{seed}"
            found.append(Place(folder, night, seed, folder / "data"))
        if real is not None:
            found.append(Place(root / f"{REAL}-seed{seed}", REAL, seed, real))
    return found


def training(place: Place, step: str, voter: str, out: str, options: str) -> list[str]:
    """Return the words of a training (or of a test alone, as the options say)."""
    configs = [f"configs/demo/models/{voter}.yaml"]
    given = {"OUTPUT_DIR": place.root / out / voter, "RNG_SEED": place.seed}
    if place.is_real:
        configs += [str(place.data / "data.yaml"), f"configs/real_small/{step}.yaml"]
        given["DATA.CACHE_DIR"] = place.root.parent / "real-cache"
    else:
        configs += [f"configs/demo/quick/{step}.yaml"]
        given |= {"DATA.PATH_PREFIX": place.data, "DATA.CACHE_DIR": place.root / "cache"}
    if step != "exp_adapt_bn":
        given["TRAIN.CHECKPOINT_FILE_PATH"] = place.root / "exp_adapt_bn" / voter / "best.pyth"
    words = ["tools/run_net.py", *(word for config in configs for word in ("--cfg", config))]
    return [*words, *(str(word) for pair in given.items() for word in pair), *shlex.split(options)]


def adaptation(place: Place, plan: Mapping[str, Any], voter: str, out: str = "exp_adapt_bn", options: str = "") -> list:
    """Return the words that train a voter on the light clips and adapt it.

    The light clips are the same under every kind of night, so after the first one a step too small to change a weight
    is trained from its weights, and only the statistics are new.
    """
    if not place.is_real and place.night != plan["nights"][0]:
        first = place.root.parent / f"{plan['nights'][0]}-seed{place.seed}" / out / voter / "best.pyth"
        options += (
            f" TRAIN.CHECKPOINT_FILE_PATH '{first}' TRAIN.FIT_HEAD False TRAIN.STEPS_PER_EPOCH 1 SOLVER.MAX_EPOCH 1"
            " SOLVER.BASE_LR 1e-9 SOLVER.COSINE_END_LR 1e-10 SOLVER.WARMUP_EPOCHS 0.0"
        )
    return training(place, "exp_adapt_bn", voter, out, options)


def selection(place: Place, plan: Mapping[str, Any]) -> list[str]:
    """Return the words that choose the labels of round 1."""
    files = [str(place.root / "exp_adapt_bn" / voter / f"{POOL}.pkl") for voter in VOTERS]
    return [
        "gen_pseudo_tools/select_pseudo_labels.py", "--predictions", *files,
        "--list", str(place.data / "total_unlabel.csv"),
        "--coverage", str(plan["coverage"][place.kind]), "--output", str(place.labels),
    ]  # fmt: skip


def tests_of(place: Place, trial: Mapping[str, Any]) -> list[str]:
    """Return the entries of TEST.ALSO that a trial of the adapted networks needs; the first one counts."""
    if "gammas" in trial:
        splits = dict.fromkeys((place.split, "total_unlabel"))
        return [f"{split}:1x1:{gamma}:train_unlabel" for gamma in trial["gammas"] for split in splits]
    return [f"{place.split}:{trial['tests']}"] if "tests" in trial else []


def made_at(place: Place, trial: Mapping[str, Any]) -> bool:
    """Return whether a trial is made at a place; `only` names the one kind of clips on which some are."""
    return trial.get("only", place.kind) == place.kind


def trial_runs(place: Place, plan: Mapping[str, Any]) -> Iterator[Run]:
    """Yield folder and words of all runs of one place that need the adapted networks and their labels."""
    trials = {name: trial for name, trial in plan["trials"].items() if made_at(place, trial)}
    plain = f"TEST.DATA_SELECT {place.split} TEST.ALSO []"
    tests = [test for trial in trials.values() for test in tests_of(place, trial)]
    steps = {"round_1": {"step": "exp_pseudo_stage1"}} | {key: it for key, it in trials.items() if "step" in it}
    for voter in plan["voters"]:
        also = f'TRAIN.ENABLE False TEST.DATA_SELECT {place.split} TEST.ALSO "{tests}"'
        yield place.root / "tested" / voter, training(place, "exp_pseudo_stage1", voter, "tested", also)
        for name, trial in steps.items():
            options = f"{plain} {trial.get('opts', '')}"
            if trial["step"] == "exp_adapt_bn":
                yield place.root / name / voter, adaptation(place, plan, voter, name, options)
                continue
            table = f"DATA.PSEUDO_CSV '{place.labels}'" if trial.get("labels", True) else "DATA.PSEUDO_CSV ''"
            yield place.root / name / voter, training(place, trial["step"], voter, name, f"{table} {options}")


def averages(place: Place, plan: Mapping[str, Any]) -> Iterator[Run]:
    """Average weights of finished runs, and yield folder and words of their tests with statistics of the pool."""
    for name, trial in plan["trials"].items():
        if "average" in trial and made_at(place, trial):
            for voter in plan["voters"]:
                path = place.root / name / voter / "average.pyth"
                path.parent.mkdir(parents=True, exist_ok=True)
                average_weights([place.root / FOLDERS[of] / voter / "best.pyth" for of in trial["average"]], path)
                options = (
                    f"TRAIN.ENABLE False TEST.CHECKPOINT_FILE_PATH '{path}' TEST.DATA_SELECT {place.split}"
                    f" TEST.ALSO \"['{place.split}:1x1::train_unlabel']\""
                )
                yield path.parent, training(place, "exp_pseudo_stage1", voter, name, options)


def average_weights(paths: Sequence[Path], output: Path) -> None:
    """Write the mean of the weights of checkpoints; what is no floating-point number is that of the last one."""
    states = [load_checkpoint(path)["model_state"] for path in paths]
    mean = {
        name: sum(state[name] for state in states) / len(states) if tensor.is_floating_point() else tensor
        for name, tensor in states[-1].items()
    }
    save_checkpoint(output, {"model_state": mean})


def run_place(place: Place, plan: Mapping[str, Any], environment: Mapping[str, str], jobs: int) -> None:
    """Make everything of one place that is not there yet, `jobs` runs at a time.

    Raises:
        InputError: a run failed; its log is named.
    """

    def run(folder: Path, words: list[str]) -> None:
        mark, text = folder / DONE, shlex.join(words)
        if mark.is_file() and mark.read_text(encoding="utf-8") == text:
            return
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "trial.log", "w", encoding="utf-8") as log:
            command = [sys.executable, *words]
            done = subprocess.run(command, cwd=REPO_ROOT, env=environment, stdout=log, stderr=log, check=False)
        if done.returncode:
            raise InputError(f"{folder / 'trial.log'}: this run of the trials failed; mend its cause and call again")
        write_text(mark, text)

    def run_all(runs: list[Run]) -> None:
        with ThreadPoolExecutor(jobs) as pool:
            for _ in pool.map(lambda pair: run(*pair), runs):
                pass

    if not place.is_real:
        render = ["--output", str(place.data), "--seed", str(place.seed), "--night", place.night]
        run(place.root / "rendered", ["tools/render_demo_data.py", *render])
    run_all([
        (place.root / "exp_adapt_bn" / voter, adaptation(place, plan, voter))
        for voter in VOTERS
    ])  # fmt: skip
    run(place.root / "stage1", selection(place, plan))
    run_all(list(trial_runs(place, plan)))
    run_all(list(averages(place, plan)))
