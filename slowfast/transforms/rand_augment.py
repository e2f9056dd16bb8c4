"""RandAugment (Cubuk et al. 2020) on whole clips: one draw for all frames, values as Pillow gives them.

Operations, levels and order are those of the "increasing" set of the notation `rand-m9-n2-mstd0.5-inc1`:
`m` magnitude 0..10, `n` operations per clip, `mstd` standard deviation of the magnitude, `p` probability of each
operation (default 0.5). An operation takes uint8 frames (T, H, W, 3), its argument and a Pillow filter.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

MAX_LEVEL = 10.0
FILL = (128, 128, 128)
RESAMPLE = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "nearest": Image.Resampling.NEAREST,
}
Frames = np.ndarray


def _each(frames_THWC: Frames, change: Callable[[Image.Image], Image.Image]) -> Frames:
    """Apply a Pillow operation frame by frame."""
    out_THWC = np.empty_like(frames_THWC)
    for index, frame in enumerate(frames_THWC):
        out_THWC[index] = np.asarray(change(Image.fromarray(frame)))
    return out_THWC


def _stacked(frames_THWC: Frames, change: Callable[[Image.Image], Image.Image]) -> Frames:
    """Apply a Pillow operation that treats every pixel alike to all frames as one tall image."""
    frames, height, width, channels = frames_THWC.shape
    tall = Image.fromarray(frames_THWC.reshape(frames * height, width, channels))
    return np.asarray(change(tall)).reshape(frames_THWC.shape)


def _affine(frames_THWC: Frames, matrix: tuple[float, ...], resample: int) -> Frames:
    """Apply an affine transform (output to input coordinates) with grey outside."""
    size = (frames_THWC.shape[2], frames_THWC.shape[1])
    return _each(
        frames_THWC,
        lambda image: image.transform(size, Image.Transform.AFFINE, matrix, resample=resample, fillcolor=FILL),
    )


def auto_contrast(frames_THWC: Frames, _: None, __: int) -> Frames:
    """Stretch the levels of every channel of every frame to 0..255."""
    return _each(frames_THWC, ImageOps.autocontrast)


def equalize(frames_THWC: Frames, _: None, __: int) -> Frames:
    """Equalise the histogram of every channel of every frame."""
    return _each(frames_THWC, ImageOps.equalize)


def invert(frames_THWC: Frames, _: None, __: int) -> Frames:
    """Replace v by 255 - v."""
    return 255 - frames_THWC


def rotate(frames_THWC: Frames, degrees: float, resample: int) -> Frames:
    """Turn counter-clockwise about the centre."""
    return _each(frames_THWC, lambda image: image.rotate(degrees, resample=resample, fillcolor=FILL))


def posterize(frames_THWC: Frames, bits: int, _: int) -> Frames:
    """Keep the highest `bits` bits."""
    return frames_THWC & np.uint8(256 - (1 << (8 - bits)))


def solarize(frames_THWC: Frames, threshold: int, _: int) -> Frames:
    """Invert levels at or above the threshold."""
    return np.where(frames_THWC >= threshold, 255 - frames_THWC, frames_THWC)


def solarize_add(frames_THWC: Frames, add: int, _: int) -> Frames:
    """Add to levels below 128."""
    return np.where(frames_THWC < 128, frames_THWC + np.uint8(add), frames_THWC)


def color(frames_THWC: Frames, factor: float, _: int) -> Frames:
    """Blend with the grey picture; 0 is grey, 1 unchanged."""
    return _stacked(frames_THWC, lambda image: ImageEnhance.Color(image).enhance(factor))


def contrast(frames_THWC: Frames, factor: float, _: int) -> Frames:
    """Blend every frame with its mean grey level."""
    return _each(frames_THWC, lambda image: ImageEnhance.Contrast(image).enhance(factor))


def brightness(frames_THWC: Frames, factor: float, _: int) -> Frames:
    """Blend with black."""
    return _stacked(frames_THWC, lambda image: ImageEnhance.Brightness(image).enhance(factor))


def sharpness(frames_THWC: Frames, factor: float, _: int) -> Frames:
    """Blend with the smoothed picture."""
    return _each(frames_THWC, lambda image: Image.blend(image.filter(ImageFilter.SMOOTH), image, factor))


def shear_x(frames_THWC: Frames, factor: float, resample: int) -> Frames:
    """Shift rows in proportion to their height."""
    return _affine(frames_THWC, (1, factor, 0, 0, 1, 0), resample)


def shear_y(frames_THWC: Frames, factor: float, resample: int) -> Frames:
    """Shift columns in proportion to their place."""
    return _affine(frames_THWC, (1, 0, 0, factor, 1, 0), resample)


def translate_x(frames_THWC: Frames, share: float, resample: int) -> Frames:
    """Shift by a share of the width."""
    return _affine(frames_THWC, (1, 0, share * frames_THWC.shape[2], 0, 1, 0), resample)


def translate_y(frames_THWC: Frames, share: float, resample: int) -> Frames:
    """Shift by a share of the height."""
    return _affine(frames_THWC, (1, 0, 0, 0, 1, share * frames_THWC.shape[1]), resample)


def _no_argument(level: float, sign: int) -> None:
    """Return the argument of an operation that has none."""


def _signed(largest: float, base: float = 0.0) -> Callable[[float, int], float]:
    """Return the rule base + sign * largest * level / 10."""
    return lambda level, sign: base + sign * largest * level / MAX_LEVEL


def _enhance(level: float, sign: int) -> float:
    """Return the factor of an enhancement: 1 is unchanged."""
    return 1.0 + sign * 0.9 * level / MAX_LEVEL


OPERATIONS: dict[str, tuple[Callable[[Frames, object, int], Frames], Callable[[float, int], object]]] = {
    "AutoContrast": (auto_contrast, _no_argument),
    "Equalize": (equalize, _no_argument),
    "Invert": (invert, _no_argument),
    "Rotate": (rotate, _signed(30.0)),
    "PosterizeIncreasing": (posterize, lambda level, sign: 4 - int(4 * level / MAX_LEVEL)),
    "SolarizeIncreasing": (solarize, lambda level, sign: 256 - int(256 * level / MAX_LEVEL)),
    "SolarizeAdd": (solarize_add, lambda level, sign: int(110 * level / MAX_LEVEL)),
    "ColorIncreasing": (color, _enhance),
    "ContrastIncreasing": (contrast, _enhance),
    "BrightnessIncreasing": (brightness, _enhance),
    "SharpnessIncreasing": (sharpness, _enhance),
    "ShearX": (shear_x, _signed(0.3)),
    "ShearY": (shear_y, _signed(0.3)),
    "TranslateXRel": (translate_x, _signed(0.45)),
    "TranslateYRel": (translate_y, _signed(0.45)),
}


def apply_operation(
    frames_THWC: Frames, name: str, level: float, sign: int = 1, interpolation: str = "bicubic"
) -> Frames:
    """Return uint8 frames after one operation.

    Args:
        frames_THWC: uint8 RGB.
        name: a key of `OPERATIONS`.
        level: magnitude 0..10.
        sign: 1 or -1; operations without a direction ignore it.
        interpolation: of rotation, shear and translation.
    """
    change, argument = OPERATIONS[name]
    return change(frames_THWC, argument(level, sign), RESAMPLE[interpolation])


@dataclass(frozen=True)
class RandAugment:
    """A RandAugment policy; see `parse_policy`.

    Args:
        magnitude: mean level 0..10.
        num_ops: operations drawn per clip, with replacement.
        std: standard deviation of the level, drawn per operation.
        prob: probability that a drawn operation is applied.
        interpolation: of rotation, shear and translation.
        names: operations to draw from, all equally likely.
    """

    magnitude: float = 9.0
    num_ops: int = 2
    std: float = 0.5
    prob: float = 0.5
    interpolation: str = "bicubic"
    names: Sequence[str] = tuple(OPERATIONS)

    def draw(self, rng: np.random.Generator) -> list[tuple[str, float, int]]:
        """Return (name, level, sign) of the operations to apply to one clip."""
        plan = []
        for index in rng.integers(0, len(self.names), self.num_ops):
            if rng.random() >= self.prob:
                continue
            level = rng.normal(self.magnitude, self.std) if self.std > 0 else self.magnitude
            sign = -1 if rng.random() > 0.5 else 1
            plan.append((self.names[index], float(np.clip(level, 0.0, MAX_LEVEL)), sign))
        return plan

    def __call__(self, frames_THWC: Frames, rng: np.random.Generator) -> Frames:
        """Return augmented uint8 frames (T, H, W, 3); every frame gets the same operations."""
        for name, level, sign in self.draw(rng):
            frames_THWC = apply_operation(frames_THWC, name, level, sign, self.interpolation)
        return frames_THWC


def parse_policy(text: str, interpolation: str = "bicubic") -> RandAugment | None:
    """Return the policy of a notation such as `rand-m7-n4-mstd0.5-inc1`; None for an empty text.

    Raises:
        ValueError: when the text is not such a notation, names the set without `inc1`, or the interpolation is unknown.
    """
    if not text:
        return None
    if interpolation not in RESAMPLE:
        raise ValueError(f"interpolation {interpolation!r} is unknown, one of {', '.join(RESAMPLE)} is needed")
    head, *sections = text.split("-")
    values = {}
    for section in sections:
        match = re.fullmatch(r"(mstd|inc|m|n|p)(\d+(?:\.\d+)?)", section)
        if match is None:
            raise ValueError(f"RandAugment {text!r}: {section!r} is none of m, n, mstd, p, inc with a number")
        values[match[1]] = float(match[2])
    if head != "rand" or values.get("inc", 0) != 1:
        raise ValueError(f"RandAugment {text!r}: a text like rand-m7-n4-mstd0.5-inc1 is needed")
    return RandAugment(
        magnitude=values.get("m", MAX_LEVEL),
        num_ops=int(values.get("n", 2)),
        std=values.get("mstd", 0.0),
        prob=values.get("p", 0.5),
        interpolation=interpolation,
    )
