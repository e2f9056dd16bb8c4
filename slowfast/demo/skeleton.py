"""An articulated figure: body proportions, poses over time and two-bone inverse kinematics.

Legend: T frames, 3 = (x to the figure's right, y up, z forward). Lengths are in units of the body height (1.0).
The root frame stands on the floor under the figure and turns with it; the chest frame starts at the neck and
bends with the trunk.
"""

from dataclasses import dataclass

import numpy as np

ANKLE_HEIGHT = 0.04


@dataclass(frozen=True)
class Body:
    """Proportions of one person, in units of the body height."""

    leg: float = 0.49
    trunk: float = 0.30
    arm: float = 0.33
    shoulder: float = 0.105
    hip: float = 0.052
    head: float = 0.062
    girth: float = 1.0

    @property
    def stand_height(self) -> float:
        """Height of the pelvis with nearly straight legs."""
        return self.leg * 0.985 + ANKLE_HEIGHT


def vector_T3(frames: int, x, y, z) -> np.ndarray:
    """Stack three scalars or (T,) arrays to a float64 (T, 3) array."""
    return np.stack([np.broadcast_to(np.asarray(value, dtype=np.float64), (frames,)) for value in (x, y, z)], axis=-1)


def rotate_x(points_T3: np.ndarray, angle_T) -> np.ndarray:
    """Rotate about the x axis; a positive angle tips +y towards +z (a forward lean)."""
    sin, cos = np.sin(angle_T), np.cos(angle_T)
    x, y, z = points_T3[..., 0], points_T3[..., 1], points_T3[..., 2]
    return np.stack([x + 0 * sin, cos * y - sin * z, sin * y + cos * z], axis=-1)


def rotate_y(points_T3: np.ndarray, angle_T) -> np.ndarray:
    """Rotate about the vertical; a positive angle turns +z towards +x (a turn to the right)."""
    sin, cos = np.sin(angle_T), np.cos(angle_T)
    x, y, z = points_T3[..., 0], points_T3[..., 1], points_T3[..., 2]
    return np.stack([cos * x + sin * z, y + 0 * sin, cos * z - sin * x], axis=-1)


def rotate_z(points_T3: np.ndarray, angle_T) -> np.ndarray:
    """Rotate about the forward axis; a positive angle tips +y towards +x (a bend to the right)."""
    sin, cos = np.sin(angle_T), np.cos(angle_T)
    x, y, z = points_T3[..., 0], points_T3[..., 1], points_T3[..., 2]
    return np.stack([cos * x + sin * y, cos * y - sin * x, z + 0 * sin], axis=-1)


@dataclass
class Arm:
    """Target of one hand: in the chest frame, in the root frame, and the blend between them."""

    chest_T3: np.ndarray
    root_T3: np.ndarray
    in_root_T: np.ndarray
    pole: tuple[float, float, float]


@dataclass
class Pose:
    """All controls of a figure over T frames; `standing` gives a neutral one that motions then change."""

    body: Body
    position_T3: np.ndarray
    yaw_T: np.ndarray
    drop_T: np.ndarray
    pelvis_T3: np.ndarray
    lean_T: np.ndarray
    side_T: np.ndarray
    twist_T: np.ndarray
    nod_T: np.ndarray
    look_T: np.ndarray
    right: Arm
    left: Arm
    foot_right_T3: np.ndarray
    foot_left_T3: np.ndarray
    toe_right_T: np.ndarray
    toe_left_T: np.ndarray
    knee_spread: float = 0.12

    @classmethod
    def standing(cls, body: Body, frames: int) -> "Pose":
        """Return a person who stands still with hanging arms."""

        def zeros() -> np.ndarray:
            return np.zeros(frames)

        def arm(side: float) -> Arm:
            hang = vector_T3(frames, side * (body.shoulder + 0.045), -0.02 - 0.97 * body.arm, 0.03)
            return Arm(hang, hang * 0.0, zeros(), (side * 0.5, -0.35, -1.0))

        def foot(side: float) -> np.ndarray:
            return vector_T3(frames, side * (body.hip + 0.012), ANKLE_HEIGHT, -0.015)

        none_T3 = np.zeros((frames, 3))
        return cls(
            body, none_T3.copy(), zeros(), zeros(), none_T3.copy(), zeros(), zeros(), zeros(), zeros(), zeros(),
            arm(1.0), arm(-1.0), foot(1.0), foot(-1.0), zeros(), zeros(),
        )  # fmt: skip

    @property
    def frames(self) -> int:
        """Number of frames T."""
        return len(self.yaw_T)

    def to_root(self, points_T3: np.ndarray) -> np.ndarray:
        """Take points from the chest frame to the root frame."""
        return self._neck() + self._bend(points_T3)

    def to_world(self, points_T3: np.ndarray) -> np.ndarray:
        """Take points from the root frame to the world."""
        return rotate_y(points_T3, self.yaw_T) + self.position_T3

    def _bend(self, points_T3: np.ndarray) -> np.ndarray:
        return rotate_x(rotate_z(rotate_y(points_T3, self.twist_T), self.side_T), self.lean_T)

    def _pelvis(self) -> np.ndarray:
        lift_T3 = vector_T3(self.frames, 0.0, self.body.stand_height - self.drop_T, 0.0)
        return self.pelvis_T3 + lift_T3

    def _neck(self) -> np.ndarray:
        spine_T3 = vector_T3(self.frames, 0.0, self.body.trunk, 0.0)
        return self._pelvis() + rotate_x(rotate_z(spine_T3, self.side_T), self.lean_T)


def solve_two_bones(start_T3, target_T3, upper: float, lower: float, pole_T3) -> tuple[np.ndarray, np.ndarray]:
    """Place the middle and the end joint of a limb.

    Args:
        start_T3: fixed joint (T, 3).
        target_T3: wanted end joint (T, 3); a point out of reach is approached with a straight limb.
        upper: length of the first bone.
        lower: length of the second bone.
        pole_T3: direction in which the middle joint bends (T, 3) or (3,).

    Returns:
        The middle and the end joint, each (T, 3).
    """
    reach_T3 = target_T3 - start_T3
    distance_T = np.linalg.norm(reach_T3, axis=-1)
    unit_T3 = reach_T3 / np.maximum(distance_T, 1e-6)[:, None]
    distance_T = np.clip(distance_T, abs(upper - lower) + 0.02, (upper + lower) * 0.999)
    along_T = (distance_T**2 + upper**2 - lower**2) / (2 * distance_T)
    height_T = np.sqrt(np.maximum(upper**2 - along_T**2, 0.0))
    pole_T3 = np.broadcast_to(pole_T3, unit_T3.shape)
    bend_T3 = pole_T3 - (pole_T3 * unit_T3).sum(-1, keepdims=True) * unit_T3
    bend_T3 = bend_T3 / np.maximum(np.linalg.norm(bend_T3, axis=-1, keepdims=True), 1e-6)
    middle_T3 = start_T3 + unit_T3 * along_T[:, None] + bend_T3 * height_T[:, None]
    return middle_T3, start_T3 + unit_T3 * distance_T[:, None]


def solve(pose: Pose) -> dict[str, np.ndarray]:
    """Return the world position (T, 3) of every joint of a pose.

    Joints: pelvis, neck, head, face, chest_front and, with suffix `_r` and `_l`, shoulder, elbow, wrist, hand,
    hip, knee, ankle, toe.
    """
    body, frames = pose.body, pose.frames
    joints = {"pelvis": pose._pelvis(), "neck": pose._neck()}
    nod_T, look_T = pose.nod_T + 0.6 * pose.lean_T, pose.look_T + pose.twist_T

    def head_point(y: float, z: float) -> np.ndarray:
        return joints["neck"] + rotate_y(rotate_x(vector_T3(frames, 0.0, y, z), nod_T), look_T)

    joints["head"] = head_point(0.045 + body.head, 0.012)
    joints["face"] = head_point(0.037 + body.head, 0.012 + 0.55 * body.head)
    joints["chest_front"] = pose.to_root(vector_T3(frames, 0.0, -0.10, 0.055 * body.girth))
    for suffix, side, arm in (("_r", 1.0, pose.right), ("_l", -1.0, pose.left)):
        joints["shoulder" + suffix] = shoulder_T3 = pose.to_root(vector_T3(frames, side * body.shoulder, -0.03, 0.0))
        weight_T1 = arm.in_root_T[:, None]
        target_T3 = (1 - weight_T1) * pose.to_root(arm.chest_T3) + weight_T1 * arm.root_T3
        pole_T3 = pose._bend(vector_T3(frames, *arm.pole))
        elbow_T3, wrist_T3 = solve_two_bones(shoulder_T3, target_T3, body.arm * 0.52, body.arm * 0.48, pole_T3)
        forearm_T3 = (wrist_T3 - elbow_T3) / (body.arm * 0.48)
        joints["elbow" + suffix], joints["wrist" + suffix] = elbow_T3, wrist_T3
        joints["hand" + suffix] = wrist_T3 + 0.035 * forearm_T3
    feet = (("_r", 1.0, pose.foot_right_T3, pose.toe_right_T), ("_l", -1.0, pose.foot_left_T3, pose.toe_left_T))
    for suffix, side, foot_T3, toe_T in feet:
        hip_offset_T3 = rotate_z(vector_T3(frames, side * body.hip, -0.01, 0.0), pose.side_T * 0.4)
        joints["hip" + suffix] = hip_T3 = joints["pelvis"] + hip_offset_T3
        pole_T3 = np.array([side * pose.knee_spread, 0.05, 1.0])
        knee_T3, ankle_T3 = solve_two_bones(hip_T3, foot_T3, body.leg * 0.51, body.leg * 0.49, pole_T3)
        joints["knee" + suffix], joints["ankle" + suffix] = knee_T3, ankle_T3
        joints["toe" + suffix] = ankle_T3 + rotate_x(vector_T3(frames, side * 0.015, -0.022, 0.085), toe_T)
    return {name: pose.to_world(points_T3) for name, points_T3 in joints.items()}
