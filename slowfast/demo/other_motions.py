"""24 motions that are none of the ARID actions, for pre-training the starting weights of the demo.

Same interface as `motions.py`: random numbers, body and time stamps (T,) in, pose and objects out.
"""

import numpy as np

from slowfast.demo.motions import Motion, MotionFunction, mix, stand_idle, travel
from slowfast.demo.props import Rod, box, held_rod, random_colour, table
from slowfast.demo.skeleton import Body, Pose, vector_T3
from slowfast.demo.timing import bump, ease, event_progress, phase, wave

Rng = np.random.Generator


def arms(pose: Pose):
    """Both arms with their side: +1 right, -1 left."""
    return ((pose.right, 1.0), (pose.left, -1.0))


def up_and_back(rng: Rng, seconds_T: np.ndarray, hertz: tuple[float, float]) -> np.ndarray:
    """A repeated movement that rests at 0 and reaches 1 (T,)."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * phase(rng, seconds_T, hertz))


def clap(rng: Rng, body: Body, seconds_T: np.ndarray) -> Motion:
    """Hands meet before the chest at 1.2 to 2.6 Hz."""
    pose = stand_idle(rng, body, seconds_T)
    open_T = up_and_back(rng, seconds_T, (1.2, 2.6)) ** 0.7
    height = rng.uniform(-0.2, 0.02)
    for arm, side in arms(pose):
        arm.chest_T3 = vector_T3(pose.frames, side * (0.01 + rng.uniform(0.1, 0.16) * open_T), height, 0.22)
    return Motion(pose)


def kick(rng: Rng, body: Body, seconds_T: np.ndarray) -> Motion:
    """One leg swings back and shoots forward."""
    pose = stand_idle(rng, body, seconds_T)
    unit_T = np.mod(phase(rng, seconds_T, (0.5, 0.9)), 1.0)
    back_T, front_T = bump(unit_T, 0.05, 0.25, 0.27, 0.4), bump(unit_T, 0.3, 0.45, 0.5, 0.75)
    y_T = 0.1 * back_T + rng.uniform(0.12, 0.42) * front_T
    pose.foot_right_T3 = pose.foot_right_T3 + vector_T3(pose.frames, 0.0, y_T, 0.38 * front_T - 0.2 * back_T)
    pose.lean_T = pose.lean_T - 0.25 * front_T + 0.1 * back_T
    pose.left.chest_T3 = pose.left.chest_T3 + vector_T3(pose.frames, -0.1, 0.12, 0.2) * front_T[:, None]
    return Motion(pose)


def squat(rng: Rng, body: Body, seconds_T: np.ndarray) -> Motion:
    """Knee bends with arms held out, no seat, over and over."""
    pose = stand_idle(rng, body, seconds_T)
    down_T = up_and_back(rng, seconds_T, (0.5, 1.0))
    pose.drop_T = pose.drop_T + rng.uniform(0.14, 0.26) * down_T
    pose.pelvis_T3 = pose.pelvis_T3 + vector_T3(pose.frames, 0.0, 0.0, -0.08 * down_T)
    pose.lean_T = pose.lean_T + 0.45 * down_T
    for arm, side in arms(pose):
        arm.chest_T3 = mix(arm.chest_T3, (side * 0.1, 0.0, 0.32), 0.3 + 0.7 * down_T)
    return Motion(pose)


def bow(rng: Rng, body: Body, seconds_T: np.ndarray) -> Motion:
    """The trunk bends forward with straight legs, the hands stay at the body."""
    pose = stand_idle(rng, body, seconds_T)
    down_T = bump(event_progress(rng, seconds_T, (1.2, 2.2)), 0.0, 0.4, 0.55, 1.0)
    pose.lean_T = pose.lean_T + rng.uniform(0.6, 1.2) * down_T
    pose.pelvis_T3 = pose.pelvis_T3 + vector_T3(pose.frames, 0.0, 0.0, -0.06 * down_T)
    for arm, side in arms(pose):
        arm.chest_T3 = mix(arm.chest_T3, (side * 0.10, -0.30, 0.08), np.ones(pose.frames))
    return Motion(pose)


def stretch(rng: Rng, body: Body, seconds_T: np.ndarray) -> Motion:
    """Both arms go up over the head, the trunk bends to the sides."""
    pose = stand_idle(rng, body, seconds_T)
    up_T = bump(event_progress(rng, seconds_T, (1.6, 2.8)), 0.0, 0.3, 0.75, 1.0)
    pose.side_T = pose.side_T + 0.4 * up_T * wave(phase(rng, seconds_T, (0.3, 0.6)))
    for arm, side in arms(pose):
        arm.chest_T3 = mix(arm.chest_T3, (side * 0.05, 0.30, 0.0), up_T)
        arm.pole = (side, 0.0, 0.3)
    return Motion(pose)


def side_step(rng: Rng, body: Body, seconds_T: np.ndarray) -> Motion:
    """Steps to the side: apart, together, and back again."""
    pose = stand_idle(rng, body, seconds_T)
    cycles_T = phase(rng, seconds_T, (0.6, 1.1))
    apart_T = np.maximum(wave(cycles_T), 0.0)
    width = rng.uniform(0.08, 0.14)
    lift_T = 0.04 * np.abs(wave(cycles_T, 0.25))
    pose.foot_right_T3 = pose.foot_right_T3 + vector_T3(pose.frames, width * apart_T, lift_T, 0.0)
    pose.foot_left_T3 = pose.foot_left_T3 - vector_T3(pose.frames, width * apart_T, 0.0, 0.0)
    pose.drop_T = pose.drop_T + 0.04 * apart_T
    pose.position_T3 = vector_T3(pose.frames, rng.uniform(0.1, 0.25) * wave(cycles_T * 0.5), 0.0, 0.0)
    return Motion(pose)


def crawl(rng: Rng, body: Body, seconds_T: np.ndarray) -> Motion:
    """On hands and knees, diagonal steps."""
    pose = stand_idle(rng, body, seconds_T)
    cycles_T = phase(rng, seconds_T, (0.6, 1.1))
    pose.drop_T = pose.drop_T + body.stand_height - 0.27
    pose.lean_T = np.full(pose.frames, rng.uniform(1.35, 1.5))
    pose.nod_T = pose.nod_T - 0.9
    for arm, side in arms(pose):
        step_T = side * wave(cycles_T)
        y_T = 0.03 + 0.04 * np.maximum(side * wave(cycles_T, 0.25), 0.0)
        arm.root_T3 = vector_T3(pose.frames, side * 0.11, y_T, 0.30 + 0.08 * step_T)
        arm.in_root_T = np.ones(pose.frames)
        foot_T3 = vector_T3(pose.frames, side * 0.06, 0.03, -0.26 - 0.07 * step_T)
        setattr(pose, "foot_right_T3" if side > 0 else "foot_left_T3", foot_T3)
    pose.toe_right_T = pose.toe_left_T = np.full(pose.frames, 1.9)
    travel(rng, pose, seconds_T, rng.uniform(0.1, 0.3))
    return Motion(pose, travels=True)


def throw(rng: Rng, body: Body, seconds_T: np.ndarray) -> Motion:
    """The arm draws back over the shoulder and throws a ball forward."""
    pose = stand_idle(rng, body, seconds_T)
    progress_T = event_progress(rng, seconds_T, (1.0, 1.8))
    back_T, front_T = bump(progress_T, 0.0, 0.4, 0.5, 0.65), bump(progress_T, 0.5, 0.66, 0.75, 1.1)
    pose.right.chest_T3 = mix(mix(pose.right.chest_T3, (0.22, 0.12, -0.18), back_T), (0.1, 0.02, 0.34), front_T)
    pose.twist_T = pose.twist_T + 0.6 * back_T - 0.5 * front_T
    pose.lean_T = pose.lean_T + 0.3 * front_T - 0.12 * back_T
    fly_T = np.clip((progress_T - 0.62) / 0.3, 0.0, None)
    ball_T3 = vector_T3(pose.frames, 0.0, 0.25 * fly_T - 0.3 * fly_T**2, 1.4 * fly_T)
    radius = rng.uniform(0.025, 0.05)
    return Motion(pose, [Rod(ball_T3, ball_T3, (radius, radius), random_colour(rng, 80, 250), "hand_r")])


def point(rng: Rng, body: Body, seconds_T: np.ndarray) -> Motion:
    """One arm is stretched out to point at something, held still, and lowered."""
    pose = stand_idle(rng, body, seconds_T)
    out_T = bump(event_progress(rng, seconds_T, (1.4, 2.6)), 0.0, 0.2, 0.8, 1.0)
    goal = np.array([rng.uniform(0.0, 0.25), rng.uniform(-0.08, 0.12), rng.uniform(0.2, 0.33)])
    pose.right.chest_T3 = mix(pose.right.chest_T3, goal / np.linalg.norm(goal) * 0.34, out_T)
    pose.look_T = pose.look_T + 0.5 * out_T * goal[0] / 0.25
    return Motion(pose)


def punch(rng: Rng, body: Body, seconds_T: np.ndarray) -> Motion:
    """Alternating straight punches from a guard."""
    pose = stand_idle(rng, body, seconds_T)
    cycles_T = phase(rng, seconds_T, (0.8, 1.6))
    for arm, side in arms(pose):
        out_T = np.maximum(side * wave(cycles_T), 0.0) ** 1.5
        arm.chest_T3 = mix((side * 0.07, -0.04, 0.13), (0.02 * side, 0.0, 0.35), out_T)
    pose.twist_T = pose.twist_T - 0.4 * wave(cycles_T)
    pose.foot_right_T3 = pose.foot_right_T3 + np.array([0.0, 0.0, -0.10])
    pose.foot_left_T3 = pose.foot_left_T3 + np.array([0.0, 0.0, 0.06])
    return Motion(pose)


def nod(rng: Rng, body: Body, seconds_T: np.ndarray) -> Motion:
    """The head nods or shakes with crossed or hanging arms."""
    pose = stand_idle(rng, body, seconds_T)
    swing_T = wave(phase(rng, seconds_T, (0.9, 1.8)))
    if rng.uniform() < 0.5:
        pose.nod_T = pose.nod_T + 0.45 * swing_T
    else:
        pose.look_T = pose.look_T + 0.8 * swing_T
    if rng.uniform() < 0.6:
        for arm, side in arms(pose):
            arm.chest_T3 = vector_T3(pose.frames, -0.06 * side, -0.14 - 0.02 * side, 0.13)
    return Motion(pose)


def stir(rng: Rng, body: Body, seconds_T: np.ndarray) -> Motion:
    """Circles with a spoon in a pot on a table."""
    pose = stand_idle(rng, body, seconds_T)
    cycles_T = phase(rng, seconds_T, (0.7, 1.6))
    radius, height = rng.uniform(0.04, 0.07), rng.uniform(0.46, 0.54)
    x_T, z_T = 0.05 + radius * wave(cycles_T), 0.28 + radius * wave(cycles_T, 0.25)
    pose.right.root_T3, pose.right.in_root_T = vector_T3(pose.frames, x_T, height + 0.14, z_T), np.ones(pose.frames)
    pose.nod_T = pose.nod_T + 0.3
    pot_T3 = vector_T3(pose.frames, 0.05, height + 0.02, 0.28)
    props = table(rng, pose.frames, height, (0.05, 0.30))
    props.append(Rod(pot_T3, pot_T3 + np.array([0.0, 0.05, 0.0]), (0.075, 0.08), random_colour(rng)))
    props.append(held_rod(pose.frames, (0.0, -1.0, 0.0), 0.14, (0.008, 0.014), random_colour(rng), "hand_r", 0.1))
    return Motion(pose, props)


def lift(rng: Rng, body: Body, seconds_T: np.ndarray) -> Motion:
    """A bar is pressed from the shoulders over the head."""
    pose = stand_idle(rng, body, seconds_T)
    up_T = up_and_back(rng, seconds_T, (0.4, 0.9))
    for arm, side in arms(pose):
        arm.chest_T3 = mix((side * 0.17, 0.0, 0.11), (side * 0.17, 0.28, 0.03), up_T)
        arm.pole = (side * 0.8, -1.0, 0.3)
    colour, radius = random_colour(rng), rng.uniform(0.02, 0.07)
    props = [held_rod(pose.frames, (1.0, 0.0, 0.0), 0.75, (0.012, 0.012), colour, "hand_r", 0.72)]
    for x in (-0.54, 0.2):
        end_T3 = np.broadcast_to(np.array([x, 0.0, 0.0]), (pose.frames, 3))
        props.append(Rod(end_T3, end_T3, (radius, radius), colour, "hand_r"))
    return Motion(pose, props)


def cartwheel(rng: Rng, body: Body, seconds_T: np.ndarray) -> Motion:
    """The stretched body rolls sideways over the hands."""
    pose = Pose.standing(body, len(seconds_T))
    turned_T = ease(event_progress(rng, seconds_T, (1.0, 1.8)), 0.0, 1.0)
    angle_T = 2 * np.pi * turned_T
    centre = 0.5
    pose.side_T = angle_T
    pelvis_y_T = centre + (body.stand_height - centre) * np.cos(angle_T)
    pose.drop_T = body.stand_height - pelvis_y_T
    pose.pelvis_T3 = vector_T3(pose.frames, (body.stand_height - centre) * np.sin(angle_T), 0.0, 0.0)
    for arm, side in arms(pose):
        arm.chest_T3 = vector_T3(pose.frames, side * 0.16, 0.27, 0.0)
        bend_T = angle_T + side * 0.35 * np.sqrt(np.clip(4 * turned_T * (1 - turned_T), 0, 1))
        x_T = pose.pelvis_T3[:, 0] - 0.46 * np.sin(bend_T) + side * 0.05 * np.cos(angle_T)
        y_T = np.maximum(pelvis_y_T - 0.46 * np.cos(bend_T), 0.04)
        setattr(pose, "foot_right_T3" if side > 0 else "foot_left_T3", vector_T3(pose.frames, x_T, y_T, 0.0))
    pose.position_T3 = vector_T3(pose.frames, rng.uniform(0.3, 0.7) * (turned_T - 0.5), 0.0, 0.0)
    return Motion(pose)


def march(rng: Rng, body: Body, seconds_T: np.ndarray) -> Motion:
    """High knees on the spot with stiff swinging arms."""
    pose = stand_idle(rng, body, seconds_T)
    cycles_T = phase(rng, seconds_T, (0.7, 1.2))
    height = rng.uniform(0.15, 0.28)
    for arm, side in arms(pose):
        up_T = np.maximum(side * wave(cycles_T), 0.0)
        foot_T3 = vector_T3(pose.frames, side * 0.06, 0.04 + height * up_T, 0.12 * up_T)
        setattr(pose, "foot_right_T3" if side > 0 else "foot_left_T3", foot_T3)
        arm.chest_T3 = arm.chest_T3 + vector_T3(pose.frames, 0.0, 0.14 * (1 - up_T), 0.26 * (0.4 - up_T))
    return Motion(pose)


def lunge(rng: Rng, body: Body, seconds_T: np.ndarray) -> Motion:
    """A long step forward, the hips sink, and back again, hands on the hips."""
    pose = stand_idle(rng, body, seconds_T)
    out_T = up_and_back(rng, seconds_T, (0.4, 0.8))
    pose.foot_right_T3 = pose.foot_right_T3 + vector_T3(pose.frames, 0.0, 0.03 * out_T * (1 - out_T), 0.34 * out_T)
    pose.foot_left_T3 = pose.foot_left_T3 + vector_T3(pose.frames, 0.0, 0.02 * out_T, -0.16 * out_T)
    pose.toe_left_T = 0.9 * out_T
    pose.pelvis_T3 = pose.pelvis_T3 + vector_T3(pose.frames, 0.0, 0.0, 0.10 * out_T)
    pose.drop_T = pose.drop_T + rng.uniform(0.12, 0.2) * out_T
    for arm, side in arms(pose):
        arm.chest_T3 = vector_T3(pose.frames, side * 0.10, -0.27, 0.03)
        arm.pole = (side, 0.0, -0.6)
    return Motion(pose)


def wipe(rng: Rng, body: Body, seconds_T: np.ndarray) -> Motion:
    """A flat hand wipes a board in wide sweeps."""
    pose = stand_idle(rng, body, seconds_T)
    cycles_T = phase(rng, seconds_T, (0.5, 1.2))
    x_T = 0.03 + rng.uniform(0.12, 0.2) * wave(cycles_T)
    y_T = rng.uniform(0.72, 0.9) + 0.08 * wave(cycles_T * 0.5)
    pose.right.root_T3, pose.right.in_root_T = vector_T3(pose.frames, x_T, y_T, 0.30), np.ones(pose.frames)
    pose.twist_T = pose.twist_T + 0.15 * wave(cycles_T)
    board = box(pose.frames, (0.0, 0.8, 0.35), (rng.uniform(0.25, 0.4), 0.2, 0.012), random_colour(rng, 120, 250))
    return Motion(pose, [board])


def swing_arms(rng: Rng, body: Body, seconds_T: np.ndarray) -> Motion:
    """Straight arms circle at the shoulders like windmills."""
    pose = stand_idle(rng, body, seconds_T)
    cycles_T = phase(rng, seconds_T, (0.6, 1.3))
    shift = 0.5 if rng.uniform() < 0.5 else 0.0
    for arm, side in arms(pose):
        turn_T = cycles_T + (shift if side > 0 else 0.0)
        arm.chest_T3 = vector_T3(pose.frames, side * 0.16, 0.31 * wave(turn_T), 0.31 * wave(turn_T, 0.25))
    return Motion(pose)


def jumping_jack(rng: Rng, body: Body, seconds_T: np.ndarray) -> Motion:
    """Legs apart and arms over the head, and together again, without leaving the floor much."""
    pose = stand_idle(rng, body, seconds_T)
    open_T = up_and_back(rng, seconds_T, (0.8, 1.5))
    for arm, side in arms(pose):
        angle_T = -1.35 + 2.7 * open_T
        x_T = side * (0.1 + 0.30 * np.cos(angle_T))
        arm.chest_T3 = vector_T3(pose.frames, x_T, 0.30 * np.sin(angle_T), 0.02)
        foot_T3 = vector_T3(pose.frames, side * (0.05 + 0.15 * open_T), 0.04, -0.015)
        setattr(pose, "foot_right_T3" if side > 0 else "foot_left_T3", foot_T3)
    pose.drop_T = pose.drop_T + 0.03 * open_T
    return Motion(pose)


def kneel(rng: Rng, body: Body, seconds_T: np.ndarray) -> Motion:
    """Go down on one knee, or rise from it."""
    pose = stand_idle(rng, body, seconds_T)
    progress_T = event_progress(rng, seconds_T, (1.0, 2.0))
    down_T = ease(progress_T, 0.0, 1.0) if rng.uniform() < 0.5 else 1.0 - ease(progress_T, 0.0, 1.0)
    pose.drop_T = pose.drop_T + (body.stand_height - 0.29) * down_T
    pose.foot_right_T3 = pose.foot_right_T3 + vector_T3(pose.frames, 0.0, 0.02 * down_T, -0.24 * down_T)
    pose.toe_right_T = 1.3 * down_T
    pose.foot_left_T3 = pose.foot_left_T3 + vector_T3(pose.frames, 0.0, 0.0, 0.20 * down_T)
    pose.lean_T = pose.lean_T + 0.5 * down_T * (1 - down_T)
    return Motion(pose)


def dig(rng: Rng, body: Body, seconds_T: np.ndarray) -> Motion:
    """A spade is driven down in front of the feet and thrown up to the side."""
    pose = stand_idle(rng, body, seconds_T)
    cycles_T = phase(rng, seconds_T, (0.4, 0.8))
    down_T, out_T = 0.5 + 0.5 * wave(cycles_T), np.maximum(wave(cycles_T, 0.55), 0.0)
    pose.lean_T = pose.lean_T + 0.35 + 0.5 * down_T
    pose.drop_T = pose.drop_T + 0.05 + 0.05 * down_T
    pose.twist_T = pose.twist_T + 0.9 * out_T
    pose.right.chest_T3 = mix((0.05, -0.20, 0.18), (0.06, -0.28, 0.20), down_T)
    pose.left.chest_T3 = mix((-0.02, -0.26, 0.26), (0.0, -0.33, 0.16), down_T)
    z_T, x_T = 0.5 + 0.2 * out_T, 0.5 * out_T
    props = [
        held_rod(pose.frames, vector_T3(pose.frames, x_T, -0.8, z_T), 0.5, (0.01, 0.03), (120, 90, 60), "hand_r", 0.1)
    ]
    return Motion(pose, props)


def saw(rng: Rng, body: Body, seconds_T: np.ndarray) -> Motion:
    """One hand moves a saw forth and back on a bench, the other holds on."""
    pose = stand_idle(rng, body, seconds_T)
    stroke_T = wave(phase(rng, seconds_T, (0.8, 1.8)))
    height = rng.uniform(0.36, 0.48)
    pose.lean_T = pose.lean_T + rng.uniform(0.35, 0.7) + 0.05 * stroke_T
    z_T = 0.26 + 0.10 * stroke_T
    pose.right.root_T3 = vector_T3(pose.frames, 0.08, height + 0.08 - 0.03 * stroke_T, z_T)
    pose.left.root_T3 = vector_T3(pose.frames, -0.12, height + 0.03, 0.30)
    pose.right.in_root_T = pose.left.in_root_T = np.ones(pose.frames)
    props = table(rng, pose.frames, height, (0.0, 0.38))
    props.append(held_rod(pose.frames, (0.0, -0.3, 0.95), 0.32, (0.012, 0.02), (200.0, 200.0, 205.0), "hand_r", 0.0))
    return Motion(pose, props)


def dance(rng: Rng, body: Body, seconds_T: np.ndarray) -> Motion:
    """Hips sway and arms swing in the beat."""
    pose = stand_idle(rng, body, seconds_T)
    cycles_T = phase(rng, seconds_T, (0.8, 1.4))
    pose.pelvis_T3 = pose.pelvis_T3 + vector_T3(pose.frames, rng.uniform(0.04, 0.09) * wave(cycles_T), 0.0, 0.0)
    pose.side_T = pose.side_T - 0.25 * wave(cycles_T)
    pose.twist_T = pose.twist_T + 0.4 * wave(cycles_T, 0.1)
    pose.drop_T = pose.drop_T + 0.03 + 0.03 * wave(cycles_T * 2)
    for arm, side in arms(pose):
        swing_T = wave(cycles_T, 0.25 if side > 0 else 0.0)
        arm.chest_T3 = vector_T3(pose.frames, side * 0.2 + 0.07 * swing_T, -0.12 + 0.1 * swing_T, 0.14)
    return Motion(pose)


def row(rng: Rng, body: Body, seconds_T: np.ndarray) -> Motion:
    """Both hands pull a rope or handle to the chest and reach out again, knees bent."""
    pose = stand_idle(rng, body, seconds_T)
    pull_T = up_and_back(rng, seconds_T, (0.5, 1.1))
    pose.lean_T = pose.lean_T + 0.35 - 0.65 * pull_T
    pose.drop_T = pose.drop_T + rng.uniform(0.04, 0.10)
    pose.foot_right_T3 = pose.foot_right_T3 + np.array([0.0, 0.0, 0.12])
    pose.foot_left_T3 = pose.foot_left_T3 + np.array([0.0, 0.0, -0.10])
    pose.pelvis_T3 = pose.pelvis_T3 + vector_T3(pose.frames, 0.0, 0.0, 0.04 - 0.1 * pull_T)
    for arm, side in arms(pose):
        arm.chest_T3 = mix((side * 0.03, -0.10, 0.34), (side * 0.07, -0.18, 0.10), pull_T)
        arm.pole = (side, -0.3, -0.8)
    handle = held_rod(
        pose.frames, (0.0, 0.0, 1.0), rng.uniform(0.5, 0.9), (0.012, 0.012), random_colour(rng), "hand_r", 0.05
    )
    return Motion(pose, [handle])


OTHER_MOTIONS: dict[str, MotionFunction] = {
    motion.__name__: motion
    for motion in (
        clap, kick, squat, bow, stretch, side_step, crawl, throw, point, punch, nod, stir, lift, cartwheel,
        march, lunge, wipe, swing_arms, jumping_jack, kneel, dig, saw, dance, row,
    )
}  # fmt: skip
