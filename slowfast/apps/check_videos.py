"""Check the videos of a folder or list: every file decoded, in processes of their own, into a table and a summary."""

import csv
import functools
import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from slowfast.config import get_cfg
from slowfast.lists.names import find_file
from slowfast.lists.tables import read_names
from slowfast.transforms.gamma import gamma_table
from slowfast.utils.files import write_json, write_text
from slowfast.utils.isolated import map_isolated
from slowfast.utils.progress import Progress
from slowfast.video.probe import VideoFacts, probe

# Mean grey that networks expect: DATA.MEAN 0.45.
TARGET_LUMA = 0.45 * 255
COLUMNS = ("name", "readable", "frames", "width", "height", "fps", "seconds", "luma", "dark", "problems", "error")


def shown(name: str) -> str:
    """Return a file name that can be written as UTF-8, whatever bytes it has."""
    return os.fsencode(name).decode("utf-8", "replace")


def files_of_list(
    list_path: Path, folder: Path | None = None, separator: str | None = None
) -> tuple[list[str], list[Path]]:
    """Return names and files of a list, whether the files exist or not.

    Args:
        list_path: rows of name, label and perhaps probabilities.
        folder: of the videos; default the folder beside the list, known from DATA.SPLITS, that has most of them.
        separator: between the columns; None: found.

    Raises:
        InputError: when the list cannot be read or a row has no name and label.
    """
    names, _ = read_names(list_path, separator, labelled=True, several=True)
    if folder is None:
        roots = (list_path.parent, list_path.parent.parent)
        known = dict.fromkeys(["", *(split[1] for split in get_cfg().DATA.SPLITS.values())])
        places = [root / name for root in roots for name in known]
        folder = max(places, key=lambda place: sum(os.path.isfile(find_file(place / name)) for name in names[:20]))
    return names, [folder / name for name in names]


def check_files(
    paths: Sequence[Path], *, backend: str = "pyav", workers: int | None = None, timeout: float = 300.0
) -> list[VideoFacts]:
    """Return the facts of every file, in their order; crashes and hangs of a decoder become errors of their file.

    Args:
        paths: files.
        backend: decoder.
        workers: processes; default one a core.
        timeout: seconds for one file.
    """
    facts: list[VideoFacts | None] = [None] * len(paths)
    progress = Progress(len(paths), "checking videos")
    look = functools.partial(probe, backend=backend, timeout=timeout)
    for index, answer in map_isolated(look, list(paths), workers=workers or os.cpu_count() or 1, timeout=timeout):
        if isinstance(answer, Exception):
            answer = VideoFacts(str(paths[index]), error=f"the decoder failed: {answer}")
        facts[index] = answer
        progress.update()
    return facts


def write_report(path: Path, names: Sequence[str], facts: Sequence[VideoFacts]) -> dict[str, object]:
    """Write the table as CSV and the summary beside it as JSON.

    Args:
        path: of the CSV.
        names: of the rows.
        facts: of the rows.

    Returns:
        The summary.
    """
    buffer = io.StringIO()
    table = csv.writer(buffer, lineterminator="\n")
    table.writerow(COLUMNS)
    for name, fact in zip(names, facts):
        numbers = (fact.frames, fact.width, fact.height, f"{fact.fps:.3f}", f"{fact.seconds:.3f}", f"{fact.luma:.1f}")
        table.writerow((shown(name), int(fact.readable), *numbers, int(fact.dark), fact.problems, fact.error))
    write_text(path, buffer.getvalue())
    summary = summarise(facts)
    write_json(path.with_suffix(".json"), summary)
    return summary


def summarise(facts: Sequence[VideoFacts]) -> dict[str, object]:
    """Return counts, ranges and the suggested gamma."""
    good = [fact for fact in facts if fact.readable]
    summary: dict[str, object] = {
        "videos": len(facts),
        "readable": len(good),
        "read_in_part": sum(bool(fact.problems) for fact in good),
        "unreadable": len(facts) - len(good),
        "dark": sum(fact.dark for fact in good),
        "suggested_gamma_of_dark_clips": suggest_gamma(facts),
    }
    for name in ("frames", "width", "height", "fps", "seconds", "luma"):
        values = [getattr(fact, name) for fact in good]
        if values:
            low, middle, high = np.percentile(values, (0, 50, 100)).round(2).tolist()
            summary[name] = {"min": low, "median": middle, "max": high}
    return summary


def suggest_gamma(facts: Sequence[VideoFacts]) -> float:
    """Return the gamma, in steps of 0.05, that brings the mean grey of the dark clips nearest to `TARGET_LUMA`.

    Args:
        facts: of any clips; light and unreadable ones do not count. Without a dark clip the answer is 1.
    """
    dark = [fact.histogram for fact in facts if fact.dark]
    if not dark:
        return 1.0
    shares = np.mean(dark, axis=0)
    gammas = np.round(np.arange(0.1, 1.001, 0.05), 2)
    means = np.array([shares @ gamma_table(gamma) for gamma in gammas])
    return float(gammas[np.abs(means - TARGET_LUMA).argmin()])
