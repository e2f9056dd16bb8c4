"""Curves in time shared by all motions: eased events, repeated cycles, smooth noise."""

import numpy as np


def ease(value_T, start: float, end: float) -> np.ndarray:
    """Smooth step from 0 at `start` to 1 at `end` (cubic Hermite), same shape as `value_T`."""
    unit_T = np.clip((value_T - start) / (end - start), 0.0, 1.0)
    return unit_T * unit_T * (3.0 - 2.0 * unit_T)


def bump(value_T, rise: float, top: float, fall: float, end: float) -> np.ndarray:
    """Rise from 0 to 1 between `rise` and `top`, and return to 0 between `fall` and `end`."""
    return ease(value_T, rise, top) * (1.0 - ease(value_T, fall, end))


def event_progress(rng: np.random.Generator, seconds_T: np.ndarray, lasts: tuple[float, float]) -> np.ndarray:
    """Progress of a single event within a clip; it may have begun before the clip or end after it.

    Args:
        rng: random numbers of this clip.
        seconds_T: time stamps (T,).
        lasts: shortest and longest duration in seconds.

    Returns:
        Linear progress (T,), below 0 before the event and above 1 after it; the larger part of the event is seen.
    """
    clip = seconds_T[-1] - seconds_T[0]
    length = rng.uniform(*lasts)
    spare = clip - length
    early = 0.2 * length
    start = rng.uniform(min(-early, spare), max(spare + early, -early))
    return (seconds_T - seconds_T[0] - start) / length


def phase(rng: np.random.Generator, seconds_T: np.ndarray, hertz: tuple[float, float]) -> np.ndarray:
    """Phase in cycles (T,) of a repeated motion with random start and slightly drifting tempo."""
    rate = rng.uniform(*hertz)
    drift = rng.uniform(-0.08, 0.08)
    return rng.uniform() + rate * seconds_T * (1.0 + drift * seconds_T / max(seconds_T[-1], 1e-6))


def wave(cycles_T: np.ndarray, shift: float = 0.0) -> np.ndarray:
    """Sine of a phase given in cycles (T,)."""
    return np.sin(2.0 * np.pi * (cycles_T + shift))


def sway(rng: np.random.Generator, seconds_T: np.ndarray, size: float) -> np.ndarray:
    """Slow smooth noise (T,) with amplitude about `size`: two sines of random rate and phase."""
    slow, fast = rng.uniform(0.15, 0.5), rng.uniform(0.6, 1.3)
    return size * (0.7 * wave(seconds_T * slow + rng.uniform()) + 0.3 * wave(seconds_T * fast + rng.uniform()))
