"""Folders of numbered images as videos: `img_00001.jpg` and on, read through FFmpeg's list of files.

Frames are sorted by their number, wherever it starts. The frame rate stands in `fps.txt` in the folder, or in one of
the two above it for all clips there.
"""

import functools
import io
import os
from collections.abc import Sequence
from pathlib import Path

import av

from slowfast.lists.endings import RATE_FILE, numbered_images
from slowfast.utils.errors import InputError
from slowfast.utils.logging import get_logger

logger = get_logger(__name__)

_ASSUMED_FPS = 25.0  # FFmpeg's own
_NAMED = 5
_START = {".jpg": b"\xff\xd8", ".jpeg": b"\xff\xd8", ".png": b"\x89PNG", ".bmp": b"BM", ".webp": b"RIFF"}
_JPEG_END, _TAIL = b"\xff\xd9", 1 << 12


def find_frames(folder: str | Path) -> list[Path]:
    """Return the images of a folder by rising number, empty where it holds none or cannot be read.

    With several series of images (`img_`, `flow_x_`, `flow_y_`) the one that begins with `img` counts.
    """
    try:
        return [Path(folder, name) for name in numbered_images(os.listdir(folder)).values()]
    except OSError:
        return []


def open_frames(folder: str | Path) -> av.container.InputContainer:
    """Open the sound images of a folder as one container at the stated rate.

    Raises:
        OSError: none of its images can be read.
    """
    paths = [path for path in find_frames(folder) if _is_whole(path)]
    if not paths:
        raise OSError("it is a folder without numbered images that can be read")
    fps = frame_rate(folder)
    lines = ["ffconcat version 1.0"]
    for path in paths:
        name = os.path.abspath(path).replace("'", "'\\''")
        lines += [f"file 'file:{name}'", f"option framerate {fps}", f"duration {1 / fps:.9f}"]
    text = io.BytesIO("\n".join(lines).encode(errors="surrogateescape"))
    return av.open(text, format="concat", options={"safe": "0", "protocol_whitelist": "file"})


def folder_problems(path: str | Path) -> str:
    """Return which frames of a folder are missing or damaged, in words; nothing for a file or a whole folder."""
    if not os.path.isdir(path):
        return ""
    numbered = numbered_images(os.listdir(path))
    missing = sorted(set(range(min(numbered), max(numbered) + 1)).difference(numbered)) if numbered else []
    damaged = [number for number, name in numbered.items() if not _is_whole(Path(path, name))]
    texts = [f"frames {_named(numbers)} are {what}" for numbers, what in ((missing, "missing"), (damaged, "damaged"))
             if numbers]  # fmt: skip
    return "; ".join(texts)


def frame_rate(folder: str | Path) -> float:
    """Return the stated frame rate of a folder of images.

    Raises:
        InputError: the file with the rate holds something else.
    """
    for place in (Path(folder), *Path(folder).absolute().parents[:2]):
        if (place / RATE_FILE).is_file():
            text = (place / RATE_FILE).read_text(encoding="utf-8", errors="replace").strip()
            try:
                rate = float(text)
            except ValueError:
                rate = 0.0
            if not 0 < rate < 1e4:
                raise InputError(f"{place / RATE_FILE}: {text[:40]!r} is no frame rate; write one number, like 30")
            return rate
    _warn(Path(folder).absolute().parent)
    return _ASSUMED_FPS


@functools.cache
def _warn(parent: Path) -> None:
    """Say once for all folders of a place that their rate is not stated."""
    logger.warning("%s: no frame rate is stated for its folders of images; 25 is taken: write it to fps.txt", parent)


def _is_whole(path: Path) -> bool:
    """Return whether an image begins, and a JPEG ends, as it has to."""
    try:
        with open(path, "rb") as file:
            head = file.read(4)
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
            tail = file.read()
    except OSError:
        return False
    start = _START[path.suffix.lower()]
    return head.startswith(start) and (start != _START[".jpg"] or _JPEG_END in tail)


def _named(numbers: Sequence[int]) -> str:
    """Return the first numbers in words."""
    more = f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else ""
    return ", ".join(map(str, numbers[:_NAMED])) + more
