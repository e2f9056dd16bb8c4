"""From decoded frames to RGB as a player shows them: one size and one orientation for a file, right levels."""

import functools

import av
import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import VideoReformatter

from slowfast.utils.logging import get_logger
from slowfast.video.reader import VideoError

logger = get_logger(__name__)

# The scaler's default makes more than 8 bits one to two levels too dark; ACCURATE_RND alone does as well. BICUBIC,
# ACCURATE_RND and FULL_CHR_H_INT of libswscale, as a number: PyAV has names for the last two since 18, which Python
# 3.10 lacks.
_DEEP = 0x4 | 0x40000 | 0x2000


def _unnamed(cls: type[Type], value: int) -> Type:
    """Return a member for a kind of side data that FFmpeg has and PyAV has no name for, like EXIF (31)."""
    member = object.__new__(cls)
    member._name_, member._value_ = f"UNNAMED_{value}", value
    return member


# Without it none of a frame's side data can be asked for.
Type._missing_ = classmethod(_unnamed)

# Grey levels of 256 below which a file of deep grey (thermal cameras) is reported.
_FEW_LEVELS = 64


class Picture:
    """Converts the frames of one file to RGB; frame 0 decides size and orientation for all of them.

    Args:
        path: of the file, for messages.
        first: frame 0.
    """

    def __init__(self, path: str, first: av.VideoFrame) -> None:
        self._path = path
        self._width, self._height = first.width, first.height
        self.orientation = orientation_of(first)
        self._reformatter = VideoReformatter()
        self._to_look_at = first.format.name.startswith("gray") and _is_deep(first)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of all frames as they are shown."""
        return (self._width, self._height) if self.orientation[0] else (self._height, self._width)

    def rgb(self, frame: av.VideoFrame) -> np.ndarray:
        """Return a frame as uint8 (H, W, 3).

        Raises:
            VideoError: when it cannot be converted.
        """
        if self._to_look_at and _has_levels(frame):
            self._to_look_at = False
            _report_few_levels(self._path, frame)
        how = {"interpolation": _DEEP} if _is_deep(frame) else {}
        try:
            rgb_HWC = self._reformatter.reformat(
                frame, width=self._width, height=self._height, format="rgb24", threads=1, **how
            ).to_ndarray()
        except (av.error.FFmpegError, ValueError) as error:
            raise VideoError(self._path, f"a frame cannot be converted to RGB ({words(error)})") from None
        if self.orientation == (False, False, False):
            return rgb_HWC
        swapped, flip_x, flip_y = self.orientation
        turned_HWC = rgb_HWC.swapaxes(0, 1) if swapped else rgb_HWC
        return np.ascontiguousarray(turned_HWC[:: -1 if flip_y else 1, :: -1 if flip_x else 1])


def orientation_of(frame: av.VideoFrame) -> tuple[bool, bool, bool]:
    """Return how a frame is to be shown: rows and columns swapped, then mirrored left-right, then up-down.

    A display matrix (a b u; c d v; x y w) moves a pixel (p, q) to (a p + c q, b p + d q); angles between the eight
    orientations are rounded to the nearest one.
    """
    side = frame.side_data.get(Type.DISPLAYMATRIX)  # iterating gives the kinds in PyAV 19, the data before
    matrix = None if side is None else bytes(side)
    if matrix is None or len(matrix) < 36:
        return False, False, False
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].astype(np.int64).tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return False, a < 0, d < 0
    return True, c < 0, b < 0


def words(error: Exception) -> str:
    """Return the message of an error without number and path."""
    if isinstance(error, av.error.ExitError):
        return "no data came in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _is_deep(frame: av.VideoFrame) -> bool:
    """Return whether a frame has more than 8 bits a channel."""
    return any(component.bits > 8 for component in frame.format.components)


def _grey_values(frame: av.VideoFrame) -> np.ndarray:
    """Return the values of deep grey as they are stored, (H, W)."""
    order = ">" if frame.format.name.endswith("be") else "<"
    plane = frame.planes[0]
    return np.frombuffer(plane, f"{order}u2").reshape(plane.height, -1)[:, : plane.width]


def _has_levels(frame: av.VideoFrame) -> bool:
    """Return whether a frame of deep grey is more than a flat field, as clips may begin with."""
    return bool(np.ptp(_grey_values(frame)))


def _report_few_levels(path: str, frame: av.VideoFrame) -> None:
    """Say when deep grey keeps few of 256 levels, since the 8 highest bits alone are used."""
    bits, values_HW = frame.format.components[0].bits, _grey_values(frame)
    low, high = int(values_HW.min()), int(values_HW.max())
    levels = (high >> (bits - 8)) - (low >> (bits - 8)) + 1
    if levels < _FEW_LEVELS:
        _warn_once(
            f"{path}: its grey of {bits} bits lies between {low} and {high}, which leaves {levels} of 256 levels:"
            " stretch it first, like ffmpeg -i IN -vf"
            f" 'lut=clip((val-{low})*{2**bits - 1}/{high - low},0,{2**bits - 1})' -c:v ffv1 OUT.mkv"
        )


@functools.lru_cache(maxsize=4096)
def _warn_once(text: str) -> None:
    """Log a warning that has not been logged by this process."""
    logger.warning("%s", text)
