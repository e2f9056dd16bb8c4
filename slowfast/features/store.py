"""Feature files and their index: whole or not at all, recognisable, the same bytes for the same features.

Legend: N windows, D width, K classes.
"""

import contextlib
import csv
import errno
import fcntl
import io
import json
import os
import re
import struct
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from slowfast.features.videos import VideoFile
from slowfast.utils.errors import InputError
from slowfast.utils.files import aside_prefix, atomic_write, printable, write_text
from slowfast.utils.logging import get_logger

logger = get_logger(__name__)

INDEX = "features.csv"
# Where the videos lie; the features know their content only.
SOURCES = "features.json"
COLUMNS = ("video", "frames", "fps", "windows", "status")
_LOCK = ".features.lock"
# Seconds between two writings of the index.
_INDEX_PERIOD = 5.0
_ROWS = ("feats", "probs", "start_frame", "end_frame")
_SCALARS = ("fps", "stride", "window")
# Further arrays of this tool; other programs that write the ones above may lack them.
_MORE_ROWS = ("start_time", "end_time")
_MORE_SCALARS = ("source_fps", "num_frames", "problems", "settings", "video_digest")
_NAMES = "class_names"
# The least value of numbers; whole ones are int here.
_LEAST = {"fps": 0.0, "source_fps": 0.0, "stride": 1, "window": 1, "num_frames": 0}
_LARGEST = 1e12
# Features hardly shrink when packed; a file that unpacks to this many times its size (and more than a little) is none.
_MAX_UNPACKED, _SMALL = 8, 16 << 20
# What the readers of zip archives and arrays raise on damaged files.
_DAMAGE = (OSError, ValueError, EOFError, TypeError, LookupError, AttributeError, RuntimeError, SyntaxError)
_DAMAGE += (OverflowError, struct.error, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Features:
    """The features of one video; the fields are the arrays of its file.

    Args:
        feats: float32 (N, D), of a layer that is not pooled (N, tokens, D).
        probs: float32 (N, K), softmax over the classes, with several labels a clip the sigmoid of each.
        start_frame: first frame that a window shows, int64 (N,).
        end_frame: last frame that a window shows, int64 (N,).
        start_time: seconds from the first frame of the video to the first one of the window, float64 (N,).
        end_time: seconds from the first frame of the video to the last one of the window, float64 (N,).
        fps: frames per second of the frame numbers; 0.0 where the file does not say.
        source_fps: frames per second of the file; another number when the frames were resampled.
        stride: frames from window to window.
        window: frames that a window spans.
        num_frames: frames of the video, counted at `fps`.
        problems: what could not be decoded, in words.
        settings: JSON of everything the values depend on besides the video; empty: unknown.
        video_digest: of the video's content; empty: unknown.
        class_names: K names of the classes; empty: unknown.
    """

    feats: np.ndarray
    probs: np.ndarray
    start_frame: np.ndarray
    end_frame: np.ndarray
    start_time: np.ndarray
    end_time: np.ndarray
    fps: float
    source_fps: float
    stride: int
    window: int
    num_frames: int
    problems: str
    settings: str
    video_digest: str = ""
    class_names: tuple[str, ...] = ()

    @property
    def duration(self) -> float:
        """Seconds of the video, 0.0 where its frame rate is unknown."""
        return self.num_frames / self.fps if self.fps else 0.0


class ForeignFile(InputError):
    """A readable npz that is no feature file."""


class DamagedFile(InputError):
    """A file that is no whole npz."""


def save_features(path: str | Path, features: Features) -> None:
    """Write a feature file; it appears whole or not at all.

    Raises:
        InputError: when it cannot be written.
        OSError: when the disk is full.
    """
    try:
        with atomic_write(path) as aside, open(aside, "wb") as handle:
            np.savez(handle, **vars(features) | {_NAMES: np.array(features.class_names, dtype=str)})
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise InputError(f"{path}: the features cannot be written ({error.strerror})") from None


def load_features(path: str | Path) -> Features:
    """Read a feature file.

    Raises:
        DamagedFile: when it is not a whole npz, or claims to unpack to far more than features do.
        ForeignFile: when it is one, without the arrays of a feature file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            claimed = sum(record.file_size for record in archive.infolist())
        if claimed > _MAX_UNPACKED * os.path.getsize(path) + _SMALL:
            raise DamagedFile(f"{path}: not a feature file, because it claims to unpack to {claimed >> 20} MiB")
        _check_sums(path)
        with np.load(path, allow_pickle=False) as arrays:
            missing = [name for name in (*_ROWS, *_SCALARS) if name not in arrays]
            if missing:
                raise ForeignFile(f"{path}: not a feature file of this tool (it lacks {', '.join(missing)})")
            values: dict[str, Any] = {name: arrays[name] for name in (*_ROWS, *_MORE_ROWS) if name in arrays}
            values |= {name: arrays[name] for name in (*_SCALARS, *_MORE_SCALARS, _NAMES) if name in arrays}
    except _DAMAGE as error:
        words = " ".join(str(error).split()) or type(error).__name__
        raise DamagedFile(f"{path}: not a whole npz file ({words})") from None
    rows = {name: values[name] for name in (*_ROWS, *_MORE_ROWS) if name in values}
    lengths = {name: len(np.atleast_1d(array)) for name, array in rows.items()}
    shaped = all(array.ndim == 1 + (name in ("feats", "probs")) + (name == "feats" and array.ndim == 3)
                 for name, array in rows.items())  # fmt: skip
    if len(set(lengths.values())) != 1 or not shaped:
        raise ForeignFile(f"{path}: its arrays do not belong together (lengths {lengths})")
    if any(array.dtype.kind not in ("iu" if "frame" in name else "fiu") for name, array in rows.items()):
        raise ForeignFile(f"{path}: its arrays hold other things than numbers, or frames that are no whole numbers")
    values |= {name: _plain(path, name, array) for name, array in values.items() if name not in rows}
    features = Features(**_assumed(values) | values)
    if features.fps and not (np.isfinite(features.start_time).all() and np.isfinite(features.end_time).all()):
        raise ForeignFile(f"{path}: its start_time or end_time is no finite number")
    return features


def _plain(path: str | Path, name: str, array: np.ndarray) -> Any:
    """Return a number, text or tuple of names that is stored as an array, where it is what it has to be."""
    if name == _NAMES and array.ndim == 1 and (array.dtype.kind == "U" or not array.size):
        return tuple(array.tolist())
    value = array.item() if array.size == 1 else None
    least = _LEAST.get(name)
    if least is None:
        good = isinstance(value, str)
    else:
        good = array.dtype.kind in "fiu" and array.size == 1 and least <= value < _LARGEST
        good = good and (isinstance(least, float) or value == int(value))
    if not good:
        raise ForeignFile(f"{path}: not a feature file of this tool ({name} is {str(array)[:40]})")
    return value if least is None else type(least)(value)


def _check_sums(path: str | Path) -> None:
    """Read all arrays to their end: only there are their checksums compared, and a wrong size may hide the end."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged:
        raise DamagedFile(f"{path}: not a whole npz file (the checksum of {damaged} does not match)")


def _assumed(values: dict[str, Any]) -> dict[str, Any]:
    """Return what the further arrays are taken to be where a file lacks them."""
    first, last, fps = values["start_frame"], values["end_frame"], values["fps"]
    return {
        "start_time": first / (fps or np.nan),
        "end_time": last / (fps or np.nan),
        "source_fps": fps,
        "num_frames": int(last.max()) + 1 if len(last) else 0,
        "problems": "",
        "settings": "",
    }


def check_settings(path: str | Path, found: str, wanted: str) -> None:
    """Refuse to mix features of different settings in one folder.

    Args:
        path: an existing feature file.
        found: its settings as JSON; empty: unknown, which passes.
        wanted: those of this run.

    Raises:
        InputError: naming what differs.
    """
    if not found:
        return
    try:
        old, new = json.loads(found), json.loads(wanted)
        old, new = (side if isinstance(side, dict) else {"settings": side} for side in (old, new))
    except (ValueError, RecursionError):
        old, new = {"settings": found[:80]}, {"settings": wanted}
    differing = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    if differing:
        said = ", ".join(f"{key} {old.get(key)!r} there, {new.get(key)!r} here" for key in differing)
        raise InputError(f"{path} holds features of other settings ({said}): choose another --output-dir or move it")


def remove_asides(path: Path) -> None:
    """Delete what a killed process left beside a file that was being written."""
    prefix = aside_prefix(path)
    for aside in path.parent.glob(f"{_escape(prefix)}*.tmp"):
        match = re.fullmatch(r"(\d+)\.tmp", aside.name.removeprefix(prefix))
        if match and not _is_alive(int(match[1])):
            aside.unlink(missing_ok=True)


def _escape(name: str) -> str:
    """Return a file name for use in a glob pattern."""
    return re.sub(r"([*?\[])", r"[\1]", name)


def _is_alive(process: int) -> bool:
    """Return whether another process of this machine has this number."""
    return process != os.getpid() and Path("/proc", str(process)).exists()


@dataclass(frozen=True)
class IndexRow:
    """One video in `features.csv`.

    Args:
        video: its path below the video folder.
        frames: frames counted at `fps`.
        fps: frames per second.
        windows: number of features.
        status: `ok`, or `partial`, `too short`, `failed` or `vanished` with the reason behind a colon.
    """

    video: str
    frames: int
    fps: float
    windows: int
    status: str

    @property
    def has_features(self) -> bool:
        """Whether the video has a feature file."""
        return self.status == "ok" or self.status.startswith("partial:")


def row_of(video: str, features: Features) -> IndexRow:
    """Return the index row of a video that has features."""
    status = f"partial: {features.problems}" if features.problems else "ok"
    return IndexRow(video, features.num_frames, features.fps, len(features.feats), status)


class FeatureIndex:
    """`features.csv` of an output folder, shared by all processes that write there.

    Every process adds its rows under a lock; rows are sorted by video. It can be rebuilt from the feature files, so a
    killed process loses nothing.

    Args:
        folder: the output folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder) / INDEX
        self._rows: dict[str, IndexRow] = {}
        self._sources: dict[str, dict[str, str]] = {}
        self._last = time.monotonic()

    def add(self, row: IndexRow, video: VideoFile | None = None) -> None:
        """Note a row, and where its video lies; the file is written every few seconds."""
        self._rows[row.video] = row
        if video is not None and not video.twin:
            file = video.output.relative_to(self.path.parent).as_posix()
            places = {"path": os.path.abspath(video.path), "folder": os.path.abspath(video.folder or video.path.parent)}
            self._sources[row.video] = {**places, "file": file}
        if time.monotonic() - self._last >= _INDEX_PERIOD:
            self.flush()

    def flush(self, *, mark: bool = False) -> None:
        """Merge the rows of this process into the file.

        Args:
            mark: look whether the videos of all rows are still there.

        Raises:
            InputError: when a `features.csv` of another form is there.
        """
        with _locked(self.path.with_name(_LOCK)):
            remove_asides(self.path)
            before = {row.video: row for row in read_index(self.path)} if self.path.exists() else {}
            merged = before | self._rows
            sources = read_sources(self.path.parent) | self._sources
            if self._sources:
                # Names in any encoding come back from escapes.
                write_text(self.path.with_name(SOURCES), json.dumps(sources, indent=1, sort_keys=True) + "\n")
            for name in sources if mark else ():
                if name in merged and merged[name].has_features and is_gone(sources[name]):
                    merged[name] = replace(merged[name], status="vanished: its video is no longer there")
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(COLUMNS)
            for row in sorted(merged.values(), key=lambda row: row.video):
                writer.writerow([row.video, row.frames, f"{row.fps:.6g}", row.windows, row.status])
            write_text(self.path, printable(text.getvalue()))
        self._last = time.monotonic()


def read_sources(folder: str | Path) -> dict[str, dict[str, str]]:
    """Return where the videos of an output folder lie, by name; empty where that is not known.

    Each has the `path` of the video, the video `folder` and the feature `file`.
    """
    try:
        content = json.loads(Path(folder, SOURCES).read_text(encoding="utf-8"))
        sources = {
            name: {key: str(places[key]) for key in ("path", "folder", "file")} for name, places in content.items()
        }
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return {}
    return sources


def is_gone(places: Mapping[str, str]) -> bool:
    """Return whether a video has been deleted: it is not there, and its folder is, with something in it."""
    try:
        return not os.path.lexists(places["path"]) and bool(os.listdir(places["folder"]))
    except (OSError, ValueError):
        return False


def read_index(path: str | Path) -> list[IndexRow]:
    """Return the rows of a `features.csv`.

    Raises:
        InputError: when the file has another form.
    """
    try:
        with open(path, newline="", encoding="utf-8") as handle:
            rows = list(csv.reader(handle))
        if tuple(rows[0]) != COLUMNS:
            raise ValueError
        return [IndexRow(row[0], int(row[1]), float(row[2]), int(row[3]), row[4]) for row in rows[1:]]
    except (ValueError, IndexError, csv.Error, IsADirectoryError):
        raise InputError(f"{path}: not an index of features (columns {','.join(COLUMNS)}); move it away") from None


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock file among the processes of all machines that share the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            logger.warning("%s cannot be locked (%s): run one process at a time here", path.parent, error.strerror)
        yield


def check_writable(folder: str | Path) -> None:
    """Refuse an output folder that cannot be written, before any work is done.

    Raises:
        InputError: with the reason.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f"--output-dir {folder} cannot be written ({error.strerror}); choose another") from None


def summarise(rows: Iterable[IndexRow]) -> str:
    """Return how many videos have features, and the first few that have none."""
    rows = list(rows)
    missing = [row for row in rows if not row.has_features]
    text = f"{len(rows) - len(missing)} of {len(rows)} videos have features, {sum(row.windows for row in rows)} windows"
    if missing:
        named = "; ".join(f"{row.video}: {row.status}" for row in missing[:3])
        text += f"; {len(missing)} without: {named}" + ("; ..." if len(missing) > 3 else "")
    return text
