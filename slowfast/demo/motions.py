"""The 11 actions of ARID as poses over time (Xu et al. 2021, "ARID", section 3, for the classes).

Every function takes the random numbers of the clip, the body and the time stamps in seconds (T,), and returns the
pose and the objects. Actions are written for the right hand; mirroring is done when they are drawn.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from slowfast.demo.props import Prop, Rod, box, held_rod, random_colour, seat, table
from slowfast.demo.skeleton import ANKLE_HEIGHT, Body, Pose, vector_T3
from slowfast.demo.timing import bump, ease, event_progress, phase, sway, wave


@dataclass
class Motion:
    """What one person does: a pose over time and the objects around."""

    pose: Pose
    props: list[Prop] = field(default_factory=list)
    travels: bool = False


MotionFunction = Callable[[np.random.Generator, Body, np.ndarray], Motion]


def mix(start, end, weight_T: np.ndarray) -> np.ndarray:
    """Blend two points, (3,) or (T, 3), with weights (T,) to (T, 3)."""
    return np.asarray(start) + (np.asarray(end) - np.asarray(start)) * weight_T[:, None]


def stand_idle(rng: np.random.Generator, body: Body, seconds_T: np.ndarray) -> Pose:
    """A person standing with natural sway, a random stance and hands not quite at rest."""
    pose = Pose.standing(body, len(seconds_T))
    pose.side_T = pose.side_T + sway(rng, seconds_T, 0.03)
    pose.lean_T = pose.lean_T + rng.uniform(-0.03, 0.08) + sway(rng, seconds_T, 0.02)
    pose.look_T = pose.look_T + rng.uniform(-0.5, 0.5) + sway(rng, seconds_T, 0.15)
    pose.nod_T = pose.nod_T + rng.uniform(-0.1, 0.2) + sway(rng, seconds_T, 0.05)
    pose.drop_T = pose.drop_T + rng.uniform(0.0, 0.015)
    for arm, side in ((pose.right, 1.0), (pose.left, -1.0)):
        bent = rng.uniform() < 0.25
        rest = (side * 0.10, -0.24, 0.16) if bent else (side * (body.shoulder + 0.03), -0.97 * body.arm, 0.04)
        jitter_T3 = np.stack([sway(rng, seconds_T, 0.012) for _ in range(3)], axis=-1)
        arm.chest_T3 = np.asarray(rest) + rng.normal(0.0, 0.015, 3) + jitter_T3
    apart = rng.uniform(0.0, 0.05)
    stagger = rng.uniform(-0.05, 0.05)
    pose.foot_right_T3 = pose.foot_right_T3 + np.array([apart, 0.0, stagger])
    pose.foot_left_T3 = pose.foot_left_T3 - np.array([apart, 0.0, stagger])
    return pose


def sit_down(pose: Pose, weight_T, seat_height: float, back: float) -> None:
    """Lower a pose onto a seat by `weight_T` (0 stands, 1 sits); the feet stay."""
    pose.drop_T = pose.drop_T + weight_T * (pose.body.stand_height - seat_height - 0.06)
    pose.pelvis_T3 = pose.pelvis_T3 + vector_T3(pose.frames, 0.0, 0.0, -back * weight_T)


def maybe_seated(rng: np.random.Generator, pose: Pose, chance: float) -> list[Prop]:
    """With a given chance the whole action is done sitting; returns the seat."""
    if rng.uniform() >= chance:
        return []
    height, back = rng.uniform(0.22, 0.30), rng.uniform(0.17, 0.23)
    sit_down(pose, np.ones(pose.frames), height, back)
    return seat(rng, pose.frames, height, back + 0.02)


def gait(pose: Pose, cycles_T: np.ndarray, *, stride: float, lift: float, stance: float, swing: float) -> None:
    """Step with both legs and swing the arms against them.

    Args:
        pose: changed in place.
        cycles_T: phase of the right leg in cycles (T,).
        stride: half of the way that a foot travels on the floor.
        lift: height of the ankle in the middle of the swing.
        stance: share of the cycle in which a foot stands.
        swing: amplitude of the hands.
    """
    for name, shift, side in (("right", 0.0, 1.0), ("left", 0.5, -1.0)):
        unit_T = np.mod(cycles_T + shift, 1.0)
        swing_T = np.clip((unit_T - stance) / (1.0 - stance), 0.0, 1.0)
        on_floor_T = stride * (1.0 - 2.0 * unit_T / stance)
        in_air_T = -stride + 2.0 * stride * ease(swing_T, 0.0, 1.0)
        z_T = np.where(unit_T < stance, on_floor_T, in_air_T)
        y_T = ANKLE_HEIGHT + lift * np.sin(np.pi * swing_T) * (1.2 - 0.5 * swing_T)
        foot_T3 = vector_T3(pose.frames, side * (pose.body.hip * 0.9), y_T, z_T)
        toe_T = 0.7 * np.sin(np.pi * np.clip(swing_T * 1.4, 0, 1)) * min(1.0, lift * 8)
        setattr(pose, f"foot_{name}_T3", foot_T3)
        setattr(pose, f"toe_{name}_T", toe_T)
        arm = pose.right if side > 0 else pose.left
        back_T = -swing * wave(cycles_T, shift + 0.25)
        arm.chest_T3 = arm.chest_T3 + vector_T3(pose.frames, 0.0, 0.35 * np.abs(back_T), back_T)


def travel(rng: np.random.Generator, pose: Pose, seconds_T: np.ndarray, speed: float) -> None:
    """Move a pose along its own forward direction so that it is in the middle of its way at mid-clip."""
    middle = seconds_T[-1] * rng.uniform(0.4, 0.6)
    pose.position_T3 = pose.position_T3 + vector_T3(pose.frames, 0.0, 0.0, speed * (seconds_T - middle))


def drink(rng: np.random.Generator, body: Body, seconds_T: np.ndarray) -> Motion:
    """A cup or bottle goes to the mouth, stays while the head tips back, and may go down again."""
    pose = stand_idle(rng, body, seconds_T)
    frames = len(seconds_T)
    props = maybe_seated(rng, pose, 0.25)
    progress_T = event_progress(rng, seconds_T, (1.4, 2.6))
    raised_T = bump(progress_T, 0.0, rng.uniform(0.22, 0.38), rng.uniform(0.7, 0.85), 1.0)
    start = np.array([rng.uniform(0.04, 0.16), rng.uniform(-0.30, -0.16), rng.uniform(0.10, 0.20)])
    mouth = np.array([0.02, 0.055, 0.105])
    pose.right.chest_T3 = mix(start, mouth, raised_T)
    pose.right.pole = (rng.uniform(0.5, 1.3), -0.8, -0.2)
    sips_T = ease(raised_T, 0.7, 1.0) * (0.8 + 0.2 * wave(phase(rng, seconds_T, (0.6, 1.4))))
    pose.nod_T = pose.nod_T * (1 - raised_T) - rng.uniform(0.15, 0.45) * sips_T
    pose.look_T = pose.look_T * (1 - 0.9 * raised_T)
    tilt_T = rng.uniform(0.7, 1.5) * sips_T
    axis_T3 = vector_T3(frames, 0.0, np.cos(tilt_T), -np.sin(tilt_T))
    tall = rng.uniform() < 0.4
    length, radius = (rng.uniform(0.09, 0.13), 0.02) if tall else (rng.uniform(0.045, 0.07), rng.uniform(0.026, 0.034))
    props.append(held_rod(frames, axis_T3, length, (radius, radius), random_colour(rng, 60, 250), "hand_r", 0.4))
    return Motion(pose, props)


def pour(rng: np.random.Generator, body: Body, seconds_T: np.ndarray) -> Motion:
    """A bottle is raised over a cup in the other hand or on a table, and tilted; then it comes upright again."""
    pose = stand_idle(rng, body, seconds_T)
    frames = len(seconds_T)
    props = maybe_seated(rng, pose, 0.15)
    progress_T = event_progress(rng, seconds_T, (1.5, 2.8))
    tilted_T = bump(progress_T, 0.1, rng.uniform(0.3, 0.5), rng.uniform(0.75, 0.9), 1.0)
    raised_T = bump(progress_T, -0.25, 0.15, 0.95, 1.3)
    above = np.array([rng.uniform(0.06, 0.11), rng.uniform(-0.14, -0.02), rng.uniform(0.19, 0.25)])
    low = np.array([rng.uniform(0.08, 0.15), rng.uniform(-0.30, -0.24), 0.14])
    pose.right.chest_T3 = mix(low, above, raised_T)
    pose.right.pole = (1.2, -0.3, -0.4)
    cup = np.array([-0.055, rng.uniform(-0.29, -0.23), rng.uniform(0.19, 0.24)])
    pose.nod_T = pose.nod_T + 0.35 * raised_T
    pose.look_T = pose.look_T * 0.3
    colour = random_colour(rng, 60, 250)
    up = np.array([0.0, 1.0, 0.0])
    pose.left.chest_T3 = np.broadcast_to(cup, (frames, 3)) + 0.0
    pose.left.pole = (-1.0, -0.8, -0.3)
    if rng.uniform() < 0.35:
        cup_root_T3 = pose.to_root(vector_T3(frames, *cup))
        height = float(cup_root_T3[:, 1].mean()) - 0.03
        props += table(rng, frames, height, (float(cup_root_T3[:, 0].mean()), float(cup_root_T3[:, 2].mean()) + 0.02))
        props.append(Rod(cup_root_T3 + up * 0.0, cup_root_T3 + up * 0.05, (0.028, 0.03), colour))
        pose.left.chest_T3 = Pose.standing(body, frames).left.chest_T3
    else:
        props.append(held_rod(frames, up, 0.06, (0.027, 0.032), colour, "hand_l"))
    angle_T = rng.uniform(1.6, 2.2) * tilted_T
    axis_T3 = vector_T3(frames, -np.sin(angle_T), np.cos(angle_T), 0.0)
    radii = (rng.uniform(0.024, 0.036), rng.uniform(0.012, 0.02))
    length = rng.uniform(0.11, 0.16)
    props.append(held_rod(frames, axis_T3, length, radii, random_colour(rng, 40, 250), "hand_r", 0.35))
    flows_T = ease(tilted_T, 0.7, 0.95)[:, None]
    mouth_T3 = axis_T3 * length * 0.6
    liquid = (225.0, 225.0, 235.0) if rng.uniform() < 0.5 else (150.0, 90.0, 40.0)
    props.append(Rod(mouth_T3, mouth_T3 - up * 0.16 * flows_T, (0.007, 0.006), liquid, "hand_r"))
    return Motion(pose, props)


def jump(rng: np.random.Generator, body: Body, seconds_T: np.ndarray) -> Motion:
    """One to four jumps: crouch, take off with swinging arms, fly on a parabola, land softly."""
    pose = stand_idle(rng, body, seconds_T)
    cycles_T = phase(rng, seconds_T, (0.65, 1.35))
    unit_T = np.mod(cycles_T, 1.0)
    height = rng.uniform(0.10, 0.30)
    crouch = rng.uniform(0.07, 0.17)
    flight_T = np.clip((unit_T - 0.42) / 0.40, 0.0, 1.0)
    air_T = height * 4.0 * flight_T * (1.0 - flight_T)
    bent_T = bump(unit_T, 0.05, 0.28, 0.32, 0.43) + 0.7 * bump(unit_T, 0.78, 0.88, 0.9, 1.06)
    bent_T = bent_T + 0.7 * bump(unit_T, -0.22, -0.12, -0.1, 0.06)
    tuck_T = rng.uniform(0.0, 0.6) * air_T
    pose.drop_T = pose.drop_T + crouch * bent_T - air_T
    pose.lean_T = pose.lean_T + 0.5 * crouch / 0.12 * bent_T
    for foot in ("right", "left"):
        foot_T3 = getattr(pose, f"foot_{foot}_T3")
        setattr(pose, f"foot_{foot}_T3", foot_T3 + vector_T3(pose.frames, 0.0, air_T + tuck_T, -0.5 * tuck_T))
        setattr(pose, f"toe_{foot}_T", 0.8 * ease(air_T, 0.0, 0.05))
    swing_T = bump(unit_T, 0.25, 0.5, 0.62, 0.95)
    reach = rng.uniform(-0.25, 0.28)
    for arm, side in ((pose.right, 1.0), (pose.left, -1.0)):
        top = (side * rng.uniform(0.12, 0.25), reach, rng.uniform(0.02, 0.2))
        back = arm.chest_T3 + np.array([0.0, 0.03, -0.12]) * bent_T[:, None]
        arm.chest_T3 = mix(back, top, swing_T)
    if rng.uniform() < 0.35:
        steps_T = np.floor(cycles_T) + ease(unit_T, 0.38, 0.84)
        pose.position_T3 = vector_T3(pose.frames, 0.0, 0.0, rng.uniform(0.1, 0.35) * (steps_T - steps_T.mean()))
    return Motion(pose)


def pick(rng: np.random.Generator, body: Body, seconds_T: np.ndarray) -> Motion:
    """Bend or squat, grasp something on the floor or a low stool, and rise with it."""
    pose = stand_idle(rng, body, seconds_T)
    frames = len(seconds_T)
    progress_T = event_progress(rng, seconds_T, (1.3, 2.4))
    down_T = bump(progress_T, 0.0, rng.uniform(0.35, 0.45), rng.uniform(0.52, 0.62), 1.0)
    squat = rng.uniform(0.0, 1.0)
    height = rng.uniform(0.03, 0.07) if rng.uniform() < 0.75 else rng.uniform(0.12, 0.22)
    pose.drop_T = pose.drop_T + (0.10 + 0.20 * squat) * down_T
    pose.lean_T = pose.lean_T + (1.45 - 0.65 * squat) * down_T
    pose.pelvis_T3 = pose.pelvis_T3 + vector_T3(frames, 0.0, 0.0, -0.08 * down_T)
    pose.nod_T = pose.nod_T - 0.3 * down_T
    target = np.array([rng.uniform(-0.03, 0.12), height + 0.03, rng.uniform(0.20, 0.30)])
    grasp = 0.5 * (0.40 + 0.57)
    both = rng.uniform() < 0.35
    carry_T3 = np.array([0.08, -0.22, 0.17])
    for arm, side in ((pose.right, 1.0), (pose.left, -1.0)):
        if side < 0 and not both:
            continue
        goal = target + np.array([0.05 * side if both else 0.0, 0.0, 0.0])
        after = carry_T3 * np.array([side, 1.0, 1.0])
        arm.chest_T3 = mix(arm.chest_T3, after, ease(progress_T, grasp, 1.0))
        arm.root_T3 = vector_T3(frames, *goal)
        arm.in_root_T = down_T
    taken_T = ease(progress_T, grasp - 0.02, grasp + 0.06)
    colour = random_colour(rng, 60, 250)
    size = rng.uniform(0.02, 0.05)
    tip = rng.normal(size=3) * np.array([1.0, 0.2, 1.0])
    tip = tip / np.linalg.norm(tip) * rng.uniform(0.0, 0.10)
    at_T3, tip_T3 = vector_T3(frames, *(target - [0.0, 0.02, 0.0])), np.broadcast_to(tip, (frames, 3))
    props: list[Prop] = [Rod(at_T3 - tip_T3, at_T3 + tip_T3, (size, size), colour, "hand_r", taken_T)]
    if height > 0.1:
        props += table(rng, frames, height, (float(target[0]), float(target[2])))
    return Motion(pose, props)


def push(rng: np.random.Generator, body: Body, seconds_T: np.ndarray) -> Motion:
    """Both hands against a box, cart or wall: leaning steps that move it, or repeated shoves on the spot."""
    pose = stand_idle(rng, body, seconds_T)
    frames = len(seconds_T)
    lean = rng.uniform(0.2, 0.55)
    height = rng.uniform(0.58, 0.78)
    reach = rng.uniform(0.30, 0.40)
    cycles_T = phase(rng, seconds_T, (0.5, 1.1))
    shoves = rng.uniform() < 0.35
    if shoves:
        effort_T = 0.5 + 0.5 * wave(cycles_T)
        away_T = reach + 0.05 + 0.12 * effort_T
        pose.foot_right_T3 = pose.foot_right_T3 + np.array([0.0, 0.0, -0.16])
        pose.foot_left_T3 = pose.foot_left_T3 + np.array([0.0, 0.0, 0.06])
        pose.lean_T = pose.lean_T + lean * (0.3 + 0.7 * effort_T)
    else:
        effort_T = 0.1 * wave(cycles_T * 2)
        away_T = np.full(frames, reach + 0.16)
        gait(pose, cycles_T, stride=rng.uniform(0.09, 0.17), lift=0.05, stance=0.65, swing=0.0)
        pose.lean_T = pose.lean_T + lean + 0.05 * effort_T
        pose.pelvis_T3 = pose.pelvis_T3 + np.array([0.0, 0.0, -0.04])
        pose.drop_T = pose.drop_T + rng.uniform(0.03, 0.08)
        travel(rng, pose, seconds_T, rng.uniform(0.08, 0.28))
    pose.nod_T = pose.nod_T - 0.4 * pose.lean_T
    pose.look_T = pose.look_T * 0.4
    for arm, side in ((pose.right, 1.0), (pose.left, -1.0)):
        arm.root_T3 = vector_T3(frames, side * rng.uniform(0.08, 0.13), height, away_T)
        arm.in_root_T = np.ones(frames)
        arm.pole = (side * 0.8, -0.8, -0.3)
    half = (rng.uniform(0.10, 0.22), rng.uniform(0.33, 0.42) if rng.uniform() < 0.8 else 0.55, rng.uniform(0.04, 0.16))
    centre_T3 = vector_T3(frames, 0.0, half[1], away_T + half[2] + 0.045)
    pushed = box(frames, (0.0, 0.0, 0.0), half, random_colour(rng), rng.uniform(-0.08, 0.08))
    pushed.centre_T3 = centre_T3
    return Motion(pose, [pushed], travels=not shoves)


def run(rng: np.random.Generator, body: Body, seconds_T: np.ndarray) -> Motion:
    """Fast long steps with a flight phase, bent arms and a forward lean."""
    pose = stand_idle(rng, body, seconds_T)
    cycles_T = phase(rng, seconds_T, (1.25, 1.9))
    stride = rng.uniform(0.20, 0.32)
    for arm, side in ((pose.right, 1.0), (pose.left, -1.0)):
        arm.chest_T3 = vector_T3(pose.frames, side * 0.14, -0.20, 0.09)
    gait(pose, cycles_T, stride=stride, lift=rng.uniform(0.13, 0.24), stance=0.38, swing=rng.uniform(0.12, 0.2))
    pose.drop_T = pose.drop_T + 0.045 - 0.035 * np.abs(wave(cycles_T))
    pose.lean_T = pose.lean_T + rng.uniform(0.1, 0.32)
    pose.twist_T = pose.twist_T + 0.2 * wave(cycles_T, 0.25)
    if rng.uniform() < 0.9:
        travel(rng, pose, seconds_T, rng.uniform(0.9, 1.6))
    return Motion(pose, travels=True)


def walk(rng: np.random.Generator, body: Body, seconds_T: np.ndarray) -> Motion:
    """Even steps with one foot always on the floor and loosely swinging arms."""
    pose = stand_idle(rng, body, seconds_T)
    cycles_T = phase(rng, seconds_T, (0.65, 1.1))
    stride = rng.uniform(0.12, 0.20)
    gait(pose, cycles_T, stride=stride, lift=rng.uniform(0.03, 0.07), stance=0.6, swing=rng.uniform(0.04, 0.13))
    pose.drop_T = pose.drop_T + 0.02 + 0.012 * np.abs(wave(cycles_T, 0.25))
    pose.lean_T = pose.lean_T + rng.uniform(-0.02, 0.08)
    pose.twist_T = pose.twist_T + 0.1 * wave(cycles_T, 0.25)
    travel(rng, pose, seconds_T, rng.uniform(0.35, 0.65))
    return Motion(pose, travels=True)


def change_seat(rng: np.random.Generator, body: Body, seconds_T: np.ndarray, rises: bool) -> Motion:
    """Go from standing to sitting on a seat or the floor, or the other way round."""
    pose = stand_idle(rng, body, seconds_T)
    frames = len(seconds_T)
    progress_T = event_progress(rng, seconds_T, (0.9, 1.8))
    sits_T = ease(1.0 - progress_T if rises else progress_T, 0.0, 1.0)
    on_floor = rng.uniform() < 0.12
    height = 0.03 if on_floor else rng.uniform(0.20, 0.30)
    back = rng.uniform(0.17, 0.24)
    sit_down(pose, sits_T, height, back)
    moving_T = 4.0 * sits_T * (1.0 - sits_T)
    pose.lean_T = pose.lean_T + rng.uniform(0.35, 0.85) * moving_T + rng.uniform(-0.15, 0.12) * sits_T
    pose.nod_T = pose.nod_T + 0.2 * moving_T
    lap = rng.uniform() < 0.7
    for arm, side in ((pose.right, 1.0), (pose.left, -1.0)):
        goal = (side * 0.08, -0.27, 0.16) if lap else (side * 0.17, -0.28, 0.02)
        arm.chest_T3 = mix(arm.chest_T3, goal, sits_T) + vector_T3(frames, 0.0, 0.0, 0.08 * moving_T)
    pose.knee_spread = rng.uniform(0.08, 0.35)
    return Motion(pose, [] if on_floor else seat(rng, frames, height, back + 0.02))


def sit(rng: np.random.Generator, body: Body, seconds_T: np.ndarray) -> Motion:
    """From standing to sitting."""
    return change_seat(rng, body, seconds_T, rises=False)


def stand(rng: np.random.Generator, body: Body, seconds_T: np.ndarray) -> Motion:
    """From sitting to standing."""
    return change_seat(rng, body, seconds_T, rises=True)


def turn(rng: np.random.Generator, body: Body, seconds_T: np.ndarray) -> Motion:
    """Turn the whole body by 90 to 360 degrees with small steps; sometimes out of a walk."""
    pose = stand_idle(rng, body, seconds_T)
    progress_T = event_progress(rng, seconds_T, (1.0, 2.2))
    angle = rng.choice([-1.0, 1.0]) * rng.uniform(1.5, 4.6)
    turned_T = ease(progress_T, 0.0, 1.0)
    active_T = np.clip(4.0 * turned_T * (1.0 - turned_T), 0.0, 1.0) ** 0.5
    pose.yaw_T = pose.yaw_T + angle * turned_T
    ahead_T = np.sign(angle) * active_T
    pose.look_T = pose.look_T + 0.45 * ahead_T
    pose.twist_T = pose.twist_T + 0.25 * ahead_T
    cycles_T = phase(rng, seconds_T, (1.2, 1.9))
    for name, shift in (("right", 0.0), ("left", 0.5)):
        lift_T = np.maximum(wave(cycles_T, shift), 0.0) * active_T
        foot_T3 = getattr(pose, f"foot_{name}_T3")
        step_T3 = vector_T3(pose.frames, 0.02 * lift_T, 0.06 * lift_T, 0.05 * lift_T)
        setattr(pose, f"foot_{name}_T3", foot_T3 + step_T3)
    pose.right.chest_T3 = pose.right.chest_T3 + vector_T3(pose.frames, 0.05 * active_T, 0.02 * active_T, 0.0)
    pose.left.chest_T3 = pose.left.chest_T3 + vector_T3(pose.frames, -0.05 * active_T, 0.02 * active_T, 0.0)
    return Motion(pose)


def wave_hand(rng: np.random.Generator, body: Body, seconds_T: np.ndarray) -> Motion:
    """A raised hand (sometimes both) swings from side to side at 1 to 2.6 Hz."""
    pose = stand_idle(rng, body, seconds_T)
    props = maybe_seated(rng, pose, 0.1)
    progress_T = event_progress(rng, seconds_T, (2.0, 4.0))
    raised_T = bump(progress_T, -0.05, 0.12, 0.9, 1.05)
    cycles_T = phase(rng, seconds_T, (1.0, 2.6))
    swing = rng.uniform(0.05, 0.12)
    height = rng.uniform(0.02, 0.27)
    both = rng.uniform() < 0.2
    for arm, side in ((pose.right, 1.0), (pose.left, -1.0)):
        if side < 0 and not both:
            continue
        x_T = side * (0.20 + rng.uniform(0.0, 0.05)) + swing * wave(cycles_T)
        y_T = height - 0.25 * swing * np.abs(wave(cycles_T))
        arm.chest_T3 = mix(arm.chest_T3, vector_T3(pose.frames, x_T, y_T, rng.uniform(0.02, 0.12)), raised_T)
        arm.pole = (side * 0.9, -1.0, -0.1)
    pose.side_T = pose.side_T + 0.03 * wave(cycles_T) * raised_T
    return Motion(pose, props)


ARID_MOTIONS: dict[str, MotionFunction] = {
    "Drink": drink,
    "Jump": jump,
    "Pick": pick,
    "Pour": pour,
    "Push": push,
    "Run": run,
    "Sit": sit,
    "Stand": stand,
    "Turn": turn,
    "Walk": walk,
    "Wave": wave_hand,
}
