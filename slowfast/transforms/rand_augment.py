"""RandAugment (Cubuk et al. 2020) on whole clips: one draw for all frames, values as Pillow gives them.

Operations, levels and order are those of the "increasing" set of the notation `rand-m9-n2-mstd0.5-inc1`:
`m` magnitude 0..10, `n` operations per clip, `mstd` standard deviation of the magnitude, `p` probability of each
operation (default 0.5). An operation takes uint8 frames (T, H, W, 3) and its argument; those that change levels only go
through a table, geometric ones through one sparse matrix for all frames.
"""

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance

from slowfast.transforms.affine import affine, reach, rotation_matrix
from slowfast.transforms.gamma import apply_table
from slowfast.transforms.spatial import Box

MAX_LEVEL = 10.0
INTERPOLATIONS = ("bicubic", "bilinear")
Frames = np.ndarray


def _by_histogram(frames_THWC: Frames, box: Box | None, tables_of: Callable[[np.ndarray], np.ndarray]) -> Frames:
    """Return a box of the frames, each channel of each frame replaced through a table made from its histogram.

    Args:
        frames_THWC: uint8 RGB.
        box: the part of the result that is wanted, default all.
        tables_of: from histograms int64 (N, 256) to tables (N, 256) of levels.
    """
    images = [Image.fromarray(np.ascontiguousarray(frame)) for frame in frames_THWC]
    counts = np.array([image.histogram() for image in images], np.int64)
    tables = tables_of(counts.reshape(-1, 256)).clip(0, 255).astype(np.uint8).reshape(len(images), -1)
    top, left, height, width = box or (0, 0, *frames_THWC.shape[1:3])
    out_THWC = np.empty((len(images), height, width, 3), np.uint8)
    for image, table, out in zip(images, tables.tolist(), out_THWC):
        out[...] = image.crop((left, top, left + width, top + height)).point(table)
    return out_THWC


def _blend_table(level: int, factor: float) -> bytes:
    """Return the table of Pillow's blend of a constant level (factor 0) with the picture (factor 1)."""
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    return Image.blend(Image.new("L", ramp.size, level), ramp, factor).tobytes()


def auto_contrast(frames_THWC: Frames, box: Box | None = None) -> Frames:
    """Stretch the levels of every channel of every frame to 0..255; a box of the result."""
    return _by_histogram(frames_THWC, box, _stretching_tables)


def _stretching_tables(counts_N256: np.ndarray) -> np.ndarray:
    """Return the tables that take the darkest level that occurs to 0 and the brightest to 255."""
    low, high = (counts_N256 > 0).argmax(1)[:, None], 255 - (counts_N256[:, ::-1] > 0).argmax(1)[:, None]
    ramp = np.arange(256)
    scale = 255.0 / np.maximum(high - low, 1)
    return np.where(high > low, np.trunc(ramp * scale + -low * scale), ramp)


def equalize(frames_THWC: Frames, box: Box | None = None) -> Frames:
    """Equalise the histogram of every channel of every frame; a box of the result."""
    return _by_histogram(frames_THWC, box, _equalizing_tables)


def _equalizing_tables(counts_N256: np.ndarray) -> np.ndarray:
    """Return the tables that make all levels about equally frequent, with Pillow's whole numbers."""
    total = counts_N256.sum(1)
    last = np.take_along_axis(counts_N256, 255 - (counts_N256[:, ::-1] > 0).argmax(1)[:, None], 1)[:, 0]
    step = ((total - last) // 255)[:, None]
    below = counts_N256.cumsum(1) - counts_N256
    return np.where(step > 0, (step // 2 + below) // np.maximum(step, 1), np.arange(256))


def invert(frames_THWC: Frames) -> Frames:
    """Replace v by 255 - v."""
    return 255 - frames_THWC


def posterize(frames_THWC: Frames, bits: int) -> Frames:
    """Keep the highest `bits` bits."""
    return frames_THWC & np.uint8(256 - (1 << (8 - bits)))


def solarize(frames_THWC: Frames, threshold: int) -> Frames:
    """Invert levels at or above the threshold."""
    return apply_table(frames_THWC, bytes(v if v < threshold else 255 - v for v in range(256)))


def solarize_add(frames_THWC: Frames, add: int) -> Frames:
    """Add to levels below 128."""
    return apply_table(frames_THWC, bytes(min(v + add, 255) if v < 128 else v for v in range(256)))


def color(frames_THWC: Frames, factor: float) -> Frames:
    """Blend with the grey picture; 0 is grey, 1 unchanged."""
    frames, height, width, channels = frames_THWC.shape
    tall = Image.fromarray(np.ascontiguousarray(frames_THWC).reshape(frames * height, width, channels))
    return np.asarray(ImageEnhance.Color(tall).enhance(factor)).reshape(frames_THWC.shape)


def contrast(frames_THWC: Frames, factor: float, box: Box | None = None) -> Frames:
    """Blend every frame with its mean grey level; a box of the result."""
    top, left, height, width = box or (0, 0, *frames_THWC.shape[1:3])
    out_THWC = np.empty((len(frames_THWC), height, width, 3), np.uint8)
    for frame, out in zip(frames_THWC, out_THWC):
        histogram = Image.fromarray(np.ascontiguousarray(frame)).convert("L").histogram()
        mean = sum(level * count for level, count in enumerate(histogram)) / sum(histogram)
        table = _blend_table(int(mean + 0.5), factor)
        out[...] = apply_table(frame[top : top + height, left : left + width], table)
    return out_THWC


def brightness(frames_THWC: Frames, factor: float) -> Frames:
    """Blend with black."""
    return apply_table(frames_THWC, _blend_table(0, factor))


def sharpness(frames_THWC: Frames, factor: float) -> Frames:
    """Blend with the picture smoothed by the kernel (1 1 1, 1 5 1, 1 1 1) / 13; the outermost pixels stay."""
    out_THWC = np.array(frames_THWC, order="C")
    if min(frames_THWC.shape[1:3]) < 3:
        return out_THWC
    for frame, out in zip(frames_THWC, out_THWC):
        levels = frame.astype(np.uint16)
        rows = levels[:-2] + levels[1:-1] + levels[2:]
        total = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:] + 4 * levels[1:-1, 1:-1]
        smooth = ((total + 6) // 13).astype(np.float32)
        mixed = (levels[1:-1, 1:-1] - smooth) * np.float32(factor) + smooth
        out[1:-1, 1:-1] = np.clip(mixed, 0, 255, out=mixed)
    return out_THWC


def _rotate(height: int, width: int, degrees: float) -> tuple[float, ...]:
    """Turn counter-clockwise about the centre."""
    return rotation_matrix(height, width, degrees)


def _shear_x(_: int, __: int, factor: float) -> tuple[float, ...]:
    """Shift rows in proportion to their place."""
    return 1, factor, 0, 0, 1, 0


def _shear_y(_: int, __: int, factor: float) -> tuple[float, ...]:
    """Shift columns in proportion to their place."""
    return 1, 0, 0, factor, 1, 0


def _translate_x(_: int, width: int, share: float) -> tuple[float, ...]:
    """Shift by a share of the width."""
    return 1, 0, share * width, 0, 1, 0


def _translate_y(height: int, _: int, share: float) -> tuple[float, ...]:
    """Shift by a share of the height."""
    return 1, 0, 0, 0, 1, share * height


def _signed(largest: float, base: float = 0.0) -> Callable[[float, int], float]:
    """Return the rule base + sign * largest * level / 10."""
    return lambda level, sign: base + sign * largest * level / MAX_LEVEL


@dataclass(frozen=True)
class Operation:
    """One operation of the set.

    Args:
        argument: rule from (level, sign) to the argument, or None for an operation without one.
        change: from frames (and argument; and a box where it looks at the whole frame) to frames; None for a geometric
            operation.
        matrix: from (H, W, argument) to the affine matrix of a geometric operation.
        halo: how far around its own pixel an output value looks, None for the whole frame.
    """

    argument: Callable[[float, int], float | int] | None = None
    change: Callable[..., Frames] | None = None
    matrix: Callable[[int, int, float], tuple[float, ...]] | None = None
    halo: int | None = None


_ENHANCE = _signed(0.9, 1.0)
OPERATIONS: dict[str, Operation] = {
    "AutoContrast": Operation(change=auto_contrast),
    "Equalize": Operation(change=equalize),
    "Invert": Operation(change=invert, halo=0),
    "Rotate": Operation(_signed(30.0), matrix=_rotate),
    "PosterizeIncreasing": Operation(lambda level, _: 4 - int(4 * level / MAX_LEVEL), posterize, halo=0),
    "SolarizeIncreasing": Operation(lambda level, _: 256 - int(256 * level / MAX_LEVEL), solarize, halo=0),
    "SolarizeAdd": Operation(lambda level, _: int(110 * level / MAX_LEVEL), solarize_add, halo=0),
    "ColorIncreasing": Operation(_ENHANCE, color, halo=0),
    "ContrastIncreasing": Operation(_ENHANCE, contrast),
    "BrightnessIncreasing": Operation(_ENHANCE, brightness, halo=0),
    "SharpnessIncreasing": Operation(_ENHANCE, sharpness, halo=1),
    "ShearX": Operation(_signed(0.3), matrix=_shear_x),
    "ShearY": Operation(_signed(0.3), matrix=_shear_y),
    "TranslateXRel": Operation(_signed(0.45), matrix=_translate_x),
    "TranslateYRel": Operation(_signed(0.45), matrix=_translate_y),
}
# What is drawn for one clip: (name, level, sign) of each operation in turn.
Plan = list[tuple[str, float, int]]


def apply_plan(frames_THWC: Frames, plan: Plan, interpolation: str = "bicubic", box: Box | None = None) -> Frames:
    """Return a box of the frames after all operations of a plan; each one works on what the later ones need of it.

    Args:
        frames_THWC: uint8 RGB.
        plan: operations in turn.
        interpolation: of rotation, shear and translation.
        box: the part of the result that is wanted, default all.
    """
    size = frames_THWC.shape[1:3]
    wanted = [box or (0, 0, *size)]
    for name, level, sign in reversed(plan):
        wanted.append(_needed(OPERATIONS[name], level, sign, wanted[-1], size))
    part = wanted.pop()
    frames_THWC = _cut(frames_THWC, part)
    for name, level, sign in plan:
        operation, after = OPERATIONS[name], wanted.pop()
        arguments = [] if operation.argument is None else [operation.argument(level, sign)]
        if operation.matrix is not None:
            frames_THWC = affine(frames_THWC, operation.matrix(*size, *arguments), interpolation, after, part, size)
        else:
            top, left, height, width = after
            place = (top - part[0], left - part[1], height, width)
            if operation.halo is None:
                frames_THWC = operation.change(frames_THWC, *arguments, place)
            else:
                frames_THWC = _cut(operation.change(frames_THWC, *arguments), place)
        part = after
    return frames_THWC


def _needed(operation: Operation, level: float, sign: int, box: Box, size: tuple[int, int]) -> Box:
    """Return the part of frames of (H, W) that an operation needs for a box of its result."""
    if operation.matrix is not None:
        return reach(operation.matrix(*size, operation.argument(level, sign)), box, size)
    if operation.halo is None:
        return 0, 0, *size
    (top, left, height, width), halo = box, operation.halo
    above, before = max(top - halo, 0), max(left - halo, 0)
    return above, before, min(top + height + halo, size[0]) - above, min(left + width + halo, size[1]) - before


def _cut(frames_THWC: Frames, box: Box) -> Frames:
    """Return the frames inside a box (top, left, height, width)."""
    top, left, height, width = box
    return frames_THWC[:, top : top + height, left : left + width]


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

    def draw(self, rng: np.random.Generator) -> Plan:
        """Return the operations to apply to one clip."""
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
        return apply_plan(frames_THWC, self.draw(rng), self.interpolation)


@functools.lru_cache(maxsize=8)
def parse_policy(text: str, interpolation: str = "bicubic") -> RandAugment | None:
    """Return the policy of a notation such as `rand-m7-n4-mstd0.5-inc1`; None for an empty text.

    Raises:
        ValueError: when the text is not such a notation, names the set without `inc1`, or the interpolation is unknown.
    """
    if not text:
        return None
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"interpolation {interpolation!r} is unknown, one of {', '.join(INTERPOLATIONS)} is needed")
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
