"""The camera, which projects 3-D points in metres to pixels, and the canvas, on which everything is painted as convex hulls."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

SUPERSAMPLING = 2  # pictures are painted larger by this factor and then averaged, which gives smooth edges
FRACTION_BITS = 4  # fractional bits of the corners, which OpenCV takes as fixed-point integers
CIRCLE = np.stack([np.cos(np.arange(16) * np.pi / 8), np.sin(np.arange(16) * np.pi / 8)], -1)
LIGHT = np.array([-0.55, -0.8])  # direction towards the light in the image, x then y


@dataclass(frozen=True)
class Camera:
    """A camera that looks horizontally along the z axis.

    scale: pixels per metre at z = 0. centre: image point (x, y) of the lens axis, in pixels.
    distance: of the camera from z = 0, in metres. height: of the camera above the floor, in metres.
    """

    scale: float
    centre: tuple
    distance: float
    height: float

    def project(self, points):
        """Project world points [..., 3]: image points [..., 2] in pixels, and the scale [...] there in pixels per metre."""
        points = np.asarray(points, float)
        scale = self.scale * self.distance / np.maximum(self.distance - points[..., 2], 0.2)
        offset = np.stack([points[..., 0], self.height - points[..., 1]], -1)
        return offset * scale[..., None] + np.asarray(self.centre), scale

    @classmethod
    def frame(cls, points, body_height: float, size: int, rng: np.random.Generator, *, lying: bool):
        """A camera that keeps `points` [..., 3] inside a square frame of `size` pixels.

        An upright person fills 62 to 85 % of the frame's height, or less if the motion needs more room. A lying person is as
        large as the frame allows.
        """
        distance = rng.uniform(4.5, 7.5)
        height = rng.uniform(0.7, 1.1) if lying else rng.uniform(0.9, 1.4)
        image_points, _ = cls(1.0, (0.0, 0.0), distance, height).project(points.reshape(-1, 3))
        margin = 0.07 * body_height
        low, high = image_points.min(axis=0) - margin, image_points.max(axis=0) + margin
        room = rng.uniform(0.86, 0.94) * size
        scale = room / max(high - low)
        if not lying:
            scale = min(scale, rng.uniform(0.68, 0.85) * size / body_height)
        spare = size - scale * (high - low)
        place = rng.uniform([0.35, 0.5], [0.65, 0.75 if lying else 0.85])
        return cls(scale, tuple(place * spare - scale * low), distance, height)


class Canvas:
    """A picture that is painted with supersampling.

    pixels: uint8 [S * SUPERSAMPLING, S * SUPERSAMPLING, 3], BGR.
    owners: the owner map: for each pixel the number of the part that is on top, 0 for the background.
    spans: part number -> the corners (low [2], high [2]) in the image of everything that was painted of the part.
    """

    def __init__(self, background):
        """background: uint8 [S * SUPERSAMPLING, S * SUPERSAMPLING, 3], BGR; it is copied."""
        self.pixels = background.copy()
        self.owners = np.zeros(background.shape[:2], np.uint8)
        self.spans = {}

    def hull(self, points, colour, owner: int | None = None):
        """Fill the convex hull of image points [N, 2]. With `owner`, it also covers other parts on the owner map."""
        corners = ((points + 0.5) * SUPERSAMPLING - 0.5) * (1 << FRACTION_BITS)
        corners = cv2.convexHull(np.round(corners).astype(np.int32))
        cv2.fillConvexPoly(self.pixels, corners, colour, cv2.LINE_AA, FRACTION_BITS)
        if owner is not None:
            cv2.fillConvexPoly(self.owners, corners, owner, cv2.LINE_8, FRACTION_BITS)
            low, high = self.spans.get(owner, (np.inf, -np.inf))
            self.spans[owner] = np.minimum(low, points.min(axis=0)), np.maximum(high, points.max(axis=0))

    def owner_at(self, point) -> int:
        """Number of the part on top at an image point (x, y). Points outside the image are moved to its border."""
        x, y = np.clip(np.round((np.asarray(point) + 0.5) * SUPERSAMPLING - 0.5), 0, len(self.owners) - 1).astype(int)
        return int(self.owners[y, x])

    def picture(self):
        """The finished frame, uint8 [S, S, 3] BGR."""
        size = len(self.pixels) // SUPERSAMPLING
        return cv2.resize(self.pixels, (size, size), interpolation=cv2.INTER_AREA)


def shade(colour, factor: float):
    """A BGR colour, made darker (factor < 1) or lighter (factor > 1)."""
    return tuple(float(min(max(channel * factor, 0), 255)) for channel in colour)


def disc(centre, radius: float):
    """16 points [16, 2] on a circle."""
    return np.asarray(centre) + radius * CIRCLE


def capsule(start, end, start_radius: float, end_radius: float):
    """Points [32, 2] whose convex hull is a tapered capsule."""
    return np.concatenate([disc(start, start_radius), disc(end, end_radius)])


@dataclass(frozen=True)
class Part:
    """Something to paint.

    depth: in metres; parts with a larger depth are nearer to the camera. paint: the function that paints it.
    """

    depth: float
    paint: Callable[[Canvas], None]


def solid(outline: Callable, colour, owner: int):
    """A function that paints a shaded solid: dark at its outline, with lit layers inside that are shifted towards the light.

    outline: function (shrink, shift) -> the points of a layer's outline in the image.
    """

    def paint(canvas: Canvas):
        canvas.hull(outline(1.0, 0.0), shade(colour, 0.74), owner)
        canvas.hull(outline(0.8, 0.2), shade(colour, 0.95))
        canvas.hull(outline(0.4, 0.42), shade(colour, 1.1))

    return paint


def tube(camera: Camera, start, end, radii: tuple, colour, owner: int):
    """A function that paints a tapered limb segment between two world points; radii in metres."""
    (a, b), scales = camera.project(np.stack([start, end]))
    near, far = radii[0] * scales[0], radii[1] * scales[1]

    def outline(shrink, shift):
        return capsule(a + shift * near * LIGHT, b + shift * far * LIGHT, shrink * near, shrink * far)

    return solid(outline, colour, owner)


def paint_all(layers) -> Callable:
    """A function that calls several paint functions, one after another."""

    def paint(canvas: Canvas):
        for layer in layers:
            layer(canvas)

    return paint


def draw_colour(rng, saturation: tuple, value: tuple):
    """A random BGR colour of any hue; saturation and value are (lowest, highest) in 0..1."""
    hsv = np.array([[[rng.uniform(0, 360), rng.uniform(*saturation), rng.uniform(*value)]]], np.float32)
    return tuple(float(255 * channel) for channel in cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0])
