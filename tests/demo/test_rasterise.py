import numpy as np
from PIL import Image

from slowfast.demo.camera import Camera
from slowfast.demo.props import Cuboid, Rod, box
from slowfast.demo.rasterise import capsule_outlines, cuboid_polygons, draw, rod_polygons

VIEW = Camera(np.zeros((1, 3)), 0.0, 0.0, 60.0, np.zeros((1, 2)), 0.0, False, (40.0, 40.0))
OFF = [[-9.0, -9.0, -8.0, -8.0]]


def picture(polygons) -> np.ndarray:
    canvas = Image.new("RGB", (80, 80), (255, 255, 255))
    draw([canvas], polygons, OFF)
    return np.asarray(canvas)


def rod(z: float, colour) -> Rod:
    return Rod(np.array([[-0.3, 0.0, z]]), np.array([[0.3, 0.0, z]]), (0.1, 0.1), colour)


def test_outline_of_a_capsule_keeps_its_distance_from_the_axis():
    start, end = np.array([[[0.0, 0.0]]]), np.array([[[10.0, 0.0]]])
    outline = capsule_outlines(start, end, np.array([[2.0]]), np.array([[3.0]]))[0, 0]
    distance_start, distance_end = np.hypot(*outline.T), np.hypot(outline[:, 0] - 10, outline[:, 1])
    assert np.all(np.isclose(distance_start, 2.0) | np.isclose(distance_end, 3.0))
    assert outline[:, 0].min() < -1.8 and outline[:, 0].max() > 12.7


def test_the_nearer_rod_hides_the_farther_one_in_any_order():
    near, far = rod(0.3, (200.0, 0.0, 0.0)), rod(-0.3, (0.0, 0.0, 200.0))
    for rods in ([near, far], [far, near]):
        middle = picture(rod_polygons(rods, VIEW))[40, 40]
        assert middle[0] > 100 and middle[2] < 50


def test_rod_has_the_projected_size():
    drawn = (picture(rod_polygons([rod(0.0, (10.0, 10.0, 10.0))], VIEW)) < 128).any(-1)
    rows, columns = np.nonzero(drawn)
    assert abs((np.ptp(columns) + 1) - (0.6 + 0.2) * 60) <= 3
    assert abs((np.ptp(rows) + 1) - 0.2 * 60) <= 3


def test_only_the_faces_that_look_at_the_camera_are_drawn():
    polygons = cuboid_polygons(box(1, (0.0, 0.0, 0.0), (0.2, 0.2, 0.2), (100.0, 100.0, 100.0)), VIEW)
    assert sum(np.isfinite(depths[0]) for _, depths, _ in polygons) == 1
    turned = Cuboid(np.zeros((1, 3)), (0.2, 0.2, 0.2), (100.0, 100.0, 100.0), yaw=0.6)
    assert sum(np.isfinite(depths[0]) for _, depths, _ in cuboid_polygons(turned, VIEW)) == 2
    assert (picture(polygons)[40, 40] < 120).all()
