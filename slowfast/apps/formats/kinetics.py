"""Lists of Kinetics: CSV or JSON with names, seconds and splits; files of clips may carry the seconds in their name."""

import csv
import io
from collections import Counter
from pathlib import Path, PurePosixPath

from slowfast.apps.formats.clip import Clip, Export, Options, Segment, read_json, read_rows, voted
from slowfast.apps.formats.match import split_times
from slowfast.utils.errors import InputError
from slowfast.utils.files import write_text

_COLUMNS = ("label", "youtube_id", "time_start", "time_end", "split")


def read(source: Path, options: Options) -> Export:
    """Return the clips of a CSV or JSON file, or of all CSV files of a folder.

    Raises:
        InputError: naming file and row.
    """
    files = sorted(source.glob("*.csv")) or sorted(source.glob("*.json")) if source.is_dir() else [source]
    clips = [clip for path in files for clip in (_of_json(path) if path.suffix == ".json" else _of_csv(path))]
    export = Export()
    export.clips = voted(clips, export.told)
    return export


def _of_csv(path: Path) -> list[Clip]:
    """Return the rows of a CSV file; the lists for testing have no label."""
    rows = read_rows(path)
    if rows and "youtube_id" not in rows[0]:
        raise InputError(f"{path}: no column youtube_id; a list of Kinetics has {', '.join(_COLUMNS)}")
    clips = []
    for number, row in enumerate(rows, 2):
        label = (row.get("label") or "").strip()
        segment = _segment((row.get("time_start"), row.get("time_end")), f"{path}: row {number}")
        clips.append(Clip(row["youtube_id"], (label,) if label else (), segment, row.get("split") or ""))
    return clips


def _of_json(path: Path) -> list[Clip]:
    """Return the entries of a JSON file: name -> annotations (label, segment), subset."""
    entries = read_json(path)
    if not isinstance(entries, dict) or not all(
        isinstance(entry, dict) and ("annotations" in entry or "subset" in entry) for entry in entries.values()
    ):
        raise InputError(f"{path}: this is no JSON of Kinetics (a name for every clip, with annotations and subset)")
    clips = []
    for name, entry in entries.items():
        inside = entry.get("annotations") or {}
        label = inside.get("label")
        segment = _segment(inside.get("segment") or (None, None), f"{path}: {name}")
        clips.append(Clip(name, (label,) if label else (), segment, entry.get("subset") or ""))
    return clips


def _segment(times: tuple, where: str) -> Segment | None:
    """Return the seconds from start to end, None where there are none."""
    if all(time in (None, "") for time in times):
        return None
    try:
        start, end = map(float, times)
    except (TypeError, ValueError):
        raise InputError(f"{where}: the times {times} are no two numbers of seconds") from None
    return Segment(start, end, "seconds")


def write(target: Path, export: Export, options: Options) -> Counter[str]:
    """Write one CSV; return what it could not hold.

    Raises:
        InputError: two clips have one name without their ending.
    """
    lost: Counter[str] = Counter()
    rows, seen = [], {}
    for clip in export.clips:
        path = PurePosixPath(clip.name)
        name, segment = split_times(str(path.with_suffix("")))
        segment = clip.segment or segment
        if seen.setdefault((name, segment), clip.name) != clip.name:
            raise InputError(
                f"{target}: {clip.name} and {seen[name, segment]} differ in their endings only; rename one"
            )
        if segment and segment.unit == "frames":
            lost["segments in frames (Kinetics has seconds), left out"] += 1
            continue
        lost["clips with several labels (the first one is written)"] += len(clip.labels) > 1
        lost["scores of labels"] += clip.score is not None
        lost["clips without times (their cells are empty)"] += segment is None
        times = (f"{segment.start:g}", f"{segment.end:g}") if segment else ("", "")
        rows.append((clip.labels[0] if clip.labels else "", name, *times, clip.subset))
    lost["endings of file names"] += len(rows)
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([_COLUMNS, *rows])
    write_text(target, buffer.getvalue())
    return lost
