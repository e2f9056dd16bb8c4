"""Dark copies of video files by a seeded camera model; `slowfast.transforms.darken` has the model and its ranges."""

import os
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from slowfast.lists.endings import find_files
from slowfast.transforms.darken import DarkeningParameters, darken, random_darkening
from slowfast.utils.errors import InputError
from slowfast.video.stream import ASSUMED_FPS, StreamedVideo
from slowfast.video.writer import write_h264

# Frames that are darkened at a time, so that the length of a video does not matter.
_PIECE = 32


def darken_file(
    source: Path, target: Path, *, seed: int, crf: float = 23.0, exposure: float | None = None, name: str = ""
) -> DarkeningParameters:
    """Write a dark copy of a video as H.264 in MP4, without sound.

    Args:
        source: any readable video.
        target: the copy.
        seed: the same seed, name and source give the same copy.
        crf: compression of the copy, 0 lossless to 51 worst; compression is part of what makes dark video hard.
        exposure: factor on linear light; default drawn so that the copy is as dark as ARID's clips.
        name: what the parameters of this file depend on besides the seed; default the file's name.

    Returns:
        The parameters.

    Raises:
        VideoError: when the source cannot be read.
        InputError: when the copy would take the place of the source.
    """
    if target.exists() and target.samefile(source):
        raise InputError(f"{source}: its dark copy would take its place: give another folder or name")
    rng = np.random.default_rng([seed, zlib.crc32(os.fsencode(name or source.name))])
    video = StreamedVideo(source)
    pieces = _pieces(video)
    first_THWC = next(pieces)
    parameters = random_darkening(first_THWC, rng)
    if exposure is not None:
        parameters = replace(parameters, exposure=exposure)

    def dark() -> Iterator[np.ndarray]:
        yield from darken(first_THWC, parameters, rng)
        for piece_THWC in pieces:
            yield from darken(piece_THWC, parameters, rng)

    write_h264(target, dark(), fps=video.fps or ASSUMED_FPS, crf=crf)
    return parameters


def _pieces(video: StreamedVideo) -> Iterator[np.ndarray]:
    """Yield the frames of a video as uint8 (T, H, W, 3), a few at a time."""
    piece: list[np.ndarray] = []
    for frame in video.frames():
        piece.append(frame.rgb())
        if len(piece) == _PIECE:
            yield np.stack(piece)
            piece = []
    if piece:
        yield np.stack(piece)


def copies_of(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """Return (file, dark copy) of a file or of all videos below a folder; copies keep their place and end in `.mp4`.

    Args:
        source: file or folder.
        target: folder of the copies, or the copy of a single file when it ends in `.mp4`.
    """
    if source.is_dir():
        return [(path, (target / path.relative_to(source)).with_suffix(".mp4")) for path in find_files(source)]
    return [(source, target if target.suffix == ".mp4" else target / f"{source.stem}.mp4")]
