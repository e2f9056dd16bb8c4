"""How the demo's clips become dark: two recipes, so that what helps under one can be tried under another.

`camera` is the demo's own: a metered exposure of an evenly lit scene. `lamp` is what a cheap camera sees under one
street lamp: a warm pool of light in a scene that is otherwise almost black, little charge per pixel, and an exposure
that is metered on the whole picture and so falls short in the shadow.

Legend: T frames, H W, 3 = RGB.
"""

from collections.abc import Callable

import numpy as np

from slowfast.transforms.darken import READ_NOISE_RANGE, DarkeningParameters, darken, metered_exposure, random_darkening

# Street lamps (sodium, warm LED) are red; a small sensor holds a fifth of the charge of `FULL_WELL_RANGE`.
LAMP_RED, LAMP_BLUE = (1.2, 1.6), (0.45, 0.8)
LAMP_WELL = (1000.0, 3000.0)
# Light outside the pool, and the pool's standard deviation in picture heights.
LAMP_AMBIENT, LAMP_WIDTH = (0.08, 0.35), (0.3, 0.6)


def camera(frames_THWC: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Darken a uint8 clip (T, H, W, 3) as `random_darkening` draws it."""
    return darken(frames_THWC, random_darkening(frames_THWC, rng), rng)


def lamp(frames_THWC: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Darken a uint8 clip (T, H, W, 3) to what is seen under one lamp."""
    parameters = DarkeningParameters(
        exposure=metered_exposure(frames_THWC, rng),
        full_well=float(rng.uniform(*LAMP_WELL)),
        read_noise=float(rng.uniform(*READ_NOISE_RANGE)),
        colour_gains=(float(rng.uniform(*LAMP_RED)), 1.0, float(rng.uniform(*LAMP_BLUE))),
    )
    return darken(frames_THWC, parameters, rng, pool_of_light(*frames_THWC.shape[1:3], rng))


def pool_of_light(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Return the gain of every pixel, float64 (H, W) in 0..1: a Gaussian somewhere in the middle half, and the rest."""
    centre_y, centre_x = rng.uniform(0.25, 0.75, 2) * (height, width)
    ambient, sigma = rng.uniform(*LAMP_AMBIENT), rng.uniform(*LAMP_WIDTH) * height
    y, x = np.arange(height)[:, None] - centre_y, np.arange(width)[None, :] - centre_x
    return ambient + (1.0 - ambient) * np.exp(-(y * y + x * x) / (2.0 * sigma * sigma))


NIGHTS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {"camera": camera, "lamp": lamp}
