"""An open pool: the demo's dark clips and those of motions that are none of its classes, and what is kept of both."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from slowfast.demo.dataset import ClipJob, render_all
from slowfast.demo.other_motions import OTHER_MOTIONS
from slowfast.demo.results import VOTERS, read_truth
from slowfast.ensemble import load_predictions
from slowfast.ensemble.predictions import concatenate, save_predictions
from slowfast.lists.tables import read_names
from slowfast.utils.errors import InputError
from slowfast.utils.files import write_text
from slowfast.utils.paths import REPO_ROOT

POOL, LIGHT = "total_unlabelx8x56x1x1.pkl", "val_dryx8x56x1x1_gamma1_bn-train_label.pkl"
STRANGERS = "strangersx8x56x1x1.pkl"


class Kept(NamedTuple):
    """What a selection of half of a pool holds, in percent: clips of no class, right labels, both of all its rows."""

    strangers: float
    right: float


def render_strangers(folder: Path, seed: int, count: int) -> Path:
    """Render dark clips of the motions of the pre-training and return their list, without labels."""
    motions, names = list(OTHER_MOTIONS), [f"stranger{index}.mp4" for index in range(count)]
    jobs = [
        ClipJob(str(folder / "strangers" / name), seed, "strangers", index, motions[index % len(motions)], "camera")
        for index, name in enumerate(names)
    ]
    render_all([job for job in jobs if not Path(job.path).is_file()], workers=1)
    write_text(folder / "strangers.csv", "".join(f"{name},-1\n" for name in names))
    return folder / "strangers.csv"


def call(words: Sequence[object], environment: dict[str, str], what: str) -> None:
    """Run a tool of the project.

    Raises:
        InputError: it failed; its last words are given.
    """
    done = subprocess.run(
        [sys.executable, *map(str, words)], cwd=REPO_ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise InputError(f"{what}: {done.stderr.strip().splitlines()[-1]}")


def predict_strangers(work: Path, folder: Path, voter: str, environment: dict[str, str]) -> None:
    """Let an adapted network predict the strangers as it predicted the pool."""
    given = {
        "OUTPUT_DIR": folder / voter,
        "TRAIN.ENABLE": False,
        "DATA.PATH_PREFIX": work / "data",
        "DATA.SPLITS.strangers": [str(folder / "strangers.csv"), str(folder / "strangers")],
        "TEST.CHECKPOINT_FILE_PATH": work / "exp_adapt_bn" / voter / "best.pyth",
        "TEST.DATA_SELECT": "strangers",
        "TEST.ALSO": [],
    }
    words = ["tools/run_net.py", "--cfg", f"configs/demo/models/{voter}.yaml"]
    words += ["--cfg", "configs/demo/quick/exp_adapt_bn.yaml", *(word for pair in given.items() for word in pair)]
    call(words, environment, f"{voter} does not predict the strangers")


def keep_half(
    work: Path, folder: Path, predictions: Sequence[Path], options: Sequence[str], environment: dict[str, str]
) -> Kept:
    """Select half of a pool with the tool that a round uses, and count what it holds."""
    light = [work / "exp_adapt_bn" / voter / LIGHT for voter in VOTERS]
    table = folder / "kept.csv"
    words = ["gen_pseudo_tools/select_pseudo_labels.py", "--predictions", *predictions, "--light", *light]
    words += ["--coverage", "0.5", "--output", table, *options]
    call(words, environment, str(table))
    truth = read_truth(work / "data" / "total_unlabel_truth.csv")
    names, labels = read_names(table)
    real = np.array([truth.get(name, -1) for name in names])
    return Kept(100 * float((real < 0).mean()), 100 * float((real == labels).mean()))


def measure(work: Path, shares: Sequence[float], environment: dict[str, str]) -> dict[str, Kept]:
    """Return what is kept of the closed pool of a finished quick demo and of the open one, by what is left out.

    Args:
        work: its folder.
        shares: values of `--unknown`.
        environment: of the subprocesses.

    Raises:
        InputError: the folder is no finished demo, or a tool failed.
    """
    manifest = work / "data" / "manifest.json"
    if not manifest.is_file() or not all((work / "exp_adapt_bn" / voter / POOL).is_file() for voter in VOTERS):
        raise InputError(f"{work} has no adapted networks with their predictions; make demo writes such a folder")
    folder = work / "open_pool"
    seed = json.loads(manifest.read_text(encoding="utf-8"))["parameters"]["seed"]
    closed = [work / "exp_adapt_bn" / voter / POOL for voter in VOTERS]
    pools = [load_predictions(path) for path in closed]
    render_strangers(folder, seed, len(pools[0].video_preds) // 5)
    opened = [folder / f"{voter}.pkl" for voter in VOTERS]
    for voter, pool, path in zip(VOTERS, pools, opened):
        predict_strangers(work, folder, voter, environment)
        save_predictions(path, concatenate([pool, load_predictions(folder / voter / STRANGERS)]))
    found = {}
    for share in (0.0, *shares):
        options = ["--unknown", str(share)] if share else []
        found[f"open {share:g}"] = keep_half(work, folder, opened, options, environment)
        found[f"closed {share:g}"] = keep_half(work, folder, closed, options, environment)
    return found


def table(results: Sequence[dict[str, Kept]], shares: Sequence[float]) -> str:
    """Return the mean of several demos as a Markdown table, with the values of each."""
    lines = [
        "| left out (`--unknown`) | clips of no class kept, % | right labels, % | right labels of the closed pool, % |"
    ]
    lines.append("|---|---|---|---|")

    def cell(values: Sequence[float]) -> str:
        return f"{np.mean(values):.1f} ({', '.join(f'{value:.1f}' for value in values)})"

    for share in (0.0, *shares):
        opened, closed = ([found[f"{kind} {share:g}"] for found in results] for kind in ("open", "closed"))
        cells = [[kept.strangers for kept in opened], [kept.right for kept in opened], [kept.right for kept in closed]]
        lines.append(f"| {f'{share:g}' if share else 'nothing'} | {' | '.join(map(cell, cells))} |")
    return "\n".join(lines)
