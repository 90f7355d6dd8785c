"""Paints the things that people hold or lie on."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from data_prep.synthetic_actors.canvas import Camera, Canvas, Part, capsule, paint_all, shade, tube
from data_prep.synthetic_actors.keyframes import Prop

PROP = 250  # on the owner map; thin things are not on it, because a joint behind a thin bar is still visible
THIN = 0.03  # metres
NEAREST = 0.45  # share of the camera's distance; nearer things, such as a ball that flies past, are not painted
FLOOR_DEPTH = -100.0  # farther than any body


def prop_parts(prop: Prop, t: int, camera: Camera) -> list[Part]:
    """The parts of a thing in frame `t`; empty while the thing is out of sight."""
    points = prop.points[t]
    if np.isnan(points).any() or points[:, 2].max() > NEAREST * camera.distance:
        return []
    if prop.kind == "mat":
        image, _ = camera.project(points)
        return [Part(FLOOR_DEPTH, lambda canvas: canvas.hull(image, prop.colour))]
    if prop.kind == "plate":
        return [Part(float(points[0, 2]), plate(prop, points, camera))]
    if prop.kind == "hoop":
        return [Part(float(points[0, 2]), racket_head(prop, points, camera))]
    if prop.kind == "rope":
        return [Part(float(points[:, 2].mean()), cord(points, prop.radius, prop.colour, camera))]
    if prop.kind == "ball" or prop.radius > THIN:
        owner = PROP if prop.radius > THIN else None
        solid = tube(camera, points[0], points[-1], (prop.radius, prop.radius), prop.colour, owner)
        return [Part(float(points[:, 2].mean()), solid)]
    # A thin rod is cut into pieces, so that one end can be in front of the body and the other behind it.
    cuts = [points[0] + share * (points[1] - points[0]) for share in np.linspace(0, 1, 7)]
    return [Part(float((a[2] + b[2]) / 2), cord(np.stack([a, b]), prop.radius, prop.colour, camera)) for a, b in pairwise(cuts)]


def cord(points, radius: float, colour, camera: Camera, thinnest: float = 0.4) -> Callable:
    """A function that paints a line through world points [K, 3]; its radius is at least `thinnest` pixels."""
    image, scales = camera.project(points)
    radii = np.maximum(radius * scales, thinnest)

    def paint(canvas: Canvas):
        for k in range(len(image) - 1):
            canvas.hull(capsule(image[k], image[k + 1], radii[k], radii[k + 1]), colour)

    return paint


def rim(points, radius: float):
    """A circle: 24 world points [24, 3] and its axis [3]. points: [2, 3], its centre and a second point on its axis."""
    axis = (points[1] - points[0]) / np.linalg.norm(points[1] - points[0])
    across = np.cross(axis, [0.3, 1.0, 0.2])
    across /= np.linalg.norm(across)
    angle = np.arange(24)[:, None] * np.pi / 12
    return points[0] + radius * (np.cos(angle) * across + np.sin(angle) * np.cross(axis, across)), axis


def plate(prop: Prop, points, camera: Camera) -> Callable:
    """A function that paints a barbell plate at its angle to the camera."""

    def face(share, colour, owner=None):
        circle, axis = rim(points, share * prop.radius)
        outline, _ = camera.project(np.concatenate([circle + 0.018 * axis, circle - 0.018 * axis]))
        return lambda canvas: canvas.hull(outline, colour, owner)

    return paint_all(
        [face(1.0, shade(prop.colour, 0.8), PROP), face(0.8, shade(prop.colour, 1.25)), face(0.25, (165, 165, 165))]
    )


def racket_head(prop: Prop, points, camera: Camera) -> Callable:
    """A function that paints the head of a racket: a hoop with strings."""
    circle, _ = rim(points, prop.radius)
    frame = cord(np.concatenate([circle, circle[:1]]), 0.012, prop.colour, camera, 0.5)
    strings = [cord(circle[[k, -k % 24]], 0.0, (215, 215, 215), camera, 0.2) for k in range(3, 11, 2)]
    strings += [cord(circle[[k, 12 - k]], 0.0, (215, 215, 215), camera, 0.2) for k in range(-3, 5, 2)]
    return paint_all([*strings, frame])
