"""Video folders of Hugging Face: clips with `metadata.csv` or `.jsonl` in every split, or in folders of classes."""

import json
from collections import Counter
from pathlib import Path, PurePosixPath, PureWindowsPath

from slowfast.apps.formats.clip import SPLITS, Clip, Export, Options, choose, link_clip, read_rows, read_text, voted
from slowfast.lists.endings import find_files
from slowfast.utils.errors import InputError
from slowfast.utils.files import write_text

# Texts that `datasets` reads as "no value".
_NOTHING = frozenset(("", "NA", "N/A", "n/a", "NULL", "null", "None", "NaN", "nan", "<NA>", "#N/A"))
_SCORE, _SUBSET = "score", "train"


def read(source: Path, options: Options) -> Export:
    """Return the clips of a folder.

    Raises:
        InputError: naming file and row.
    """
    if not source.is_dir():
        raise InputError(f"{source}: a video folder is needed (with metadata.csv or metadata.jsonl, or class folders)")
    if any(source.rglob("metadata.parquet")):
        raise InputError(f"{source}: metadata.parquet is not read here; save it as metadata.csv or metadata.jsonl")
    tables = sorted([*source.rglob("metadata.csv"), *source.rglob("metadata.jsonl")])
    export = Export()
    clips = [clip for path in tables for clip in _of_table(path, source, options, export.told)]
    export.clips = voted(clips if tables else _of_folders(source, export.told), export.told)
    return export


def _of_table(path: Path, source: Path, options: Options, told: Counter[str]) -> list[Clip]:
    """Return the rows of one table; names are relative to the table."""
    below = path.parent.relative_to(source)
    rows = read_rows(path) if path.suffix == ".csv" else _json_rows(path)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    names = [key for key in columns if key == "file_name" or key.endswith("_file_name")]
    file_column = "file_name" if "file_name" in names and not options.video_key else ""
    file_column = file_column or choose("--video-key", options.video_key, names, "columns with file names", path)
    others = [key for key in columns if key not in names]
    if not options.label:
        raise InputError(f"{path}: say with --label-from which column holds the label ({', '.join(others) or 'none'})")
    column = choose("--label-from", options.label, others, "columns", path)
    for other in set(others) - {column, _SCORE}:
        told[f"values of the column {other} of {path.name}, not taken over"] += len(rows)
    clips = []
    for number, row in enumerate(rows, 2 if path.suffix == ".csv" else 1):
        name = PureWindowsPath(str(row[file_column])).as_posix()
        if PureWindowsPath(name).is_absolute() or name.startswith("/") or ".." in PurePosixPath(name).parts:
            raise InputError(f"{path}: row {number} names {name!r}, which must be a path below this table's folder")
        subset = below.parts[0] if below.parts else PurePosixPath(name).parts[0]
        told["rows of a table above its splits, which datasets does not look at"] += (
            not below.parts and subset in SPLITS
        )
        labels = _labels(row[column])
        score = float(row[_SCORE]) if labels and row.get(_SCORE) not in (None, "") else None
        subset = subset if subset in SPLITS else ""
        clips.append(Clip((below / name).as_posix(), labels, None, subset, score))
    return clips


def _json_rows(path: Path) -> list[dict]:
    """Return the objects of a JSON Lines file."""
    rows = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        try:
            rows += [json.loads(line)] if line.strip() else []
        except ValueError as error:
            raise InputError(f"{path}: row {number} is no JSON ({error})") from None
    if not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path}: every row must be an object with the key file_name")
    return [{key: row.get(key) for key in {key: 0 for each in rows for key in each}} for row in rows]


def _labels(value: object) -> tuple[str, ...]:
    """Return the labels of a cell as they are written: 007 stays 007."""
    values = value if isinstance(value, list) else [value]
    return tuple(str(one) for one in values if one is not None and str(one) not in _NOTHING)


def _of_folders(source: Path, told: Counter[str]) -> list[Clip]:
    """Return the clips of class folders; the splits are the upper folders when all of them are called so."""
    names = [path.relative_to(source) for path in find_files(source)]
    top = {name.parts[0] for name in names if len(name.parts) > 1}
    splits = bool(top) and top <= SPLITS
    told["class folders called like a split, which datasets takes for one"] += 0 if splits else len(top & SPLITS)
    clips = []
    for name in names:
        folders = name.parts[1:-1] if splits else name.parts[:-1]
        clips.append(Clip(name.as_posix(), folders[-1:], None, name.parts[0] if splits else ""))
    return clips


def write(target: Path, export: Export, options: Options) -> Counter[str]:
    """Write `SPLIT/metadata.jsonl` with links to the clips; return what it could not hold.

    Raises:
        InputError: the folder of the clips is not known.
    """
    if options.videos is None:
        raise InputError(f"{target}: a video folder holds the clips; say where they are with --videos DIR")
    lost: Counter[str] = Counter()
    tables: dict[str, list[str]] = {}
    several = any(len(clip.labels) > 1 for clip in export.clips)
    scored = [clip.score is not None for clip in export.clips if clip.labels]
    lost["scores of labels (other clips have none)"] += 0 if all(scored) else sum(scored)
    for clip in export.clips:
        if clip.segment is not None:
            lost["segments (the folder holds whole clips), left out"] += 1
            continue
        subset = clip.subset or _SUBSET
        name = clip.name.removeprefix(f"{subset}/")
        # `datasets` refuses a folder when a column is all empty, or all whole numbers, in one split only.
        labels = list(clip.labels) or [""]
        row = {"file_name": name, "label": labels if several else labels[0]}
        row |= {_SCORE: float(clip.score or 0)} if scored and all(scored) else {}
        tables.setdefault(subset, []).append(json.dumps(row, ensure_ascii=False) + "\n")
        link_clip(target / subset / name, options.videos / clip.name)
    for subset, rows in tables.items():
        write_text(target / subset / "metadata.jsonl", "".join(rows))
    lost["order of the classes (labels are texts)"] += bool(export.classes)
    return lost
