"""Objects that people use or sit on, placed in the root frame of the figure."""

from dataclasses import dataclass

import numpy as np

from slowfast.demo.skeleton import vector_T3

Colour = tuple[float, float, float]


@dataclass
class Rod:
    """A tapered capsule; with an anchor it is carried by that joint as far as `held_T` says (0 free, 1 held)."""

    start_T3: np.ndarray
    end_T3: np.ndarray
    radii: tuple[float, float]
    colour: Colour
    anchor: str | None = None
    held_T: np.ndarray | float = 1.0


@dataclass
class Cuboid:
    """A box given by its centre (T, 3), half edges and a turn about the vertical."""

    centre_T3: np.ndarray
    half: tuple[float, float, float]
    colour: Colour
    yaw: float = 0.0
    anchor: str | None = None
    held_T: np.ndarray | float = 1.0


Prop = Rod | Cuboid


def random_colour(rng: np.random.Generator, low: float = 30.0, high: float = 235.0, vivid: float = 0.3) -> Colour:
    """Draw a colour in sRGB units of 0..255; a share `vivid` of the draws is saturated, the others are muted."""
    level = rng.uniform(low, high)
    spread = rng.uniform(40.0, 110.0) if rng.uniform() < vivid else rng.uniform(0.0, 30.0)
    red, green, blue = np.clip(level + spread * rng.uniform(-1.0, 1.0, 3), 5.0, 250.0)
    return float(red), float(green), float(blue)


def held_rod(frames: int, axis_T3, length: float, radii, colour: Colour, anchor: str, grip: float = 0.5) -> Rod:
    """A rod in a hand: `axis_T3` points along it and `grip` says where on it the hand is (0 start, 1 end)."""
    axis_T3 = np.broadcast_to(axis_T3, (frames, 3))
    return Rod(-axis_T3 * length * grip, axis_T3 * length * (1.0 - grip), radii, colour, anchor)


def box(frames: int, centre, half, colour: Colour, yaw: float = 0.0) -> Cuboid:
    """A cuboid that stands still in the root frame."""
    return Cuboid(vector_T3(frames, *centre), tuple(half), colour, yaw)


def seat(rng: np.random.Generator, frames: int, height: float, back: float) -> list[Prop]:
    """A chair, stool, bench or crate whose top is at `height` and whose middle lies `back` behind the figure."""
    colour = random_colour(rng)
    width, depth = rng.uniform(0.12, 0.16), rng.uniform(0.10, 0.14)
    kind = rng.integers(4)
    if kind == 0:
        return [box(frames, (0.0, height / 2, -back), (width, height / 2, depth), colour)]
    props: list[Prop] = [box(frames, (0.0, height - 0.015, -back), (width, 0.015, depth), colour)]
    for x in (-0.9, 0.9):
        for z in (-0.9, 0.9):
            foot_T3 = vector_T3(frames, x * width, 0.0, -back + z * depth)
            top_T3 = vector_T3(frames, x * width, height - 0.02, -back + z * depth)
            props.append(Rod(foot_T3, top_T3, (0.012, 0.012), colour))
    if kind >= 2:
        centre = (0.0, height + rng.uniform(0.12, 0.16), -back - depth)
        props.append(box(frames, centre, (width, rng.uniform(0.07, 0.16), 0.014), colour))
    return props


def table(rng: np.random.Generator, frames: int, height: float, centre: tuple[float, float]) -> list[Prop]:
    """A table or cabinet whose top is at `height`, around the floor point `centre` (x, z)."""
    colour = random_colour(rng)
    half_x, half_z = rng.uniform(0.14, 0.24), rng.uniform(0.08, 0.12)
    if rng.uniform() < 0.4:
        return [box(frames, (centre[0], height / 2, centre[1]), (half_x, height / 2, half_z), colour)]
    props: list[Prop] = [box(frames, (centre[0], height - 0.015, centre[1]), (half_x, 0.015, half_z), colour)]
    for x in (-0.9, 0.9):
        foot_T3 = vector_T3(frames, centre[0] + x * half_x, 0.0, centre[1])
        props.append(Rod(foot_T3, foot_T3 + np.array([0.0, height - 0.02, 0.0]), (0.013, 0.013), colour))
    return props
