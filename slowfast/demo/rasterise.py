"""Draw capsules and boxes as shaded polygons, far ones first, on one canvas per frame.

Legend: L primitives, T frames, P outline points.
"""

import numpy as np
from PIL import Image, ImageDraw

from slowfast.demo.camera import Camera
from slowfast.demo.props import Cuboid, Rod
from slowfast.demo.skeleton import rotate_y

CAP_POINTS = 6
LIGHT = (-0.45, -0.75)
CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float64)
FACES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
FACE_SHADES = (0.82, 0.82, 0.5, 1.12, 0.95, 0.95)

Polygons = list[tuple[list, list, list]]


def capsule_outlines(start_LT2, end_LT2, radius_start_LT, radius_end_LT) -> np.ndarray:
    """Outline of tapered capsules as polygons.

    Args:
        start_LT2: first centre in pixels (L, T, 2).
        end_LT2: second centre (L, T, 2).
        radius_start_LT: radius in pixels at the first centre (L, T).
        radius_end_LT: radius at the second centre (L, T).

    Returns:
        Corner points (L, T, P, 2), two half circles of `CAP_POINTS` points.
    """
    along_LT2 = end_LT2 - start_LT2
    angle_LT1 = np.arctan2(along_LT2[..., 1], along_LT2[..., 0])[..., None]
    fan_P = np.linspace(-np.pi / 2, np.pi / 2, CAP_POINTS)

    def cap(centre_LT2, radius_LT, turned):
        angles_LTP = angle_LT1 + fan_P + turned
        offset_LTP2 = np.stack([np.cos(angles_LTP), np.sin(angles_LTP)], axis=-1)
        return centre_LT2[..., None, :] + radius_LT[..., None, None] * offset_LTP2

    return np.concatenate([cap(end_LT2, radius_end_LT, 0.0), cap(start_LT2, radius_start_LT, np.pi)], axis=-2)


def shade(colour_L3: np.ndarray, factor) -> np.ndarray:
    """Multiply colours by a brightness factor and clip to whole 0..255."""
    return np.clip(colour_L3 * factor, 0, 255).astype(np.int64)


def rod_polygons(rods: list[Rod], camera: Camera) -> Polygons:
    """Return (points, depth, colour) per frame of every rod, and of a highlight on those that are thick enough."""
    starts = np.stack([rod.start_T3 for rod in rods])
    ends = np.stack([rod.end_T3 for rod in rods])
    start_LT2, depth_start, scale_start = camera.project(starts)
    end_LT2, depth_end, scale_end = camera.project(ends)
    radii = np.array([rod.radii for rod in rods])
    radius_start_LT, radius_end_LT = radii[:, :1] * scale_start, radii[:, 1:] * scale_end
    depth_LT = 0.5 * (depth_start + depth_end)
    colours_L3 = np.array([rod.colour for rod in rods])
    outline = capsule_outlines(start_LT2, end_LT2, radius_start_LT, radius_end_LT)
    shift_LT2 = 0.5 * (radius_start_LT + radius_end_LT)[..., None] * 0.28 * np.array(LIGHT)
    glint = capsule_outlines(start_LT2 + shift_LT2, end_LT2 + shift_LT2, 0.58 * radius_start_LT, 0.58 * radius_end_LT)
    frames = depth_LT.shape[1]
    flat, flat_glint = outline.reshape(len(rods), frames, -1).tolist(), glint.reshape(len(rods), frames, -1).tolist()
    nearness_LT = np.clip(1.0 - 0.35 * (depth_LT - depth_LT.mean(0, keepdims=True)), 0.8, 1.15)
    dark = shade(colours_L3[:, None, :], 0.78 * nearness_LT[..., None]).tolist()
    bright = shade(colours_L3[:, None, :], 1.04 * nearness_LT[..., None] + 0.02).tolist()
    depths = depth_LT.tolist()
    nearer = (depth_LT - 1e-4).tolist()
    polygons = []
    for index in range(len(rods)):
        polygons.append((flat[index], depths[index], dark[index]))
        if radius_start_LT[index].max() > 2.2:
            polygons.append((flat_glint[index], nearer[index], bright[index]))
    return polygons


def cuboid_polygons(cuboid: Cuboid, camera: Camera) -> Polygons:
    """Return (points, depth, colour) per frame of the faces of a box that look at the camera."""
    corners_83 = rotate_y(CORNERS * np.array(cuboid.half), np.float64(cuboid.yaw))
    pixels_8T2, depth_8T, _ = camera.project(cuboid.centre_T3[None] + corners_83[:, None])
    polygons = []
    for face, brightness in zip(FACES, FACE_SHADES):
        quad_T42 = pixels_8T2[list(face)].transpose(1, 0, 2)
        diagonal_a, diagonal_b = quad_T42[:, 2] - quad_T42[:, 0], quad_T42[:, 3] - quad_T42[:, 1]
        area_T = diagonal_a[:, 0] * diagonal_b[:, 1] - diagonal_a[:, 1] * diagonal_b[:, 0]
        if camera.mirror:
            area_T = -area_T
        colour = shade(np.array(cuboid.colour), brightness).tolist()
        depth_T = np.where(area_T > 0, depth_8T[list(face)].mean(0), np.inf)
        polygons.append((quad_T42.reshape(len(quad_T42), -1).tolist(), depth_T.tolist(), [colour] * len(quad_T42)))
    return polygons


def draw(canvases: list[Image.Image], polygons: Polygons, shadows_T: list[list[float]]) -> None:
    """Draw the polygons of every frame onto its canvas, far to near, over soft contact shadows.

    Args:
        canvases: T RGB images, changed in place.
        polygons: per primitive the flat points, depths and colours of all T frames; infinite depth hides.
        shadows_T: per frame the box (x0, y0, x1, y1) of the contact shadow.
    """
    for frame, canvas in enumerate(canvases):
        ImageDraw.Draw(canvas, "RGBA").ellipse(shadows_T[frame], fill=(0, 0, 0, 70))
        pen = ImageDraw.Draw(canvas)
        order = sorted(((depths[frame], index) for index, (_, depths, _) in enumerate(polygons)), reverse=True)
        for depth, index in order:
            if depth == np.inf:
                continue
            points, _, colours = polygons[index]
            pen.polygon(points[frame], fill=tuple(colours[frame]))
