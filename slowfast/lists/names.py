"""Names of videos: many of them in little memory, when two of them are one video, where it is. Legend: N names."""

import os
import posixpath
import unicodedata
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from slowfast.utils.errors import InputError


class Names(Sequence[str]):
    """Names in a few bytes more than their text; each is made when it is asked for."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._text, self._ends = bytearray(), array("q", [0])
        for name in names:
            self.append(name)

    def append(self, name: str) -> None:
        """Add a name."""
        self._text += name.encode()
        self._ends.append(len(self._text))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self[place] for place in range(len(self))[row]]
        return self.raw(range(len(self))[row]).decode()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(one == two for one, two in zip(self, other))

    def __repr__(self) -> str:
        return repr(list(self))

    def raw(self, row: int) -> bytearray:
        """Return the bytes of a name, from 0 on."""
        return self._text[self._ends[row] : self._ends[row + 1]]


def video_key(name: str) -> str:
    """Return what names of one video share: `./x.mp4` is `x.mp4`, as are slashes and backslashes, NFC and NFD."""
    if "\\" in name or not name.isascii():
        name = unicodedata.normalize("NFC", name.replace("\\", "/"))
    return posixpath.normpath(name) if "/" in name or name.startswith(".") else name


def find_file(path: str | Path) -> str:
    """Return a path as it is, or where nothing is there the way it is spelt on this disk.

    Lists from other systems have names in the other Unicode form (NFC, NFD) or backslashes between folders.
    """
    text = str(path)
    if os.path.lexists(text):
        return text
    found = "/" if text.startswith("/") else ""
    for part in filter(None, text.replace("\\", "/").split("/")):
        forms = (part, unicodedata.normalize("NFC", part), unicodedata.normalize("NFD", part))
        found = next((place for form in forms if os.path.lexists(place := os.path.join(found, form))), "")
        if not found:
            return text
    return found or text


def keys_of(names: Sequence[str], folder: str = "") -> np.ndarray:
    """Return a number per video, int64 (N,): names of one video below one folder have the same."""
    keys = (hash(video_key(posixpath.join(folder, name))) for name in names)
    return np.fromiter(keys, np.int64, len(names))


def repeated(names: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield (row, first row) of videos that stand there again, the rows rising."""
    sorted_N = keys_of(names)
    sorted_N.sort()
    twice = sorted_N[1:][sorted_N[1:] == sorted_N[:-1]]
    del sorted_N
    first: dict[str, int] = {}
    for row in np.flatnonzero(np.isin(keys_of(names), twice)).tolist() if len(twice) else ():
        earlier = first.setdefault(video_key(names[row]), row)
        if earlier != row:
            yield row, earlier


def check_unique(names: Sequence[str], source: str) -> None:
    """Raise InputError when two of the names are the same video."""
    for row, first in repeated(names):
        same = "" if names[first] == names[row] else f" (there as {names[first]!r})"
        raise InputError(
            f"{source}: the video {names[row]!r} stands twice{same}, again in row {row + 1};"
            " remove one of them, because rows are joined by name"
        )
