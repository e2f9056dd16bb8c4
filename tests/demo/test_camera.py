import numpy as np
import pytest

from slowfast.demo.camera import Camera, ViewRanges, random_camera


def camera(yaw=0.0, pitch=0.0, mirror=False, strength=0.0) -> Camera:
    return Camera(
        target_T3=np.zeros((1, 3)),
        yaw=yaw,
        pitch=pitch,
        pixels=100.0,
        shift_T2=np.zeros((1, 2)),
        strength=strength,
        mirror=mirror,
        centre=(80.0, 64.0),
    )


def project(view: Camera, point) -> tuple[float, float, float]:
    pixels, depth, _ = view.project(np.array([[point]], dtype=float))
    return float(pixels[0, 0, 0]), float(pixels[0, 0, 1]), float(depth[0, 0])


def test_frontal_view():
    assert project(camera(), (0.1, 0.2, 0.0))[:2] == pytest.approx((90.0, 44.0))
    assert project(camera(), (0, 0, 1))[2] < project(camera(), (0, 0, -1))[2]


def test_yaw_shows_the_side_and_pitch_looks_down():
    assert project(camera(yaw=np.pi / 2), (0, 0, 0.2))[0] == pytest.approx(100.0)
    assert project(camera(pitch=0.5), (0, 0, 0.2))[1] > 64.0 + 5


def test_mirror_flips_the_figure():
    left, right = project(camera(yaw=0.3), (0.1, 0, 0.2)), project(camera(yaw=0.3, mirror=True), (-0.1, 0, 0.2))
    assert left == pytest.approx(right)


def test_near_things_look_larger():
    view = camera(strength=0.2)
    assert project(view, (0.1, 0, 1.0))[0] > project(view, (0.1, 0, -1.0))[0]


def test_random_cameras_stay_in_their_ranges():
    ranges = ViewRanges(yaw=((-1.0, -0.5), (2.0, 2.5)), pitch=(0.1, 0.3), size=(0.7, 0.9), shake=(0.0, 0.02))
    seconds_T = np.arange(24) / 10
    path_T3 = np.linspace([0, 0, -1], [0, 0, 1], 24)
    sides = set()
    for seed in range(30):
        view = random_camera(np.random.default_rng(seed), ranges, (160, 128), seconds_T, path_T3, tracks=seed % 2 == 0)
        assert -1.0 <= view.yaw <= -0.5 or 2.0 <= view.yaw <= 2.5
        assert 0.1 <= view.pitch <= 0.3 and 0.7 * 128 <= view.pixels <= 0.9 * 128
        assert np.ptp(view.target_T3[:, 2]) == pytest.approx(2.0 if seed % 2 == 0 else 0.0)
        assert np.abs(view.shift_T2).max() <= 0.02 * 128
        sides.add(view.yaw > 0)
    assert sides == {True, False}
