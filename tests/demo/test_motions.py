import zlib

import numpy as np
import pytest

from slowfast.demo.figure import random_body
from slowfast.demo.motions import ARID_MOTIONS
from slowfast.demo.other_motions import OTHER_MOTIONS
from slowfast.demo.props import Cuboid, Rod
from slowfast.demo.skeleton import solve

SECONDS = np.arange(24) / 10
ALL = {**ARID_MOTIONS, **OTHER_MOTIONS}
SEEDS = range(12)


def perform(name: str, seed: int):
    rng = np.random.default_rng([zlib.crc32(name.encode()), seed])
    motion = ALL[name](rng, random_body(rng), SECONDS)
    return motion, solve(motion.pose)


def share(name: str, holds) -> float:
    """Share of seeds for which `holds(motion, joints)`."""
    return float(np.mean([bool(holds(*perform(name, seed))) for seed in SEEDS]))


def test_classes_are_those_of_arid_and_the_others_are_different():
    assert list(ARID_MOTIONS) == "Drink Jump Pick Pour Push Run Sit Stand Turn Walk Wave".split()
    assert len(OTHER_MOTIONS) == 24
    assert not {name.lower() for name in ARID_MOTIONS} & {name.lower() for name in OTHER_MOTIONS}


@pytest.mark.parametrize("name", ALL)
def test_every_pose_is_a_possible_body(name):
    for seed in SEEDS:
        motion, joints = perform(name, seed)
        body = motion.pose.body
        for joint, points_T3 in joints.items():
            assert points_T3.shape == (24, 3), joint
            assert np.isfinite(points_T3).all(), joint
        for side in ("_r", "_l"):
            thigh = np.linalg.norm(joints["knee" + side] - joints["hip" + side], axis=1)
            np.testing.assert_allclose(thigh, 0.51 * body.leg, atol=1e-6)
            upper_arm = np.linalg.norm(joints["elbow" + side] - joints["shoulder" + side], axis=1)
            np.testing.assert_allclose(upper_arm, 0.52 * body.arm, atol=1e-6)
            assert joints["ankle" + side][:, 1].min() > -0.06
        assert joints["head"][:, 1].min() > 0.0 or name == "cartwheel"
        for prop in motion.props:
            points = prop.start_T3 if isinstance(prop, Rod) else prop.centre_T3
            assert isinstance(prop, Rod | Cuboid) and points.shape == (24, 3)


@pytest.mark.parametrize("name", ALL)
def test_every_motion_moves_and_varies(name):
    first, again, other = perform(name, 0)[1], perform(name, 0)[1], perform(name, 1)[1]
    assert all(np.array_equal(first[joint], again[joint]) for joint in first)
    assert max(np.ptp(points, axis=0).max() for points in first.values()) > 0.05
    assert max(np.abs(first[joint] - other[joint]).max() for joint in first) > 0.02


def forward(motion) -> float:
    """Way along the floor."""
    path = motion.pose.position_T3
    return float(np.linalg.norm(path[-1] - path[0]))


def test_what_makes_each_action():
    def near_mouth(_, joints):
        return np.linalg.norm(joints["hand_r"] - joints["face"], axis=1).min() < 0.12

    assert share("Drink", near_mouth) == 1.0
    assert share("Pour", near_mouth) == 0.0
    feet = ("ankle_r", "ankle_l")
    assert share("Jump", lambda _, joints: np.minimum(*(joints[foot][:, 1] for foot in feet)).max() > 0.1) == 1.0
    assert share("Walk", lambda _, joints: np.minimum(*(joints[foot][:, 1] for foot in feet)).max() < 0.06) == 1.0
    assert share("Pick", lambda _, joints: joints["hand_r"][:, 1].min() < 0.32) == 1.0
    ahead = [
        share("Push", lambda _, joints, s=s: (joints["hand" + s] - joints["neck"])[:, 2].mean() > 0.1)
        for s in "_r _l".split()
    ]
    assert ahead == [1.0, 1.0]
    assert share("Sit", lambda _, joints: joints["pelvis"][-1, 1] < joints["pelvis"][0, 1] - 0.08) == 1.0
    assert share("Stand", lambda _, joints: joints["pelvis"][-1, 1] > joints["pelvis"][0, 1] + 0.08) == 1.0
    assert share("Turn", lambda motion, _: np.ptp(motion.pose.yaw_T) > 1.0) == 1.0
    assert share("Wave", lambda _, joints: (joints["hand_r"] - joints["shoulder_r"])[:, 1].max() > 0.02) == 1.0
    assert share("Run", lambda motion, _: forward(motion) > 1.5) > 0.6
    assert share("Walk", lambda motion, _: 0.6 < forward(motion) < 1.6) == 1.0


def features(joints: dict[str, np.ndarray]) -> np.ndarray:
    """Position and change of hands, feet, head and pelvis relative to the floor point under the pelvis."""
    under = joints["pelvis"] * np.array([1.0, 0.0, 1.0])
    picked = [joints[name] - under for name in ("hand_r", "hand_l", "ankle_r", "ankle_l", "head", "pelvis")]
    track_T = np.concatenate(picked, axis=1)
    speed_T = np.abs(np.diff(track_T, axis=0))
    path = np.abs(np.diff(under, axis=0)).sum(0)
    trend = track_T[-4:].mean(0) - track_T[:4].mean(0)
    return np.concatenate([track_T.mean(0), speed_T.mean(0) * 5, speed_T.max(0), path, trend])


def test_actions_are_distinct_by_pose_and_motion():
    """A nearest-centroid rule on normalised joint statistics finds most of the classes."""
    train = {name: np.stack([features(perform(name, seed)[1]) for seed in range(24)]) for name in ARID_MOTIONS}
    everything = np.concatenate(list(train.values()))
    mean, scale = everything.mean(0), everything.std(0) + 1e-6
    centroids = np.stack([((rows - mean) / scale).mean(0) for rows in train.values()])
    hits = []
    for label, name in enumerate(ARID_MOTIONS):
        for seed in range(100, 112):
            row = (features(perform(name, seed)[1]) - mean) / scale
            hits.append(int(np.argmin(((centroids - row) ** 2).sum(1))) == label)
    assert np.mean(hits) > 0.75
