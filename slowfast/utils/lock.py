"""One run per output folder."""

import contextlib
import fcntl
import io
import logging
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from slowfast.utils.errors import InputError, LockedError
from slowfast.utils.files import atomic_write

logger = logging.getLogger(__name__)

# Files that hold a lock. A forked child (a decoding process) would keep it after the death of its parent.
_held: set[io.TextIOWrapper] = set()


def _close_in_child() -> None:
    for handle in _held:
        handle.close()


os.register_at_fork(after_in_child=_close_in_child)


# What a run writes in place: a link there would overwrite or fill what it points to.
_FILES = (".lock", "stdout.log", "metrics.jsonl")
_FOLDERS = ("checkpoints", "tensorboard")


def refuse_links(folder: Path) -> None:
    """Refuse a run folder, perhaps made elsewhere, whose files or folders lead out of it.

    Raises:
        InputError: naming them.
    """
    wrong = [name for name in (*_FILES, *_FOLDERS) if os.path.lexists(folder / name)]
    wrong = [name for name in wrong if (folder / name).is_symlink() or not _is_own(folder / name)]
    if wrong:
        names = ", ".join(str(folder / name) for name in wrong)
        raise InputError(f"{names}: a link or special file that a run would write through; remove it first")


def _is_own(path: Path) -> bool:
    """Return whether a path is a plain file or folder, as its name demands; a lock has one name only."""
    shared = path.name == ".lock" and path.stat().st_nlink > 1
    return path.is_dir() if path.name in _FOLDERS else path.is_file() and not shared


def _unshare(folder: Path) -> None:
    """Make own files of those that a copy made of hard links (`cp -al`) shares with another folder."""
    for path in (folder / name for name in _FILES):
        if path.is_file() and path.stat().st_nlink > 1:
            with atomic_write(path) as aside:
                shutil.copyfile(path, aside)


@contextlib.contextmanager
def folder_lock(folder: str | Path) -> Iterator[None]:
    """Hold `<folder>/.lock` (host, process) while the body runs; the kernel frees it when the process dies.

    Raises:
        LockedError: another run holds the folder.
        InputError: the folder cannot be made, or holds links where the run writes.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError:
        raise InputError(f"{folder}: this folder cannot be made; choose another OUTPUT_DIR") from None
    refuse_links(folder)
    with open(folder / ".lock", "a+", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            owner = handle.read(200).strip() or "unknown"
            raise LockedError(
                f"{folder} is in use by another run ({owner}): wait for it or choose another OUTPUT_DIR"
            ) from None
        except OSError as error:
            logger.warning("%s cannot be locked (%s): never start two runs in it", folder, error.strerror)
        _unshare(folder)
        handle.seek(0)
        handle.truncate()
        handle.write(f"host {socket.gethostname()}, process {os.getpid()}\n")
        handle.flush()
        _held.add(handle)
        try:
            yield
        finally:
            _held.discard(handle)
