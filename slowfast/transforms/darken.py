"""Darkening by the physics of a camera: a normally lit clip becomes what a sensor records at night.

The model is the usual one for raw low-light data: exposure in linear light, Poisson shot noise, Gaussian read
noise, row noise, colour gains and quantisation (Wei et al. 2020, "A Physics-based Noise Formation Model for Extreme
Low-light Raw Denoising", sections 3-4; Lv et al. 2021, "Attention Guided Low-light Image Enhancement", section 3,
for darkening normally lit footage). Compression follows when the clip is written.

Legend: T frames, H W, 3 = RGB.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

# Exposure ratios between the long and the short exposures of paired low-light data lie between 1/100 and 1/300 for
# raw stills (Chen et al. 2018, "Learning to See in the Dark"); ARID's videos (mean luma 6..45 of 255) need 1/8..1/60.
EXPOSURE_RANGE = (1 / 50, 1 / 8)
# Mean sRGB level (0..255) of most clips of ARID; a camera meters, so the exposure is drawn among those that reach it.
MEAN_LEVEL_RANGE = (8.0, 36.0)
# Electrons at white for the long exposure: phone and surveillance sensors hold some thousands.
FULL_WELL_RANGE = (4000.0, 16000.0)
# Read noise of consumer sensors in electrons, at the gain used at night.
READ_NOISE_RANGE = (0.8, 2.0)
ROW_NOISE_RANGE = (0.0, 0.4)
# Gains of red and blue relative to green; street lamps are warm, moonlight and cheap sensors are cold.
COLOUR_GAIN_RANGE = (0.75, 1.3)
VIGNETTING_RANGE = (0.0, 0.5)
# Electrons up to which shot noise is drawn from the exact Poisson distribution; above, a normal is indistinguishable.
EXACT_ELECTRONS = 144.0
_GRID = 384
_QUANTILES = 2048


@dataclass(frozen=True)
class DarkeningParameters:
    """Settings of one darkened clip.

    Attributes:
        exposure: factor on linear light, 1.0 keeps the brightness.
        full_well: electrons that a white pixel collects at exposure 1.0.
        read_noise: standard deviation of the read noise in electrons.
        row_noise: standard deviation of an offset per row and frame in electrons.
        colour_gains: white-balance gains of red, green and blue.
        vignetting: loss of light in the corners, 0 none, 1 all.
    """

    exposure: float = 1 / 20
    full_well: float = 3000.0
    read_noise: float = 2.0
    row_noise: float = 0.0
    colour_gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    vignetting: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 < self.exposure <= 1.0:
            raise ValueError(f"exposure is {self.exposure}; give a value in (0, 1]")
        if self.full_well <= 0.0 or min(self.colour_gains) <= 0.0:
            raise ValueError("full_well and colour_gains must be positive")
        if self.read_noise < 0.0 or self.row_noise < 0.0 or not 0.0 <= self.vignetting <= 1.0:
            raise ValueError("read_noise and row_noise must not be negative and vignetting must lie in [0, 1]")


@lru_cache(maxsize=1)
def srgb_to_linear_table() -> np.ndarray:
    """Linear light in 0..1 of the 256 sRGB codes (IEC 61966-2-1), float32 (256,)."""
    codes = np.arange(256) / 255.0
    linear = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)


@lru_cache(maxsize=1)
def linear_to_srgb_table() -> np.ndarray:
    """Rounded sRGB code of linear light i / 65535, uint8 (65536,)."""
    linear = np.arange(65536) / 65535.0
    codes = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(codes * 255.0).astype(np.uint8)


def metered_exposure(frames_THWC: np.ndarray, rng: np.random.Generator, steps: int = 64) -> float:
    """Draw an exposure, uniform in stops, among those that bring the clip into `MEAN_LEVEL_RANGE`.

    Args:
        frames_THWC: uint8 RGB (T, H, W, 3); the middle frame is metered.
        rng: random numbers.
        steps: number of exposures tried within `EXPOSURE_RANGE`.

    Returns:
        The exposure; the nearest one when none of them reaches the range.
    """
    exposures_E = np.geomspace(*EXPOSURE_RANGE, steps)
    share_256 = np.bincount(frames_THWC[len(frames_THWC) // 2].ravel(), minlength=256) / frames_THWC[0].size
    light_E256 = srgb_to_linear_table()[None] * exposures_E[:, None]
    levels_E = linear_to_srgb_table()[(light_E256 * 65535.0).astype(np.uint16)] @ share_256
    low, high = MEAN_LEVEL_RANGE
    excess_E = np.maximum(low - levels_E, 0.0) + np.maximum(levels_E - high, 0.0)
    return float(rng.choice(exposures_E[excess_E == excess_E.min()]))


def random_darkening(frames_THWC: np.ndarray, rng: np.random.Generator) -> DarkeningParameters:
    """Draw parameters for a clip: a metered exposure, the rest uniform within the ranges named above."""
    return DarkeningParameters(
        exposure=metered_exposure(frames_THWC, rng),
        full_well=float(rng.uniform(*FULL_WELL_RANGE)),
        read_noise=float(rng.uniform(*READ_NOISE_RANGE)),
        row_noise=float(rng.uniform(*ROW_NOISE_RANGE)),
        colour_gains=(float(rng.uniform(*COLOUR_GAIN_RANGE)), 1.0, float(rng.uniform(*COLOUR_GAIN_RANGE))),
        vignetting=float(rng.uniform(*VIGNETTING_RANGE)),
    )


@lru_cache(maxsize=1)
def _poisson_quantiles() -> np.ndarray:
    """Quantiles of Poisson distributions whose means lie on a square-root grid, float32 (_GRID * _QUANTILES,)."""
    means = (np.arange(_GRID) / (_GRID - 1)) ** 2 * EXACT_ELECTRONS
    counts = np.arange(int(EXACT_ELECTRONS + 8 * EXACT_ELECTRONS**0.5))
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(counts[1:]))])
    with np.errstate(divide="ignore"):
        log_mean = np.log(means)[:, None]
    exponent = np.where(counts == 0, 0.0, counts * np.where(counts == 0, 0.0, log_mean))
    cumulative = np.cumsum(np.exp(exponent - means[:, None] - log_factorial), axis=1)
    levels = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    table = np.stack([np.searchsorted(row, levels) for row in cumulative])
    return table.astype(np.float32).ravel()


def shot_noise(electrons: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw Poisson counts with the given means.

    Args:
        electrons: expected electrons, float32 of any shape, not negative.
        rng: random numbers.

    Returns:
        Counts as float32; the exact distribution up to `EXACT_ELECTRONS` (by inverse transform from a table, the
        mean rounded at random to its grid), the normal approximation above.
    """
    # In place where it can be: of the time of a clip most goes into moving arrays.
    position = np.minimum(electrons, np.float32(EXACT_ELECTRONS))
    position /= np.float32(EXACT_ELECTRONS)
    np.sqrt(position, out=position)
    position *= np.float32(_GRID - 1)
    random = rng.integers(0, 1 << 32, electrons.shape, dtype=np.uint32)
    dither = (random >> 16).astype(np.float32)
    dither *= np.float32(1 / 65536)
    position += dither
    cell = position.astype(np.int32)
    np.minimum(cell, _GRID - 1, out=cell)
    cell *= _QUANTILES
    random &= _QUANTILES - 1
    cell += random.view(np.int32)
    counts = np.take(_poisson_quantiles(), cell)
    bright = electrons > EXACT_ELECTRONS
    if bright.any():
        means = electrons[bright]
        counts[bright] = np.maximum(means + np.sqrt(means) * rng.standard_normal(means.shape, dtype=np.float32), 0.0)
    return counts


def vignette(height: int, width: int, strength: float) -> np.ndarray:
    """Gain of every pixel, float32 (H, W): 1 in the middle, `1 - strength` in the corners, quadratic in between."""
    y = np.linspace(-1.0, 1.0, height)[:, None]
    x = np.linspace(-1.0, 1.0, width)[None, :]
    return (1.0 - strength * (x * x + y * y) / 2.0).astype(np.float32)


def darken(
    frames_THWC: np.ndarray,
    parameters: DarkeningParameters,
    rng: np.random.Generator,
    gain_HW: np.ndarray | None = None,
) -> np.ndarray:
    """Turn a normally lit clip into a dark, noisy one.

    Args:
        frames_THWC: uint8 RGB in sRGB.
        parameters: exposure, noise, colour and vignetting of the whole clip.
        rng: random numbers of the noise.
        gain_HW: optional further gain of every pixel, for example a pool of light (H, W).

    Returns:
        uint8 RGB (T, H, W, 3).

    Raises:
        ValueError: when the frames are not uint8 (T, H, W, 3).
    """
    if frames_THWC.dtype != np.uint8 or frames_THWC.ndim != 4 or frames_THWC.shape[-1] != 3:
        raise ValueError(f"frames are {frames_THWC.dtype} {frames_THWC.shape}; darken needs uint8 (T, H, W, 3)")
    frames, height, width, _ = frames_THWC.shape
    white = np.float32(parameters.full_well * parameters.exposure)
    light_HW = vignette(height, width, parameters.vignetting)
    if gain_HW is not None:
        light_HW = light_HW * gain_HW.astype(np.float32)
    gains = np.asarray(parameters.colour_gains, dtype=np.float32)
    electrons = np.take(srgb_to_linear_table(), frames_THWC)
    electrons *= light_HW[None, :, :, None] * (gains * white)
    recorded = shot_noise(electrons, rng)
    noise = rng.standard_normal(recorded.shape, dtype=np.float32)
    noise *= np.float32(parameters.read_noise)
    recorded += noise
    if parameters.row_noise > 0.0:
        rows = rng.standard_normal((frames, height, 1, 1), dtype=np.float32)
        recorded += parameters.row_noise * rows
    recorded *= np.float32(65535.0 / parameters.full_well)
    np.clip(recorded, 0.0, 65535.0, out=recorded)
    return np.take(linear_to_srgb_table(), recorded.astype(np.uint16))
