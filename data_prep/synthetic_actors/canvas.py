"""Camera and canvas: 3-D points in metres to pixels, and the one primitive all is painted with, a convex hull."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

SUPERSAMPLING = 2  # painted this much larger, then averaged down: smooth edges that move by fractions of a pixel
FRACTION_BITS = 4  # OpenCV takes corners as fixed-point integers
CIRCLE = np.stack([np.cos(np.arange(16) * np.pi / 8), np.sin(np.arange(16) * np.pi / 8)], -1)
LIGHT = np.array([-0.55, -0.8])  # where the light comes from, in the image


@dataclass(frozen=True)
class Camera:
    """A level camera. scale is pixels per metre at z = 0, centre the image point of the lens axis, sizes in pixels."""

    scale: float
    centre: tuple
    distance: float
    height: float

    def project(self, points):
        """World points [..., 3] to image points [..., 2] and the local scale [...] in pixels per metre."""
        points = np.asarray(points, float)
        scale = self.scale * self.distance / np.maximum(self.distance - points[..., 2], 0.2)
        offset = np.stack([points[..., 0], self.height - points[..., 1]], -1)
        return offset * scale[..., None] + np.asarray(self.centre), scale

    @classmethod
    def frame(cls, points, body_height: float, size: int, rng: np.random.Generator, *, lying: bool):
        """A camera that keeps `points` [..., 3] inside a square frame of `size` pixels.

        An upright person fills 62 to 85 % of the frame height unless the whole motion needs more room; a lying one is
        as large as the width allows.
        """
        distance = rng.uniform(4.5, 7.5)
        height = rng.uniform(0.7, 1.1) if lying else rng.uniform(0.9, 1.4)
        seen, _ = cls(1.0, (0.0, 0.0), distance, height).project(points.reshape(-1, 3))
        low, high = seen.min(axis=0) - 0.07 * body_height, seen.max(axis=0) + 0.07 * body_height
        room = rng.uniform(0.86, 0.94) * size
        scale = room / max(high - low)
        if not lying:
            scale = min(scale, rng.uniform(0.68, 0.85) * size / body_height)
        spare = size - scale * (high - low)
        place = rng.uniform([0.35, 0.5], [0.65, 0.75 if lying else 0.85])
        return cls(scale, tuple(place * spare - scale * low), distance, height)


class Canvas:
    """A supersampled picture; `owners` says pixel by pixel which part is on top (0 is background).

    `spans` holds, for every numbered part, the image corners (low [2], high [2]) of all that was painted of it.
    """

    def __init__(self, background):
        """background uint8 [S * SUPERSAMPLING, S * SUPERSAMPLING, 3], copied."""
        self.pixels = background.copy()
        self.owners = np.zeros(background.shape[:2], np.uint8)
        self.spans = {}

    def hull(self, points, colour, owner: int | None = None):
        """Fill the convex hull of image points [N, 2]; with `owner` it also covers what lies behind."""
        corners = ((points + 0.5) * SUPERSAMPLING - 0.5) * (1 << FRACTION_BITS)
        corners = cv2.convexHull(np.round(corners).astype(np.int32))
        cv2.fillConvexPoly(self.pixels, corners, colour, cv2.LINE_AA, FRACTION_BITS)
        if owner is not None:
            cv2.fillConvexPoly(self.owners, corners, owner, cv2.LINE_8, FRACTION_BITS)
            low, high = self.spans.get(owner, (np.inf, -np.inf))
            self.spans[owner] = np.minimum(low, points.min(axis=0)), np.maximum(high, points.max(axis=0))

    def owner_at(self, point) -> int:
        """The part on top at an image point (x, y); points outside are clamped to the border."""
        x, y = np.clip(np.round((np.asarray(point) + 0.5) * SUPERSAMPLING - 0.5), 0, len(self.owners) - 1).astype(int)
        return int(self.owners[y, x])

    def picture(self):
        """The finished frame, uint8 [S, S, 3] BGR."""
        size = len(self.pixels) // SUPERSAMPLING
        return cv2.resize(self.pixels, (size, size), interpolation=cv2.INTER_AREA)


def shade(colour, factor: float):
    """A BGR colour made darker (factor < 1) or lighter."""
    return tuple(float(min(max(channel * factor, 0), 255)) for channel in colour)


def disc(centre, radius: float):
    return np.asarray(centre) + radius * CIRCLE


def capsule(start, end, start_radius: float, end_radius: float):
    """Outline points of a tapered capsule; a convex hull turns them into its shape."""
    return np.concatenate([disc(start, start_radius), disc(end, end_radius)])


@dataclass(frozen=True)
class Part:
    """Something to paint: its depth (larger is nearer the camera) and the act of painting it."""

    depth: float
    paint: Callable[[Canvas], None]


def solid(outline: Callable, colour, owner: int):
    """Paint a shaded body: outline(shrink, shift) gives image points; the lit layers move towards the light."""

    def paint(canvas: Canvas):
        canvas.hull(outline(1.0, 0.0), shade(colour, 0.74), owner)
        canvas.hull(outline(0.8, 0.2), shade(colour, 0.95))
        canvas.hull(outline(0.4, 0.42), shade(colour, 1.1))

    return paint


def tube(camera: Camera, start, end, radii: tuple, colour, owner: int):
    """A tapered limb segment between two world points; radii in metres."""
    (a, b), scales = camera.project(np.stack([start, end]))
    near, far = radii[0] * scales[0], radii[1] * scales[1]

    def outline(shrink, shift):
        return capsule(a + shift * near * LIGHT, b + shift * far * LIGHT, shrink * near, shrink * far)

    return solid(outline, colour, owner)


def paint_all(layers) -> Callable:
    def paint(canvas: Canvas):
        for layer in layers:
            layer(canvas)

    return paint


def draw_colour(rng, saturation: tuple, value: tuple):
    hsv = np.array([[[rng.uniform(0, 360), rng.uniform(*saturation), rng.uniform(*value)]]], np.float32)
    return tuple(float(255 * channel) for channel in cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0])
