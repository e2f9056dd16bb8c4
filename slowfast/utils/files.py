"""Files appear whole or not at all, and can be named by their digest."""

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BLOCK = 1 << 20  # bytes
_ASIDE = re.compile(r"^\..+\.\d+\.tmp$")
# Control characters but for line ends and tabs, and marks of writing direction.
_CODES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Bytes of a file name that file systems bear.
_LONGEST_NAME = 255


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is flushed to disk and renamed to `path`.

    On any exception the temporary file is removed and `path` stays as it was. What killed processes left of the same
    file is removed too.

    Raises:
        OSError: with `filename` set, when the disk is full or the folder cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{aside_prefix(path)}{os.getpid()}.tmp")
    _remove_abandoned(path)
    try:
        with open(aside, "ab") as handle:
            with contextlib.suppress(OSError):  # some file systems have no locks
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield aside
            with open(aside, "rb") as written:
                os.fsync(written.fileno())
            os.replace(aside, path)
        _sync_folder(path.parent)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        aside.unlink(missing_ok=True)


def _remove_abandoned(path: Path) -> None:
    """Remove what processes that live no more left of a file that was being written."""
    own = re.compile(re.escape(aside_prefix(path)) + r"\d+\.tmp")
    for aside in (path.parent / name for name in _asides(str(path.parent)) if own.fullmatch(name)):
        if aside.is_file() and not aside.is_symlink():
            with contextlib.suppress(OSError), open(aside, "rb") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its writer lives
                aside.unlink()


@functools.lru_cache(maxsize=256)
def _asides(folder: str) -> tuple[str, ...]:
    """Return the files that were being written in a folder when this process first wrote there."""
    with contextlib.suppress(OSError):
        return tuple(name for name in os.listdir(folder) if _ASIDE.match(name))
    return ()


def aside_prefix(path: Path) -> str:
    """Return how the names begin under which a file is written before it appears; a process number and .tmp follow."""
    return f".{fitting_name(path.name, '', _LONGEST_NAME - 16)}."


def fitting_name(stem: str, ending: str, longest: int = _LONGEST_NAME) -> str:
    """Return `stem` + `ending`, the stem cut and told apart by a digest where file systems do not bear the length."""
    raw, left = os.fsencode(stem), longest - len(os.fsencode(ending))
    if len(raw) <= left:
        return stem + ending
    cut = raw[: left - 9].decode("utf-8", "ignore")
    return f"{cut}-{hashlib.sha256(raw).hexdigest()[:8]}{ending}"


def printable(name: str) -> str:
    """Return a name as it can be written to any file: bytes that are not UTF-8 become \\xNN."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def visible(text: str) -> str:
    """Return a text as it may go to a terminal or log: codes that would move, colour or reorder it are spelled out."""
    return _CODES.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def _sync_folder(folder: Path) -> None:
    """Flush a rename to disk, where the file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_leftovers(folder: str | Path) -> None:
    """Remove what `atomic_write` left in a folder when its process was killed; nobody may write there now."""
    folder = Path(folder)
    for path in folder.iterdir() if folder.is_dir() else ():
        if _ASIDE.match(path.name):
            path.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` (UTF-8, line ends as given) to `path` atomically."""
    with atomic_write(path) as aside:
        aside.write_bytes(text.encode("utf-8"))


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON to `path` atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        while block := handle.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
