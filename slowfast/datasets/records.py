"""Lists of videos: one row a video, `name<separator>label`, pseudo-label lists with K probabilities after the label."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slowfast.utils.errors import InputError

# Rows named in one message; the rest is counted.
_NAMED = 5


@dataclass(frozen=True)
class ClipRecord:
    """One row of a list.

    Args:
        name: the video as the list writes it; identifies it in every output.
        path: the file.
        label: class number, -1 unknown.
        probs: float32 (K,) of a pseudo-label list, else None.
        row: row in the list, counted from 0 over the rows that hold a video.
    """

    name: str
    path: str
    label: int
    probs: np.ndarray | None
    row: int


def read_list(
    list_path: str | Path,
    folder: str | Path,
    *,
    separator: str,
    num_classes: int,
    labelled: bool,
    allow_outside: bool = False,
    check_files: bool = True,
) -> list[ClipRecord]:
    """Read and check a list; everything that is wrong with it is reported together.

    Args:
        list_path: text file (UTF-8, a byte order mark and Windows line ends are fine); blank rows are passed over.
        folder: the names are relative to it.
        separator: between name and label; a name may contain it.
        num_classes: K.
        labelled: whether every row needs a label 0..K-1; otherwise -1 is allowed too.
        allow_outside: whether names may be absolute or leave the folder.
        check_files: whether every video has to exist.

    Returns:
        Records in the order of the list.

    Raises:
        InputError: naming list, rows and fix.
    """
    list_path, folder = Path(list_path), Path(folder)
    records: list[ClipRecord] = []
    wrong: list[str] = []
    seen: dict[str, int] = {}
    for number, text in list_rows(list_path):
        try:
            name, label, probs = parse_row(text, separator, num_classes)
            _check_label(label, num_classes, labelled)
            _check_name(name, allow_outside)
        except ValueError as error:
            wrong.append(f"row {number} ({_short(text)}) {error}")
            continue
        if name in seen:
            wrong.append(f"row {number} repeats {name!r} of row {seen[name]}")
        seen.setdefault(name, number)
        records.append(ClipRecord(name, os.path.join(folder, name), label, probs, len(records)))
    if wrong:
        raise InputError(f"{list_path}: {_enumerate(wrong)}; correct these rows")
    if not records:
        raise InputError(f"{list_path}: the list is empty; it needs one row 'name{separator}label' per video")
    if check_files:
        _check_files(records, list(seen.values()), list_path, folder)
    return records


def list_rows(list_path: Path) -> Iterator[tuple[int, str]]:
    """Yield (row number from 1, text) of the rows that are not blank."""
    try:
        text = list_path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(
            f"{list_path}: the list does not exist; make it with tools/prepare_lists.py, or set DATA.PATH_PREFIX and"
            " DATA.SPLITS"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(f"{list_path}: byte {error.start} is not UTF-8; save the list as UTF-8 text") from None
    except OSError as error:
        raise InputError(f"{list_path}: the list cannot be read ({error.strerror})") from None
    for number, row in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        if row.strip():
            yield number, row


def parse_row(text: str, separator: str, num_classes: int) -> tuple[str, int, np.ndarray | None]:
    """Return (name, label, probabilities or None) of a row.

    Raises:
        ValueError: with what is wrong.
    """
    fields = text.rstrip().rsplit(separator, num_classes + 1)
    if len(fields) == num_classes + 2 and _is_integer(fields[1]):
        try:
            probs = np.array([float(field) for field in fields[2:]], dtype=np.float32)
        except ValueError:
            probs = None
        if probs is not None:
            if not np.isfinite(probs).all() or (probs < 0).any():
                raise ValueError("has a probability that is negative or no number")
            return _unquoted(fields[0]), int(fields[1]), probs
    name, found, label = text.rstrip().rpartition(separator)
    if not found or not name.strip():
        others = [other for other in (",", " ", "\t", ";") if other != separator and other in text.strip()]
        hint = f", DATA.PATH_LABEL_SEPARATOR {others[0]!r} would" if others else ""
        raise ValueError(f"does not split into name and label at {separator!r}{hint}")
    if not _is_integer(label):
        raise ValueError(f"has the label {label.strip()!r}, a whole number is needed (header lines are not allowed)")
    return _unquoted(name), int(label), None


def _unquoted(name: str) -> str:
    """Return a name without the quotes that stand around one with a comma in CSV files."""
    name = name.strip()
    quoted = len(name) > 2 and name[0] == name[-1] == '"'
    return name[1:-1].replace('""', '"') if quoted else name


def _is_integer(text: str) -> bool:
    """Return whether the text is a whole number in ASCII digits."""
    text = text.strip()
    return text.isascii() and text.removeprefix("-").isdigit()


def _check_label(label: int, num_classes: int, labelled: bool) -> None:
    """Refuse labels outside the classes."""
    if labelled and label == -1:
        raise ValueError("has no label (-1), and this split is used as a labelled one")
    if not -1 <= label < num_classes:
        raise ValueError(f"has the label {label}, MODEL.NUM_CLASSES {num_classes} allows 0 to {num_classes - 1}")


def _check_name(name: str, allow_outside: bool) -> None:
    """Refuse names that leave the folder, and such that no file can have."""
    if "\0" in name:
        raise ValueError("holds a zero byte")
    outside = os.path.isabs(name) or os.path.normpath(name).split(os.sep)[0] == os.pardir
    if outside and not allow_outside:
        raise ValueError("names a file outside the video folder; set DATA.ALLOW_OUTSIDE True if that is meant")


def _check_files(records: Sequence[ClipRecord], numbers: Sequence[int], list_path: Path, folder: Path) -> None:
    """Refuse a list whose videos are not there; every folder is listed once."""
    if not folder.is_dir() and not any(os.path.isabs(record.name) for record in records):
        raise InputError(
            f"{list_path}: its video folder {folder} does not exist; put the videos there, or set DATA.PATH_PREFIX and"
            " DATA.SPLITS"
        )
    present: dict[str, set[str]] = {}
    missing = []
    for record, number in zip(records, numbers):
        parent, base = os.path.split(record.path)
        if parent not in present:
            try:
                present[parent] = set(os.listdir(parent))
            except OSError:
                present[parent] = set()
        if base not in present[parent]:
            missing.append(f"row {number} ({_short(record.name)})")
    if missing:
        raise InputError(
            f"{list_path}: {len(missing)} of {len(records)} videos are missing below {folder}: {_enumerate(missing)};"
            " add the files or take the rows out of the list"
        )


def _short(text: str) -> str:
    """Return a row cut to a readable length."""
    text = text.strip()
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _enumerate(parts: Sequence[str]) -> str:
    """Return the first few parts and the number of the others."""
    more = f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else ""
    return ", ".join(parts[:_NAMED]) + more
