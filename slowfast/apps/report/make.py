"""One page from folders: figures, and clips that play in it."""

import base64
import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

import numpy as np

from slowfast.apps.films import write_film
from slowfast.apps.report.figures import Rung, agreement_of, class_names_of, films_of, ladder_of, rounds_of, rungs_of
from slowfast.apps.report.folder import Found, curves, search
from slowfast.ensemble.provenance import record_report
from slowfast.lists.names import video_key
from slowfast.lists.tables import read_names
from slowfast.report import ReportData, write_report
from slowfast.report.data import VOTE
from slowfast.utils.isolated import map_isolated
from slowfast.utils.progress import Progress

# More clips than this lie beside the page, not in it.
EMBEDDED = 120
_TIMEOUT = 60.0


@dataclass(frozen=True)
class Options:
    """What a report is to show."""

    truth: Sequence[Path] = ()  # lists `name,label` of dark clips
    videos: Path | None = None  # where the clips lie; None: as the configurations say
    clips: int | None = 60  # how many play in the page; None: all
    gamma: float | None = None  # of the right half; None: that of the tests
    title: str = ""  # headline; empty: the folders


def make_report(folders: Sequence[Path], output: Path, options: Options) -> ReportData:
    """Write the page of some folders and return what is on it; many clips go to a folder beside it.

    Raises InputError where nothing can be reported, or classes do not fit.
    """
    found = search(folders)
    classes = class_names_of(found)
    truth = _read_truth(options.truth)
    rungs = rungs_of(found, truth)
    ladder, steps = ladder_of(rungs)
    voters, films, rung_of = films_of(rungs, found.tables)
    _check_truth(truth, films, found)
    pool = len(films)
    known = {video_key(film["n"]): film["t"] for film in films if film["t"] >= 0} | truth
    rounds = rounds_of(found.tables, len(classes), known, pool)
    chosen = choose_films(films, options.clips)
    playing = add_films(films, chosen, rung_of, output, options)
    data = ReportData(
        title=options.title or f"Report: {', '.join(folder.name for folder in folders)}",
        class_names=classes, ladder=ladder, steps=steps, rounds=rounds, seconds=found.seconds,
        heats=agreement_of(rungs), curves=curves(found), voters=voters, films=films,
        films_text=f"{playing} of {len(films)} clips play here, left as recorded, right after gamma. Confidence is the "
        "mean probability of the voters; the least certain clips are those whose two likeliest classes are closest.",
        notes=found.notes, lead="What is known of these runs, from the files in their folders.",
        settings=_settings(folders, found, rungs, options),
    )  # fmt: skip
    data.numbers = _numbers(data)
    write_report(output, data)
    files = [test.source for run in found.runs for test in run.tests.values()]
    files += [*(table.rows.source for table in found.tables), *options.truth]
    shown = {name: getattr(options, name) for name in ("clips", "gamma", "title")}
    record_report(output, map(Path, files), shown)
    return data


def _read_truth(paths: Sequence[Path]) -> dict[str, int]:
    """Return the labels of all lists by name."""
    truth: dict[str, int] = {}
    for path in paths:
        names, labels_N = read_names(path, labelled=True)
        truth |= {video_key(name): label for name, label in zip(names, labels_N.tolist()) if label >= 0}
    return truth


def _check_truth(truth: Mapping[str, int], films: Sequence[dict], found: Found) -> None:
    """Note labels of clips that are nowhere."""
    named = {video_key(film["n"]) for film in films}
    named |= {video_key(name) for table in found.tables for name in table.rows.names}
    absent = [key for key in truth if key not in named]
    if absent:
        found.notes.append(f"{len(absent)} of {len(truth)} labels are of clips that no run knows, such as {absent[0]}")


def choose_films(films: Sequence[dict], count: int | None) -> list[int]:
    """Return which clips play: half of them the least certain, the others spread over classes and certainty."""
    order = sorted(range(len(films)), key=lambda index: films[index]["m"])
    if count is None or count >= len(films):
        return order
    first, rest = order[: count // 2], order[count // 2 :]
    rest.sort(key=lambda index: (films[index]["l"], films[index]["m"]))
    places = np.linspace(0, len(rest) - 1, count - len(first)).round().astype(int) if count else []
    return first + [rest[place] for place in dict.fromkeys(np.asarray(places).tolist())]


def add_films(
    films: list[dict], chosen: Sequence[int], rung_of: Mapping[int, Rung], output: Path, options: Options
) -> int:
    """Make the small clips and put their addresses, or why there is none, into `films`; return how many play."""
    beside = output.with_name(f"{output.stem}_clips")
    embedded = len(chosen) <= EMBEDDED
    folder = Path(tempfile.mkdtemp()) if embedded else beside
    folder.mkdir(parents=True, exist_ok=True)
    jobs, owners = [], []
    for index in chosen:
        root = options.videos or rung_of[index].folder
        if root is None:
            films[index]["e"] = "nobody says where this clip lies: give --videos"
            continue
        gamma = options.gamma or rung_of[index].gamma
        source = os.path.join(root, films[index]["n"])
        jobs.append((source, folder / f"{_digest(source, gamma)}.mp4", gamma))
        owners.append(index)
    progress, playing = Progress(len(jobs), "clips"), 0
    for place, answer in map_isolated(_make, jobs, workers=os.cpu_count() or 1, timeout=_TIMEOUT):
        progress.update()
        film, target = films[owners[place]], jobs[place][1]
        if isinstance(answer, Exception):
            film["e"] = f"cannot be read: {str(answer).replace(f'{jobs[place][0]}: ', '')}"
            continue
        playing += 1
        address = partial("data:video/mp4;base64,{}".format) if embedded else None
        film["f"] = (
            address(base64.b64encode(target.read_bytes()).decode())
            if address
            else f"{quote(beside.name)}/{target.name}"
        )
    if embedded:
        shutil.rmtree(folder, ignore_errors=True)
    return playing


def _digest(source: str, gamma: float) -> str:
    """Return a file name for a clip as it is now, so that a second report finds what the first one made."""
    try:
        status = os.stat(source)
        stamp = f"{status.st_size} {status.st_mtime_ns}"
    except (OSError, ValueError):
        stamp = "missing"
    return hashlib.sha256(os.fsencode(f"{source} {stamp} {gamma:g}")).hexdigest()[:20]


def _make(job: tuple[str, Path, float]) -> None:
    """Make one clip where there is none yet."""
    source, target, gamma = job
    if not target.is_file():
        write_film(source, target, gamma)


def _numbers(data: ReportData) -> list[tuple[str, str]]:
    """Return the headline figures."""
    figures = []
    votes = [row for row in data.ladder if row.model == VOTE]
    if votes:
        figures.append((f"{votes[-1].top1:.1f} %", f"top-1 of the vote: {votes[-1].step}"))
    pairs = [heat for heat in data.heats if not heat.title.startswith("rounds")]
    if pairs:
        values = [v for c, column in enumerate(pairs[-1].columns.values()) for r, v in enumerate(column) if r != c]
        figures.append((f"{np.mean(values):.0f} %", f"of the labels two voters share: {pairs[-1].title}"))
    if data.rounds:
        last = data.rounds[-1]
        figures.append((f"{last.coverage:.0f} %", f"of the pool kept: {last.title}"))
        for value, text in ((last.precision, "precision"), (last.estimated, "estimated precision")):
            figures += [(f"{value:.1f} %", f"{text} of the labels: {last.title}")] if value is not None else []
    if data.films:
        figures.append((str(len(data.films)), "clips"))
    return figures[:5]


def _settings(folders: Sequence[Path], found: Found, rungs: Sequence[Rung], options: Options) -> dict[str, str]:
    """Return what was reported."""
    networks = {str((run.config.get("MODEL") or {}).get("ARCH", "unknown")) for run in found.runs}
    return {
        "folders": ", ".join(map(str, folders)),
        "runs": ", ".join(f"{run.step}/{run.voter}" for run in found.runs),
        "tables": ", ".join(table.rows.source for table in found.tables),
        "labels": ", ".join(map(str, options.truth)) or "as the prediction files hold them",
        "networks": ", ".join(sorted(networks)),
        "gamma": ", ".join(sorted({f"{options.gamma or rung.gamma:g}" for rung in rungs})),
    }
