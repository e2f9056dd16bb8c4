import numpy as np
import pytest

from slowfast.demo.skeleton import (
    Body,
    Pose,
    rotate_x,
    rotate_y,
    rotate_z,
    solve,
    solve_two_bones,
    vector_T3,
)


@pytest.mark.parametrize("rotate, start, end", [
    (rotate_x, (0, 1, 0), (0, 0, 1)),
    (rotate_y, (0, 0, 1), (1, 0, 0)),
    (rotate_z, (0, 1, 0), (1, 0, 0)),
])  # fmt: skip
def test_rotations_turn_as_documented(rotate, start, end):
    turned = rotate(np.array([start], dtype=float), np.array([np.pi / 2]))
    np.testing.assert_allclose(turned, [end], atol=1e-12)


def test_two_bones_reach_the_target_and_keep_their_lengths():
    rng = np.random.default_rng(0)
    start_T3, target_T3 = rng.normal(0, 0.1, (50, 3)), rng.normal(0, 0.1, (50, 3))
    middle_T3, end_T3 = solve_two_bones(start_T3, target_T3, 0.3, 0.25, np.array([0.0, 0.0, 1.0]))
    np.testing.assert_allclose(np.linalg.norm(middle_T3 - start_T3, axis=1), 0.3, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(end_T3 - middle_T3, axis=1), 0.25, atol=1e-9)
    distance_T = np.linalg.norm(target_T3 - start_T3, axis=1)
    reachable = (distance_T > 0.08) & (distance_T < 0.54)
    assert reachable.sum() > 40
    np.testing.assert_allclose(end_T3[reachable], target_T3[reachable], atol=1e-9)


def test_a_target_out_of_reach_gives_a_straight_limb():
    start_T3, target_T3 = np.zeros((1, 3)), np.array([[0.0, -2.0, 0.0]])
    _, end_T3 = solve_two_bones(start_T3, target_T3, 0.3, 0.25, np.array([0.0, 0.0, 1.0]))
    np.testing.assert_allclose(end_T3, [[0.0, -0.55, 0.0]], atol=1e-3)


def test_the_middle_joint_bends_towards_the_pole():
    middle_T3, _ = solve_two_bones(np.zeros((1, 3)), np.array([[0.0, -0.4, 0.0]]), 0.3, 0.25, np.array([0.0, 0.0, 1.0]))
    assert middle_T3[0, 2] > 0.1


def test_a_standing_figure_has_human_heights():
    joints = solve(Pose.standing(Body(), 3))
    assert 0.9 < joints["head"][0, 1] < 0.97
    assert joints["hand_r"][0, 1] == pytest.approx(0.44, abs=0.06)
    assert joints["ankle_r"][0, 1] == pytest.approx(0.04, abs=0.01)
    assert joints["shoulder_r"][0, 0] == pytest.approx(-joints["shoulder_l"][0, 0])
    assert joints["face"][0, 2] > joints["head"][0, 2]


def test_yaw_turns_the_whole_figure():
    pose = Pose.standing(Body(), 1)
    pose.yaw_T = np.array([np.pi / 2])
    joints = solve(pose)
    assert joints["face"][0, 0] > joints["head"][0, 0] + 0.02
    assert joints["shoulder_r"][0, 2] < -0.05


def test_to_root_and_to_world_follow_lean_and_position():
    pose = Pose.standing(Body(), 2)
    pose.lean_T = np.full(2, np.pi / 2)
    pose.position_T3 = vector_T3(2, 1.0, 0.0, 0.0)
    neck_T3 = pose.to_world(pose.to_root(np.zeros((2, 3))))
    np.testing.assert_allclose(neck_T3[0], [1.0, pose.body.stand_height, pose.body.trunk], atol=1e-9)
