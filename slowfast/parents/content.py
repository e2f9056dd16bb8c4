"""Digests of lists, clips and files: equal content has equal digests, wherever it lies and whenever it was copied."""

import base64
import hashlib
import json
import os
import stat
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from slowfast.utils.files import sha256_of, write_json

_BLOCK = 1 << 18  # bytes
MISSING = "missing"


@dataclass(frozen=True)
class Input:
    """One thing that a result was made from.

    Attributes:
        digest: SHA-256 of the content, 64 hexadecimal digits; `missing` for what was not there.
        rows: rows or clips, 0 where it has none.
        marks: a 32-bit mark for every row (base64), by which a difference is found; may be empty.
        round: rounds of pseudo-labels that went into it; -1: unknown.
    """

    digest: str
    rows: int = 0
    marks: str = ""
    round: int = 0

    def as_plain(self) -> dict[str, Any]:
        """Return the input as plain types; what is empty is left out."""
        return {key: value for key, value in vars(self).items() if value or key == "digest"}

    @classmethod
    def from_plain(cls, plain: Any) -> "Input":
        """Return the input that plain types stand for; what is unknown is left out."""
        known = plain if isinstance(plain, dict) else {}
        kinds = {"digest": str, "rows": int, "marks": str, "round": int}
        fields = {name: known[name] for name, kind in kinds.items() if type(known.get(name)) is kind}
        return cls(**{"digest": "unknown", **fields})

    def first_difference(self, other: "Input") -> int | None:
        """Return the first row, counted from 1, in which two inputs with marks differ."""
        mine, theirs = _marks_of(self.marks), _marks_of(other.marks)
        if mine is None or theirs is None:
            return None
        common = min(len(mine), len(theirs))
        wrong = np.flatnonzero(mine[:common] != theirs[:common])
        if len(wrong):
            return int(wrong[0]) + 1
        return common + 1 if len(mine) != len(theirs) else None


def _marks_of(text: str) -> np.ndarray | None:
    """Return the marks of the rows as uint32, or None where none were kept."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return np.frombuffer(data, "<u4") if data and len(data) % 4 == 0 else None


def input_of_rows(rows: Iterable[bytes], *, round: int = 0) -> Input:
    """Return the digest of a list from its rows as read (name, label, probabilities), not from its bytes on disk."""
    digest, marks = hashlib.sha256(), []
    for row in rows:
        digest.update(len(row).to_bytes(8, "little") + row)
        marks.append(zlib.crc32(row))
    packed = base64.b64encode(np.array(marks, "<u4").tobytes()).decode()
    return Input(digest.hexdigest(), len(marks), packed, round)


def input_of_clips(digests: Sequence[str]) -> Input:
    """Return the digest of the clips of a list, in its order, from those of the single clips."""
    return input_of_rows(digest.encode() for digest in digests)


def input_of_file(path: str | Path, *, round: int = 0) -> Input:
    """Return the digest of a whole file; `missing` when there is none."""
    path = Path(path)
    return Input(sha256_of(path) if path.is_file() else MISSING, round=round)


def clip_digest(path: str, size: int) -> str:
    """Return the digest of a clip from its size and its first, middle and last 256 KB (smaller ones as a whole).

    That of a folder of images is made of those of its files.
    """
    if os.path.isdir(path):
        files = sorted((entry for entry in os.scandir(path) if entry.is_file()), key=lambda entry: entry.name)
        rows = [os.fsencode(file.name) + clip_digest(file.path, file.stat().st_size).encode() for file in files]
        return input_of_rows(rows).digest
    digest = hashlib.sha256(str(size).encode())
    with open(path, "rb") as handle:
        starts = (0,) if size <= _BLOCK else (0, max(size // 2 - _BLOCK // 2, 0), max(size - _BLOCK, 0))
        for start in starts:
            handle.seek(start)
            digest.update(handle.read(_BLOCK))
    return digest.hexdigest()


class ClipDigests:
    """Digests of clips, each read once: a clip whose size, times and place on the disk are as before is not read again.

    Args:
        folder: where what is known is kept; None: the user's cache.
        digest: of (path, size); another one than that of clips needs a folder of its own, `kind` in the cache.
        kind: name of that folder.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        digest: Callable[[str, int], str] = clip_digest,
        kind: str = "clips",
    ) -> None:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        self.folder = Path(folder) if folder is not None else Path(base) / "nightcrawler" / kind
        self.digest = digest

    def of(self, paths: Sequence[str]) -> list[str]:
        """Return the digests of clips; `missing` for files that cannot be read."""
        by_parent: dict[str, dict[str, str]] = {}
        for path in paths:
            parent, name = os.path.split(path)
            by_parent.setdefault(parent, {})[name] = path
        found: dict[str, str] = {}
        for parent, names in by_parent.items():
            found.update(self._of_folder(os.path.abspath(parent), names))
        return [found[path] for path in paths]

    def _of_folder(self, parent: str, names: Mapping[str, str]) -> dict[str, str]:
        """Return {path: digest} of files in one folder, by name."""
        store = self.folder / f"{hashlib.sha256(os.fsencode(parent)).hexdigest()[:32]}.json"
        known = _read_store(store)
        fresh, found = dict(known), {}
        for name, path in names.items():
            try:
                status = os.stat(path)
                stamp = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino} "
                entry = known.get(name, "")
                if stat.S_ISDIR(status.st_mode):  # its own times do not tell of what lies in it
                    entry = stamp + self.digest(path, status.st_size)
                elif not entry.startswith(stamp):
                    entry = fresh[name] = stamp + self.digest(path, status.st_size)
                found[path] = entry[len(stamp) :]
            except (OSError, ValueError):
                found[path] = MISSING
        if fresh != known:
            _write_store(store, fresh)
        return found


def whole_file_digests() -> ClipDigests:
    """Return what knows digests of whole files, each read once."""
    return ClipDigests(digest=lambda path, size: input_of_file(path).digest, kind="files")


def input_of_folder(folder: str | Path) -> Input:
    """Return the digest of a folder of weights: of its configuration and its safetensors, by name."""
    files = [
        path for path in sorted(Path(folder).iterdir()) if path.name == "config.json" or ".safetensors" in path.name
    ]
    digests = whole_file_digests().of([str(path) for path in files])
    return Input(input_of_rows(f"{path.name} {digest}".encode() for path, digest in zip(files, digests)).digest)


def _read_store(path: Path) -> dict[str, str]:
    """Return what is known of a folder; a damaged store knows nothing."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    sound = content.items() if isinstance(content, dict) else ()
    return {name: entry for name, entry in sound if isinstance(entry, str)}


def _write_store(path: Path, known: dict[str, str]) -> None:
    """Keep what is known; a cache that cannot be written is done without."""
    try:
        write_json(path, known)
    except (OSError, UnicodeEncodeError):
        return
