"""Backgrounds: rooms and places painted on a canvas that is larger than the picture."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from slowfast.demo.props import random_colour


@dataclass
class Painter:
    """A canvas being painted: image, pen, random numbers, horizon line and the scale of one picture height."""

    image: Image.Image
    pen: ImageDraw.ImageDraw
    rng: np.random.Generator
    horizon: float
    unit: float

    @property
    def width(self) -> int:
        """Width of the canvas in pixels."""
        return self.image.width

    @property
    def height(self) -> int:
        """Height of the canvas in pixels."""
        return self.image.height

    def colour(self, low: float = 30.0, high: float = 235.0) -> tuple[int, int, int]:
        """Draw a whole-numbered colour."""
        red, green, blue = random_colour(self.rng, low, high, vivid=0.15)
        return int(red), int(green), int(blue)

    def box(self, x: float, y: float, wide: float, tall: float, colour) -> None:
        """Fill a rectangle given by its left upper corner and size in pixels."""
        self.pen.rectangle((x, y, x + wide, y + tall), fill=colour)

    def spots(self, low: float, high: float, every: float) -> list[float]:
        """Random x positions across the canvas, about `every` picture heights apart, none for small canvases."""
        count = max(1, round(self.width / (every * self.unit)))
        return [self.width * (i + self.rng.uniform(low, high)) / count for i in range(count)]


def gradient(size: tuple[int, int], top, bottom) -> Image.Image:
    """Vertical gradient between two colours."""
    rows = np.linspace(0.0, 1.0, size[1])[:, None]
    column = (np.asarray(top) * (1 - rows) + np.asarray(bottom) * rows).astype(np.uint8)
    return Image.fromarray(column[:, None, :]).resize(size, Image.Resampling.NEAREST)


def darker(colour, factor: float) -> tuple[int, int, int]:
    """Scale a colour."""
    red, green, blue = (int(min(255, value * factor)) for value in colour)
    return red, green, blue


def start(rng, size, unit: float, upper, lower, horizon: float) -> Painter:
    """Paint the part above the horizon and the floor below it as two gradients."""
    image = gradient(size, darker(upper, 0.85), darker(upper, 1.1))
    floor = gradient((size[0], max(1, size[1] - int(horizon))), darker(lower, 0.8), darker(lower, 1.1))
    image.paste(floor, (0, int(horizon)))
    return Painter(image, ImageDraw.Draw(image), rng, horizon, unit)


def living_room(rng, size, unit: float, horizon: float) -> Painter:
    """Wall, skirting, a window, pictures and furniture."""
    painter = start(
        rng, size, unit, random_colour(rng, 130, 240, vivid=0.08), random_colour(rng, 80, 190, vivid=0.08), horizon
    )
    painter.box(0, horizon - 0.03 * unit, painter.width, 0.03 * unit, painter.colour(60, 240))
    for x in painter.spots(0.0, 1.0, 0.8):
        wide, tall = rng.uniform(0.15, 0.4, 2) * unit
        top = horizon - rng.uniform(0.45, 0.8) * unit
        painter.box(x, top, wide, tall, painter.colour(60, 250))
        painter.box(x + 3, top + 3, wide - 6, tall - 6, painter.colour(120, 250))
    for x in painter.spots(0.0, 1.0, 1.3):
        wide, tall = rng.uniform(0.2, 0.5) * unit, rng.uniform(0.2, 0.6) * unit
        painter.box(x, horizon + 0.08 * unit - tall, wide, tall, painter.colour())
    return painter


def sports_hall(rng, size, unit: float, horizon: float) -> Painter:
    """Plain wall in two colours and floor lines."""
    painter = start(
        rng, size, unit, random_colour(rng, 120, 230, vivid=0.08), random_colour(rng, 110, 200, vivid=0.08), horizon
    )
    painter.box(0, horizon - rng.uniform(0.2, 0.4) * unit, painter.width, 0.08 * unit, painter.colour())
    for _ in range(rng.integers(1, 4)):
        y = horizon + rng.uniform(0.05, 0.5) * unit
        slope = rng.uniform(-0.1, 0.1) * painter.width
        painter.pen.line((0, y, painter.width, y + slope), fill=painter.colour(100, 250), width=3)
    return painter


def park(rng, size, unit: float, horizon: float) -> Painter:
    """Bright sky, grass, trees and bushes."""
    sky = (150 + rng.uniform(0, 70), 185 + rng.uniform(0, 50), 225 + rng.uniform(0, 30))
    grass = (70 + rng.uniform(0, 60), 110 + rng.uniform(0, 70), 40 + rng.uniform(0, 40))
    painter = start(rng, size, unit, sky, grass, horizon)
    for x in painter.spots(0.0, 1.0, 0.5):
        green = (int(30 + rng.uniform(0, 60)), int(70 + rng.uniform(0, 80)), int(25 + rng.uniform(0, 40)))
        radius, top = rng.uniform(0.1, 0.3) * unit, horizon - rng.uniform(0.05, 0.45) * unit
        if rng.uniform() < 0.6:
            painter.box(x - 0.02 * unit, top, 0.04 * unit, horizon - top + 3, (80, 60, 40))
        painter.pen.ellipse((x - radius, top - radius, x + radius, top + 0.7 * radius), fill=green)
    return painter


def street(rng, size, unit: float, horizon: float) -> Painter:
    """House fronts with windows above a pavement, by day."""
    painter = start(rng, size, unit, (200, 212, 225), random_colour(rng, 110, 170, vivid=0.08), horizon)
    for x in painter.spots(0.0, 0.4, 0.7):
        wide, tall = rng.uniform(0.4, 0.9) * unit, rng.uniform(0.4, 1.2) * unit
        wall, pane = painter.colour(90, 220), painter.colour(50, 140)
        painter.box(x, horizon - tall, wide, tall, wall)
        for row in np.arange(horizon - tall + 0.06 * unit, horizon - 0.1 * unit, 0.2 * unit):
            for column in np.arange(x + 0.05 * unit, x + wide - 0.1 * unit, 0.18 * unit):
                painter.box(column, row, 0.09 * unit, 0.12 * unit, pane)
    return painter


def studio(rng, size, unit: float, horizon: float) -> Painter:
    """An almost plain backdrop with a soft change of brightness."""
    backdrop = random_colour(rng, 110, 235, vivid=0.08)
    return start(rng, size, unit, backdrop, darker(backdrop, rng.uniform(0.7, 1.05)), horizon)


def night_street(rng, size, unit: float, horizon: float) -> Painter:
    """Dark blocks with a few lit windows, lamp posts and asphalt."""
    painter = start(
        rng, size, unit, random_colour(rng, 20, 70, vivid=0.08), random_colour(rng, 60, 130, vivid=0.08), horizon
    )
    for x in painter.spots(0.0, 0.5, 0.55):
        wide, tall = rng.uniform(0.3, 0.8) * unit, rng.uniform(0.3, 1.0) * unit
        painter.box(x, horizon - tall, wide, tall, painter.colour(50, 150))
        for _ in range(rng.integers(2, 7)):
            left, top = x + rng.uniform(0.0, 0.9) * wide, horizon - rng.uniform(0.15, 1.0) * tall
            painter.box(left, top, 0.07 * unit, 0.09 * unit, painter.colour(60, 255))
    for x in painter.spots(0.0, 1.0, 1.4):
        top = horizon - rng.uniform(0.6, 0.9) * unit
        painter.box(x, top, 0.02 * unit, horizon - top + 0.1 * unit, painter.colour(60, 120))
        painter.pen.ellipse((x - 6, top - 6, x + 8, top + 6), fill=(255, 240, 200))
    return painter


def car_park(rng, size, unit: float, horizon: float) -> Painter:
    """Pillars, parked cars and marked bays."""
    painter = start(
        rng, size, unit, random_colour(rng, 80, 160, vivid=0.08), random_colour(rng, 90, 180, vivid=0.08), horizon
    )
    for x in painter.spots(0.0, 1.0, 0.9):
        painter.box(x, 0, rng.uniform(0.08, 0.16) * unit, horizon + 0.1 * unit, painter.colour(100, 180))
    for x in painter.spots(0.0, 1.0, 1.0):
        body, base = painter.colour(40, 220), horizon + rng.uniform(0.02, 0.12) * unit
        painter.pen.ellipse((x + 0.1 * unit, base - 0.3 * unit, x + 0.5 * unit, base), fill=darker(body, 0.6))
        painter.box(x, base - 0.17 * unit, 0.6 * unit, 0.14 * unit, body)
        for wheel in (0.1, 0.42):
            painter.pen.ellipse((x + wheel * unit, base - 9, x + wheel * unit + 12, base + 3), fill=(20, 20, 20))
    for x in painter.spots(0.0, 1.0, 0.5):
        painter.pen.line((x, horizon, x + 0.2 * unit, painter.height), fill=painter.colour(150, 240), width=3)
    return painter


def alley(rng, size, unit: float, horizon: float) -> Painter:
    """A wall of bricks or panels with doors and pipes."""
    wall = random_colour(rng, 70, 170, vivid=0.08)
    painter = start(rng, size, unit, wall, random_colour(rng, 60, 140, vivid=0.08), horizon)
    seam, course = darker(wall, rng.uniform(0.6, 0.85)), rng.uniform(0.06, 0.18) * unit
    for row, y in enumerate(np.arange(0, horizon, course)):
        painter.pen.line((0, y, painter.width, y), fill=seam)
        for x in np.arange((row % 2) * course, painter.width, 2 * course):
            painter.pen.line((x, y, x, min(y + course, horizon)), fill=seam)
    for x in painter.spots(0.0, 1.0, 1.2):
        tall = rng.uniform(0.5, 0.8) * unit
        painter.box(x, horizon - tall, rng.uniform(0.2, 0.35) * unit, tall, painter.colour(40, 200))
    return painter


def thicket(rng, size, unit: float, horizon: float) -> Painter:
    """Trunks and a fence before dark leaves, on a path."""
    painter = start(rng, size, unit, (40, 55, 45), random_colour(rng, 80, 160, vivid=0.08), horizon)
    for x in painter.spots(0.0, 1.0, 0.22):
        tone = rng.uniform(40, 130)
        wide = rng.uniform(0.02, 0.09) * unit
        trunk = (int(tone), int(tone * 0.85), int(tone * 0.65))
        painter.box(x, 0, wide, horizon + rng.uniform(0, 0.1) * unit, trunk)
    if rng.uniform() < 0.5:
        for rail in (0.12, 0.26):
            painter.box(0, horizon - rail * unit, painter.width, 0.03 * unit, painter.colour(80, 170))
    return painter


def corridor(rng, size, unit: float, horizon: float) -> Painter:
    """A corridor or stair hall: doors, a rail and a tiled floor."""
    painter = start(
        rng, size, unit, random_colour(rng, 90, 190, vivid=0.08), random_colour(rng, 70, 160, vivid=0.08), horizon
    )
    for x in painter.spots(0.0, 1.0, 0.7):
        tall = rng.uniform(0.65, 0.9) * unit
        painter.box(x, horizon - tall, 0.28 * unit, tall, painter.colour(50, 200))
        painter.box(x + 0.23 * unit, horizon - 0.5 * tall, 3, 3, (230, 220, 180))
    tile, middle = painter.colour(60, 200), painter.width / 2
    for x in np.arange(-painter.width, 2 * painter.width, 0.25 * unit):
        painter.pen.line((middle + 0.4 * (x - middle), horizon, x, painter.height), fill=tile)
    return painter


Scene = Callable[[np.random.Generator, tuple[int, int], float, float], Painter]
LIGHT_SCENES: tuple[Scene, ...] = (living_room, sports_hall, park, street, studio)
DARK_SCENES: tuple[Scene, ...] = (night_street, car_park, alley, thicket, corridor)


def paint(rng: np.random.Generator, scenes: tuple[Scene, ...], size, unit: float, horizon: float) -> Image.Image:
    """Paint a random one of the scenes and add surface texture.

    Args:
        rng: random numbers of this clip.
        scenes: the scenes of the domain.
        size: width and height of the canvas in pixels.
        unit: height of the visible picture in pixels.
        horizon: y of the line between wall and floor.
    """
    painter = scenes[rng.integers(len(scenes))](rng, size, unit, horizon)
    strength = rng.uniform(2.0, 14.0)
    coarse = (max(2, size[0] // 8), max(2, size[1] // 8))
    noise = Image.fromarray(rng.normal(128.0, strength, (coarse[1], coarse[0])).clip(0, 255).astype(np.uint8))
    grain = np.asarray(noise.resize(size, Image.Resampling.BILINEAR), dtype=np.int16) - 128
    textured = np.asarray(painter.image, dtype=np.int16) + grain[..., None]
    return Image.fromarray(textured.clip(0, 255).astype(np.uint8))
