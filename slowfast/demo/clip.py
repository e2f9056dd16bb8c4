"""Render one clip: a person does something in a scene, seen by a camera. Pure: all randomness comes from `rng`."""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from slowfast.demo.camera import Camera, ViewRanges, random_camera
from slowfast.demo.figure import body_rods, random_body, random_outfit
from slowfast.demo.motions import Motion, MotionFunction, stand_idle
from slowfast.demo.props import Cuboid, Prop, Rod
from slowfast.demo.rasterise import cuboid_polygons, draw, rod_polygons
from slowfast.demo.scenes import DARK_SCENES, LIGHT_SCENES, Scene, paint
from slowfast.demo.skeleton import rotate_y, solve

WIDTH, HEIGHT, FPS = 80, 64, 10
LEAST_FRAMES, MOST_FRAMES = 20, 28
OVERSAMPLING = 2


@dataclass(frozen=True)
class Domain:
    """Where and how clips of a domain are filmed."""

    scenes: tuple[Scene, ...]
    views: ViewRanges
    bystander: float
    tracking: float


LIGHT_DOMAIN = Domain(
    scenes=LIGHT_SCENES,
    views=ViewRanges(yaw=((-1.2, 1.2),), pitch=(0.0, 0.2), size=(0.74, 0.95), shake=(0.0, 0.012)),
    bystander=0.05,
    tracking=0.4,
)
DARK_DOMAIN = Domain(
    scenes=DARK_SCENES,
    views=ViewRanges(
        yaw=((-1.6, -0.5), (0.5, 1.6), (-0.8, 0.8)),
        pitch=(0.05, 0.3),
        size=(0.7, 0.92),
        shake=(0.0, 0.02),
    ),
    bystander=0.08,
    tracking=0.4,
)
# Normal light as in large video collections: every view, for pre-training on other motions.
WILD_DOMAIN = Domain(
    scenes=LIGHT_SCENES,
    views=ViewRanges(yaw=((-3.2, 3.2),), pitch=(0.0, 0.36), size=(0.6, 0.95), shake=(0.0, 0.03)),
    bystander=0.1,
    tracking=0.4,
)


def place(prop: Prop, motion: Motion, joints: dict[str, np.ndarray]) -> Prop:
    """Take a prop from the root frame, or from the joint that carries it, to world coordinates."""
    pose = motion.pose

    def to_world(points_T3: np.ndarray) -> np.ndarray:
        if prop.anchor is None:
            return pose.to_world(points_T3)
        held_T1 = np.broadcast_to(np.asarray(prop.held_T, dtype=np.float64), (pose.frames,))[:, None]
        if np.all(held_T1 == 1.0):
            return rotate_y(points_T3, pose.yaw_T) + joints[prop.anchor]
        return (1 - held_T1) * pose.to_world(points_T3) + held_T1 * (joints[prop.anchor] + _offset(prop, points_T3))

    if isinstance(prop, Rod):
        return replace(prop, start_T3=to_world(prop.start_T3), end_T3=to_world(prop.end_T3))
    return replace(prop, centre_T3=to_world(prop.centre_T3), yaw=prop.yaw + float(pose.yaw_T[0]))


def _offset(prop: Prop, points_T3: np.ndarray) -> np.ndarray:
    """Position of a point relative to the middle of a rod that was picked up."""
    centre_T3 = 0.5 * (prop.start_T3 + prop.end_T3) if isinstance(prop, Rod) else prop.centre_T3
    return points_T3 - centre_T3


def figure_polygons(rng: np.random.Generator, motion: Motion, camera: Camera, offset) -> tuple[list, np.ndarray]:
    """Polygons of a dressed person with objects, and the contact shadow (T, 4) as boxes in pixels."""
    joints = solve(motion.pose)
    rods = body_rods(joints, motion.pose.body, random_outfit(rng))
    placed = [place(prop, motion, joints) for prop in motion.props]
    rods += [prop for prop in placed if isinstance(prop, Rod)]
    rods = [replace(rod, start_T3=rod.start_T3 + offset, end_T3=rod.end_T3 + offset) for rod in rods]
    polygons = rod_polygons(rods, camera)
    for prop in placed:
        if isinstance(prop, Cuboid):
            polygons += cuboid_polygons(replace(prop, centre_T3=prop.centre_T3 + offset), camera)
    ground_T3 = joints["pelvis"] * np.array([1.0, 0.0, 1.0]) + offset
    ground_T2, _, scale_T = camera.project(ground_T3[None])
    reach_T2 = np.stack([0.2 * scale_T[0], (0.03 + 0.2 * abs(np.sin(camera.pitch))) * scale_T[0]], axis=-1)
    return polygons, np.concatenate([ground_T2[0] - reach_T2, ground_T2[0] + reach_T2], axis=-1)


def background_frames(rng: np.random.Generator, domain: Domain, camera: Camera) -> list[Image.Image]:
    """Cut T canvases from a painted scene, following the movement of the camera."""
    width, height = WIDTH * OVERSAMPLING, HEIGHT * OVERSAMPLING
    origin_T3 = np.broadcast_to(camera.target_T3[:1], camera.target_T3.shape)
    fixed_T2, _, _ = camera.project((origin_T3 + np.array([0.0, -0.47, 0.0]))[None])
    moved_T2 = fixed_T2[0] - fixed_T2[0, 0]
    moved_T2[:, 1] = camera.shift_T2[:, 1] - camera.shift_T2[0, 1]
    low, high = moved_T2.min(0), moved_T2.max(0)
    left, top = int(np.ceil(high[0])) + 2, int(np.ceil(high[1])) + 2
    size = (width + left + int(np.ceil(-low[0])) + 2, height + top + int(np.ceil(-low[1])) + 2)
    foot = float(fixed_T2[0, 0, 1])
    horizon = np.clip(foot - camera.pixels * (0.06 + 0.9 * np.sin(camera.pitch)), 0.2 * height, 0.92 * height)
    scene = paint(rng, domain.scenes, size, float(height), float(horizon) + top)
    corners_T2 = np.round(np.array([left, top]) - moved_T2).astype(int).tolist()
    return [scene.crop((x, y, x + width, y + height)) for x, y in corners_T2]


def render_clip(rng: np.random.Generator, motion_function: MotionFunction, domain: Domain) -> np.ndarray:
    """Render one normally exposed clip.

    Args:
        rng: random numbers of this clip; the same state gives the same pixels.
        motion_function: what the person does.
        domain: scenes and views.

    Returns:
        uint8 RGB frames (T, HEIGHT, WIDTH, 3); T varies between 20 and 28.
    """
    seconds_T = np.arange(rng.integers(LEAST_FRAMES, MOST_FRAMES, endpoint=True)) / FPS
    motion = motion_function(rng, random_body(rng), seconds_T)
    tracks = motion.travels and rng.uniform() < domain.tracking
    size = (WIDTH * OVERSAMPLING, HEIGHT * OVERSAMPLING)
    camera = random_camera(rng, domain.views, size, seconds_T, motion.pose.position_T3, tracks)
    canvases = background_frames(rng, domain, camera)
    polygons, shadows_T4 = figure_polygons(rng, motion, camera, np.zeros(3))
    if rng.uniform() < domain.bystander:
        polygons += bystander_polygons(rng, camera, seconds_T)
    draw(canvases, polygons, shadows_T4.tolist())
    frames = np.stack([np.asarray(canvas.reduce(OVERSAMPLING)) for canvas in canvases])
    return tint(rng, frames)


def bystander_polygons(rng: np.random.Generator, camera: Camera, seconds_T: np.ndarray) -> list:
    """A second person who stands behind and to the side with slight natural movement."""
    pose = stand_idle(rng, random_body(rng), seconds_T)
    pose.yaw_T = pose.yaw_T + rng.uniform(-3.0, 3.0)
    right = rotate_y(np.array([1.0, 0.0, 0.0]), np.float64(-camera.yaw))
    away = rotate_y(np.array([0.0, 0.0, -1.0]), np.float64(-camera.yaw))
    offset = right * rng.choice([-1.0, 1.0]) * rng.uniform(0.38, 0.6) + away * rng.uniform(0.3, 1.2)
    offset = offset * np.array([-1.0 if camera.mirror else 1.0, 0.0, 1.0])
    middle = camera.target_T3.mean(0) * np.array([1.0, 0.0, 1.0])
    polygons, _ = figure_polygons(rng, Motion(pose), camera, offset + middle)
    return polygons


def tint(rng: np.random.Generator, frames_THWC: np.ndarray) -> np.ndarray:
    """Change exposure, contrast and colour temperature of a whole clip a little, by one table per channel."""
    levels = np.arange(256) / 255.0
    curve = (levels ** rng.uniform(0.8, 1.25)) * rng.uniform(0.85, 1.1)
    tables = [np.clip(curve * rng.uniform(0.92, 1.08) * 255.0, 0, 255).astype(np.uint8) for _ in range(3)]
    return np.stack([table[frames_THWC[..., channel]] for channel, table in enumerate(tables)], axis=-1)
