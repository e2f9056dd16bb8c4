"""The camera: where it stands, how it moves, and how world points become pixels."""

from dataclasses import dataclass

import numpy as np

from slowfast.demo.skeleton import rotate_x, rotate_y
from slowfast.demo.timing import sway


@dataclass(frozen=True)
class ViewRanges:
    """Ranges from which the view of a clip is drawn: angles in radians, size as share of the image height."""

    yaw: tuple[tuple[float, float], ...]
    pitch: tuple[float, float]
    size: tuple[float, float]
    shake: tuple[float, float]


@dataclass
class Camera:
    """A camera that looks at `target_T3`, turned by `yaw` around it and raised by `pitch`.

    Attributes:
        target_T3: world point in the image centre, before the shake (T, 3).
        pixels: length of one world unit at the target in pixels.
        shift_T2: movement of the image in pixels (T, 2).
        strength: perspective, relative change of size per world unit of depth.
        mirror: the figure is drawn left-right mirrored.
    """

    target_T3: np.ndarray
    yaw: float
    pitch: float
    pixels: float
    shift_T2: np.ndarray
    strength: float
    mirror: bool
    centre: tuple[float, float]

    def project(self, points_LT3: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return pixel positions (..., T, 2), depth away from the camera (..., T) and pixels per unit (..., T)."""
        relative = points_LT3 - self.target_T3
        if self.mirror:
            relative = relative * np.array([-1.0, 1.0, 1.0])
        seen = rotate_x(rotate_y(relative, self.yaw), self.pitch)
        depth = -seen[..., 2]
        scale = self.pixels / (1.0 + self.strength * np.maximum(depth, -2.0))
        x = self.centre[0] + seen[..., 0] * scale + self.shift_T2[:, 0]
        y = self.centre[1] - seen[..., 1] * scale + self.shift_T2[:, 1]
        return np.stack([x, y], axis=-1), depth, scale


def random_camera(
    rng: np.random.Generator,
    ranges: ViewRanges,
    size: tuple[int, int],
    seconds_T: np.ndarray,
    path_T3: np.ndarray,
    tracks: bool,
) -> Camera:
    """Draw a camera for a figure that moves along `path_T3`.

    Args:
        rng: random numbers of this clip.
        ranges: views of the domain.
        size: width and height of the canvas in pixels.
        seconds_T: time stamps (T,).
        path_T3: position of the figure on the floor (T, 3).
        tracks: the camera follows the figure instead of standing still.
    """
    width, height = size
    low, high = ranges.yaw[rng.integers(len(ranges.yaw))]
    share = rng.uniform(*ranges.size)
    anchor_T3 = path_T3 if tracks else np.broadcast_to(path_T3.mean(0), path_T3.shape)
    shake = rng.uniform(*ranges.shake) * height
    shift_T2 = np.stack([sway(rng, seconds_T, shake), sway(rng, seconds_T, 0.6 * shake)], axis=-1)
    return Camera(
        target_T3=anchor_T3 + np.array([0.0, 0.47, 0.0]),
        yaw=rng.uniform(low, high),
        pitch=rng.uniform(*ranges.pitch),
        pixels=share * height,
        shift_T2=shift_T2,
        strength=rng.uniform(0.05, 0.22),
        mirror=bool(rng.uniform() < 0.5),
        centre=(width * (0.5 + rng.uniform(-0.12, 0.12)), height * (0.5 + rng.uniform(-0.05, 0.07))),
    )
