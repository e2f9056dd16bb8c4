"""What a person looks like: proportions, clothes, and the capsules that stand for the body parts."""

from dataclasses import dataclass

import numpy as np

from slowfast.demo.props import Colour, Rod, random_colour
from slowfast.demo.skeleton import Body

SKIN_TONES = ((240, 205, 180), (224, 178, 142), (198, 148, 112), (150, 102, 72), (110, 72, 50), (80, 52, 38))
HAIR_TONES = ((28, 22, 20), (60, 40, 25), (110, 75, 40), (190, 150, 90), (140, 135, 130), (90, 40, 25))


@dataclass(frozen=True)
class Outfit:
    """Colours of one person in sRGB units of 0..255, and the cut of the clothes."""

    skin: Colour
    hair: Colour
    shirt: Colour
    sleeve: Colour
    trousers: Colour
    shin: Colour
    shoe: Colour
    emblem: Colour
    long_hair: bool


def random_body(rng: np.random.Generator) -> Body:
    """Draw the proportions of an adult or (one in ten) a child."""
    child = rng.uniform() < 0.1
    return Body(
        leg=rng.uniform(0.455, 0.515) - 0.04 * child,
        trunk=rng.uniform(0.275, 0.315),
        arm=rng.uniform(0.305, 0.350),
        shoulder=rng.uniform(0.088, 0.120),
        hip=rng.uniform(0.045, 0.062),
        head=rng.uniform(0.056, 0.066) + 0.016 * child,
        girth=rng.uniform(0.8, 1.35),
    )


def random_outfit(rng: np.random.Generator) -> Outfit:
    """Draw the clothes: long or short sleeves and trousers, colours free of each other."""
    tone = np.array(SKIN_TONES[rng.integers(len(SKIN_TONES))], dtype=float)
    skin = tuple(np.clip(tone + rng.uniform(-12, 12), 5, 250).tolist())
    shirt, trousers = random_colour(rng, 25, 240), random_colour(rng, 20, 190)
    sleeve_draw = rng.uniform()
    return Outfit(
        skin=skin,
        hair=tuple(float(value) for value in HAIR_TONES[rng.integers(len(HAIR_TONES))]),
        shirt=shirt,
        sleeve=shirt if sleeve_draw < 0.6 else skin if sleeve_draw < 0.9 else random_colour(rng),
        trousers=trousers,
        shin=trousers if rng.uniform() < 0.75 else skin,
        shoe=random_colour(rng, 15, 230),
        emblem=random_colour(rng, 40, 245) if rng.uniform() < 0.5 else shirt,
        long_hair=bool(rng.uniform() < 0.35),
    )


def body_rods(joints: dict[str, np.ndarray], body: Body, outfit: Outfit) -> list[Rod]:
    """Return the capsules of a person at the solved joints, in world coordinates."""
    girth = body.girth
    slim = 0.5 + 0.5 * girth
    rods = []

    def add(start: str, end: str, radius_start: float, radius_end: float, colour: Colour) -> None:
        rods.append(Rod(joints[start], joints[end], (radius_start, radius_end), colour))

    for suffix in ("_r", "_l"):
        add("hip" + suffix, "knee" + suffix, 0.054 * girth, 0.039 * slim, outfit.trousers)
        add("knee" + suffix, "ankle" + suffix, 0.037 * slim, 0.026, outfit.shin)
        add("ankle" + suffix, "toe" + suffix, 0.027, 0.021, outfit.shoe)
        add("shoulder" + suffix, "hip" + suffix, 0.052 * girth, 0.056 * girth, outfit.shirt)
        add("shoulder" + suffix, "elbow" + suffix, 0.034 * slim, 0.027 * slim, outfit.shirt)
        add("elbow" + suffix, "wrist" + suffix, 0.026 * slim, 0.020, outfit.sleeve)
        add("wrist" + suffix, "hand" + suffix, 0.019, 0.023, outfit.skin)
    add("neck", "pelvis", 0.055 * girth, 0.062 * girth, outfit.shirt)
    add("shoulder_r", "shoulder_l", 0.034 * slim, 0.034 * slim, outfit.shirt)
    add("neck", "head", 0.026, 0.03, outfit.skin)
    add("chest_front", "chest_front", 0.032, 0.032, outfit.emblem)
    back_T3 = 2.0 * joints["head"] - joints["face"]
    crown_T3 = 0.6 * joints["head"] + 0.4 * back_T3
    tail_T3 = 0.55 * joints["neck"] + 0.45 * back_T3 if outfit.long_hair else crown_T3
    rods.append(Rod(crown_T3, tail_T3, (body.head, body.head * 0.8), outfit.hair))
    chin_T3 = joints["face"] + 0.28 * (joints["neck"] - joints["face"])
    rods.append(Rod(joints["face"], chin_T3, (body.head * 0.82, body.head * 0.62), outfit.skin))
    return rods
