"""A list as training, tests and tools use it: checked as a whole, held in a few bytes more than its text.

Legend: N rows, K classes.
"""

import os
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slowfast.lists.names import Names, find_file, keys_of, repeated
from slowfast.lists.rows import SEVERAL, find_separator, list_rows, parse_labels, parse_row, short
from slowfast.utils.errors import InputError

# Rows named in one message; the rest is counted.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class ClipRecord:
    """One row of a list.

    Args:
        name: the video as the list writes it; identifies it in every output.
        path: the file.
        label: class number, -1 unknown; of several the first one.
        probs: float32 (K,) of a pseudo-label list, else None; in a list of several labels 1 for each of them and 0 for
            the others, None where they are unknown.
        row: row in the list, counted from 0 over the rows that hold a video.
        gamma: exponent for this clip, None for that of its split.
    """

    name: str
    path: str
    label: int
    probs: np.ndarray | None
    row: int
    gamma: float | None = None


class VideoList(Sequence[ClipRecord]):
    """The rows of a list in the order of the file; a record is made when it is asked for.

    Args:
        source: the list, for messages.
        folder: the names are relative to it.
        several: a clip may have several labels, or none; they are the records' `probs`.

    Attributes:
        labels_N: int32.
        spelt: files by row, of names that are spelt differently on this disk.
    """

    def __init__(self, source: Path, folder: str | Path, *, several: bool = False) -> None:
        self.source, self.folder, self.several = source, os.fspath(folder), several
        self._names = Names()
        self._labels, self._lines = array("i"), array("I")
        self._probs: array | None = None
        self._width = 0
        self.spelt: dict[int, str] = {}

    def append(self, name: str, label: int, probs: Sequence[float] | None, line: int) -> None:
        """Add a row that stands in a line of the file."""
        if probs is not None and self._probs is None:
            self._probs, self._width = array("f", bytes(0)), len(probs)
            self._probs.extend([np.nan] * (len(self) * self._width))
        if self._probs is not None:
            self._probs.extend(probs if probs is not None else [np.nan] * self._width)
        self._names.append(name)
        self._labels.append(label)
        self._lines.append(line)

    def __len__(self) -> int:
        """Return N."""
        return len(self._labels)

    def __getitem__(self, row: int) -> ClipRecord:
        """Return a row."""
        row = range(len(self))[row]
        probs_K = None
        if self._probs is not None:
            probs_K = np.array(self._probs[row * self._width : (row + 1) * self._width], np.float32)
            probs_K = None if np.isnan(probs_K[0]) else probs_K
        return ClipRecord(self.name(row), self.path(row), self._labels[row], probs_K, row)

    def name(self, row: int) -> str:
        """Return the name of a row."""
        return self._names[row]

    def path(self, row: int) -> str:
        """Return the file of a row."""
        return self.spelt.get(row) or os.path.join(self.folder, self._names[row])

    def line(self, row: int) -> int:
        """Return the line of the file that a row stands in, from 1."""
        return self._lines[row]

    def names(self) -> Names:
        """Return all names."""
        return self._names

    def paths(self) -> list[str]:
        """Return all files."""
        return [self.path(row) for row in range(len(self))]

    def rows(self) -> Iterator[bytes]:
        """Yield every row as bytes that are the same however it is written: name, label, probabilities."""
        probs_NK = memoryview(self._probs).cast("B") if self._probs is not None else b""
        width = 4 * self._width
        for row in range(len(self)):
            probs_K = bytes(probs_NK[row * width : (row + 1) * width])
            yield b"%s\0%d\0%s" % (self._names.raw(row), self._labels[row], probs_K)

    @property
    def labels_N(self) -> np.ndarray:
        """Return the labels as int32 (N,)."""
        return np.array(self._labels, np.int32)

    def keys_N(self, folder: str = "") -> np.ndarray:
        """Return a number per video, int64 (N,): names of one video below one folder have the same."""
        return keys_of(self._names, folder)


def read_list(
    list_path: str | Path,
    folder: str | Path,
    *,
    separator: str | Sequence[str],
    num_classes: int,
    labelled: bool,
    allow_outside: bool = False,
    check_files: bool = True,
    several: bool = False,
) -> VideoList:
    """Read and check a list; everything that is wrong with it is reported together.

    Args:
        list_path: text file (UTF-8, a byte order mark and Windows line ends are fine); blank rows are passed over.
        folder: the names are relative to it.
        separator: between name and label, a name may contain it; of several the one that fits most rows.
        num_classes: K.
        labelled: whether every row needs a label 0..K-1; otherwise -1 is allowed too.
        allow_outside: whether names may be absolute or leave the folder.
        check_files: whether every video has to exist.
        several: a row may have several labels as `3|7`, or `none`.

    Raises:
        InputError: naming list, rows and fix.
    """
    list_path, folder = Path(list_path), Path(folder)
    if not isinstance(separator, str):
        separator = find_separator(list_path, separator, num_classes) if len(separator) > 1 else separator[0]
    records, wrong = VideoList(list_path, folder, several=several), _Wrong()
    parse = _parse_several if several else parse_row
    for number, text in list_rows(list_path):
        try:
            name, label, probs = parse(text, separator, num_classes)
            _check_label(label, num_classes, labelled and not (several and probs))
            _check_name(name, allow_outside)
            _check_probs(None if several else probs)
        except ValueError as error:
            wrong.add(f"row {number} ({short(text)}) {error}")
            continue
        records.append(name, label, probs, number)
    for row, first in repeated(records.names()):
        name, earlier = records.name(row), records.name(first)
        video = repr(name) if name == earlier else f"as {short(name)} the video {earlier!r}"
        wrong.add(f"row {records.line(row)} repeats {video} of row {records.line(first)}")
    if wrong.count:
        raise InputError(f"{list_path}: {wrong}; correct these rows")
    if not len(records):
        raise InputError(f"{list_path}: the list is empty; it needs one row 'name{separator}label' per video")
    if check_files:
        _check_files(records, list_path, folder)
    return records


def _parse_several(text: str, separator: str, num_classes: int) -> tuple[str, int, list[float] | None]:
    """Return (name, first label or -1, 0 or 1 for every class or None where unknown) of a row.

    Raises:
        ValueError: with what is wrong.
    """
    name, labels, probs = parse_labels(text, separator, num_classes)
    if probs is not None:
        raise ValueError(f"has {num_classes} numbers behind its label; write its labels as 3{SEVERAL}7 (LOSS_FUNC bce)")
    if labels == (-1,):
        return name, -1, None
    for label in labels:
        _check_label(label, num_classes, labelled=True)
    if len(set(labels)) < len(labels):
        raise ValueError("names a label twice")
    return name, labels[0] if labels else -1, [float(label in labels) for label in range(num_classes)]


class _Wrong:
    """Sentences of which the first few are kept."""

    def __init__(self) -> None:
        self.count, self._kept = 0, []

    def add(self, text: str) -> None:
        """Add one."""
        self.count += 1
        self._kept += [text] if self.count <= _NAMED else []

    def __str__(self) -> str:
        """Return the first ones and the number of the others."""
        more = f" and {self.count - _NAMED} more" if self.count > _NAMED else ""
        return ", ".join(self._kept) + more


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
    if os.path.normpath(name) == os.curdir:
        raise ValueError("names the video folder itself; name a video in it")
    outside = os.path.isabs(name) or os.path.normpath(name).split(os.sep)[0] == os.pardir
    if outside and not allow_outside:
        raise ValueError("names a file outside the video folder; set DATA.ALLOW_OUTSIDE True if that is meant")


def _check_probs(probs: Sequence[float] | None) -> None:
    """Refuse what are no probabilities."""
    if probs is None:
        return
    if not np.isfinite(np.array(probs, np.float32)).all() or min(probs) < 0:
        raise ValueError("has a probability that is negative or no number")
    if not any(probs):
        raise ValueError("has probabilities that are all 0, with which its loss is 0")


def _check_files(records: VideoList, list_path: Path, folder: Path) -> None:
    """Refuse a list whose videos are not there; every folder is listed once."""
    if not folder.is_dir() and not any(os.path.isabs(records.name(row)) for row in range(len(records))):
        raise InputError(
            f"{list_path}: its video folder {folder} does not exist; put the videos there, or set DATA.PATH_PREFIX and"
            " DATA.SPLITS"
        )
    present: dict[str, set[str]] = {}
    missing = _Wrong()
    for row in range(len(records)):
        name = records.name(row)
        parent, base = os.path.split(os.path.join(folder, name))
        if parent not in present:
            try:
                present[parent] = set(os.listdir(parent))
            except OSError:
                present[parent] = set()
        if base in present[parent]:
            continue
        spelt = find_file(os.path.join(folder, name))
        if os.path.lexists(spelt):
            records.spelt[row] = spelt
        else:
            missing.add(f"row {records.line(row)} ({short(name)})")
    if missing.count:
        raise InputError(
            f"{list_path}: {missing.count} of {len(records)} videos are missing below {folder}: {missing};"
            " add the files or take the rows out of the list"
        )
