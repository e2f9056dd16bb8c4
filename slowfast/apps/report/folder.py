"""What lies in the folders of runs and schedules: predictions, pseudo-label tables, measurements, durations."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from slowfast.ensemble.predictions import Predictions, load_predictions
from slowfast.lists.tables import LabelTable, read_table
from slowfast.report import Curve
from slowfast.utils.errors import InputError
from slowfast.utils.paths import repo_path

# The experiments around the rounds of pseudo-labels; others stand between them in natural order.
_PLACES = {"exp_adapt_bn": 0, "exp_no_pseudo": 2, "exp_experts": 3}
_PASSED_OVER = {"checkpoints", "tensorboard", "cache"}
_TEST = re.compile(r"(?P<split>.+?)x\d+x\d+x(?P<views>\d+)x(?P<crops>\d+)(?P<rest>.*)\.pkl")
_PLACE = re.compile(r"epoch (\d+)/\d+ iter (\d+)/(\d+) (.*)")
_LOGGED = {
    "clips/s": re.compile(r"([\d.]+) clips/s|clips/s ([\d.]+)"),
    "waiting for data": re.compile(r"\bwait ([\d.]+)"),
    "memory": re.compile(r"\bmem(?:ory)? ([\d.]+)"),
}
_POINTS = 240


def natural(text: str) -> list[Any]:
    """Return a key that sorts stage2 before stage10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]


@dataclass(frozen=True, order=True)
class Test:
    """What a prediction file's name says: split, views, crops, and what differs from the usual test."""

    split: str
    views: int
    crops: int
    rest: str


@dataclass
class Run:
    """One training or test; its folder lies in that of its step."""

    folder: Path
    tests: dict[Test, Predictions] = field(default_factory=dict)
    voter: str = ""

    @property
    def step(self) -> str:
        """The experiment or round."""
        return self.folder.parent.name

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved configuration, empty where it cannot be read."""
        try:
            found = yaml.safe_load((self.folder / "config.yaml.resolved").read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def data(self) -> dict[str, Any]:
        """The section DATA of the configuration."""
        return self.config.get("DATA") or {}

    def video_folder(self, split: str) -> Path | None:
        """Return where the videos of a split lie, None where the configuration does not say."""
        entry = (self.data.get("SPLITS") or {}).get(split)
        return repo_path(self.data.get("PATH_PREFIX", "")) / entry[1] if isinstance(entry, list) else None


@dataclass
class Table:
    """A pseudo-label table and the record beside it."""

    name: str
    rows: LabelTable
    record: dict[str, Any]


@dataclass
class Found:
    """Everything found; `notes` says what could not be read."""

    runs: list[Run] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def search(folders: Sequence[Path]) -> Found:
    """Read what lies in some folders, at any depth; InputError where one does not exist or nothing is found."""
    found, loose = Found(), []
    for root in folders:
        if not root.is_dir():
            raise InputError(f"{root}: no such folder; give the output folder of a run or a schedule")
        for parent, children, names in os.walk(root):
            children[:] = sorted(name for name in children if name not in _PASSED_OVER and not name.startswith("."))
            _read_run(Path(parent), names, found)
            loose += [Path(parent, name) for name in sorted(names) if _is_table(Path(parent, name))]
            if Path(parent).name == "timings":
                found.seconds |= _read_timings(Path(parent), names)
    found.runs.sort(key=lambda run: (_PLACES.get(run.step, 1), natural(run.step), natural(run.folder.name)))
    _name_voters(found.runs)
    _read_tables(found, loose)
    if not found.runs and not found.tables:
        raise InputError(f"{', '.join(map(str, folders))}: no metrics.jsonl, predictions or pseudo-labels lie in it")
    return found


def _name_voters(runs: Sequence[Run]) -> None:
    """Name runs after their folder, with one more folder where two would have the same name in the same step."""
    keys = [(run.step, run.folder.name) for run in runs]
    for run, key in zip(runs, keys):
        more = keys.count(key) > 1
        run.voter = f"{run.folder.parent.parent.name}/{run.folder.name}" if more else run.folder.name


def _read_run(folder: Path, names: Sequence[str], found: Found) -> None:
    """Add the run of a folder, where there is one."""
    tests = {}
    for name in sorted(names):
        match = _TEST.fullmatch(name)
        if not match:
            continue
        try:
            test = Test(match["split"], int(match["views"]), int(match["crops"]), match["rest"])
            tests[test] = load_predictions(folder / name)
        except InputError as error:
            found.notes.append(str(error))
    if tests or "metrics.jsonl" in names:
        found.runs.append(Run(folder, tests))


def _is_table(path: Path) -> bool:
    """Return whether a file is a table of pseudo-labels that was kept, not a whole ranking or a list."""
    beside = path.suffix == ".csv" and path.with_suffix(".json").is_file()
    return path.suffix == ".csv" and (beside or path.parent.name == "pseudo") and not path.stem.startswith("whole")


def _read_tables(found: Found, loose: Sequence[Path]) -> None:
    """Read the tables that runs trained on, else those that lie in the folders."""
    named = []
    for run in found.runs:
        text = run.data.get("PSEUDO_CSV")
        if text:
            path = repo_path(run.data.get("PATH_PREFIX", "")) / text
            named.append(path if path.is_file() else next((p for p in loose if p.name == path.name), path))
    for path in sorted(dict.fromkeys(named or loose), key=lambda path: natural(path.stem)):
        try:
            rows = read_table(path)
        except InputError as error:
            found.notes.append(str(error))
            continue
        try:
            record = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            record = {}
        found.tables.append(Table(path.stem, rows, record if isinstance(record, dict) else {}))


def _read_timings(folder: Path, names: Sequence[str]) -> dict[str, float]:
    """Return the seconds of the jobs of a schedule."""
    seconds = {}
    for name in sorted(names):
        try:
            seconds[Path(name).stem] = float((folder / name).read_text().splitlines()[1].split("\t")[0])
        except (OSError, ValueError, IndexError):
            continue
    return seconds


def curves(found: Found) -> list[Curve]:
    """Return losses, rates and accuracies over the epochs, one group of plots a step."""
    lines: dict[tuple[str, str], dict[str, list[tuple[float, float]]]] = {}
    for run in found.runs:
        for title, points in {**_measured(run, found.notes), **_logged(run)}.items():
            thinned = points[:: max(1, -(-len(points) // _POINTS))]
            lines.setdefault((run.step, title), {})[run.voter] = thinned
    return [Curve(step, title, group) for (step, title), group in lines.items()]


def _measured(run: Run, notes: list[str]) -> dict[str, list[tuple[float, float]]]:
    """Return the curves of `metrics.jsonl`; lines that are no JSON are counted."""
    try:
        text = (run.folder / "metrics.jsonl").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    records, damaged = [], 0
    for line in text.splitlines():
        try:
            records.append(dict(json.loads(line)))
        except (ValueError, TypeError, RecursionError):
            damaged += 1
    if damaged:
        notes.append(f"{run.folder}/metrics.jsonl: {damaged} lines cannot be read and are left out")
    length = max([record.get("iter") or 1 for record in records], default=1)
    points: dict[str, list[tuple[float, float]]] = {}
    titles = {"loss": "loss", "target_loss": "loss on dark clips", "lr": "learning rate"}
    for record in records:
        epoch, kind = record.get("epoch"), record.get("_type")
        if kind == "val_epoch":
            name, error = ("mAP", "map_err") if "map_err" in record else ("top-1", "top1_err")
            figures = {f"{name} of {record.get('split')}, %": record.get(error)}
            place = epoch
        elif kind == "train_iter":
            figures = {title: record.get(key) for key, title in titles.items()}
            place = epoch - 1 + (record.get("iter") or 0) / length if isinstance(epoch, int) else None
        else:
            continue
        for title, value in figures.items():
            if isinstance(value, int | float) and isinstance(place, int | float):
                points.setdefault(title, []).append((place, 100.0 - value if kind == "val_epoch" else value))
    return points


def _logged(run: Run) -> dict[str, list[tuple[float, float]]]:
    """Return the curves of `stdout.log`, which alone holds what depends on the clock."""
    try:
        text = (run.folder / "stdout.log").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    points: dict[str, list[tuple[float, float]]] = {}
    for epoch, iteration, length, values in _PLACE.findall(text):
        for title, pattern in _LOGGED.items():
            match = pattern.search(values)
            if match:
                place = int(epoch) - 1 + int(iteration) / max(int(length), 1)
                points.setdefault(title, []).append((place, float(match[match.lastindex].rstrip("."))))
    return points
