"""Static backgrounds in the camera's perspective, and things that stand in front of the person."""

import cv2
import numpy as np

from data_prep.synthetic_actors.canvas import SUPERSAMPLING, Camera, Canvas, draw_colour, shade

FOREGROUND = 251  # on the owner map; it hides all joints behind it

HAZE, HAZE_LEVEL = 0.7, 235.0  # share of haze in the background, and its grey level


def draw_scene(camera: Camera, size: int, rng: np.random.Generator):
    """A random background for a canvas, uint8 [size * SUPERSAMPLING, size * SUPERSAMPLING, 3], BGR."""
    wall_distance = rng.uniform(1.2, 4.5)
    _, edge = camera.project([0.0, 0.0, -wall_distance])[0]
    edge = float(np.clip(edge, 0.2 * size, 0.94 * size))
    place = PLACES[rng.integers(len(PLACES))]
    canvas = Canvas(np.zeros((size * SUPERSAMPLING, size * SUPERSAMPLING, 3), np.uint8))
    place(canvas, camera, size, edge, -wall_distance, rng)
    picture = canvas.pixels.astype(np.float32)
    picture *= soft_noise(len(picture), 4, 0.07, rng)[..., None]  # uneven light
    picture *= soft_noise(len(picture), 24, 0.02, rng)[..., None]  # a little surface texture
    picture = cv2.GaussianBlur(picture * rng.uniform(0.82, 1.1), (0, 0), 1.1)
    # The background is bright and hazy: the person stands out as in filmed sports, and motion changes many pixels a lot.
    picture = (1 - HAZE) * picture + HAZE * HAZE_LEVEL
    return np.clip(picture, 0, 255).astype(np.uint8)


def soft_noise(side: int, cells: int, strength: float, rng):
    """A smooth random field [side, side] with mean 1."""
    field = rng.normal(1, strength, (cells, cells)).astype(np.float32)
    return cv2.resize(field, (side, side), interpolation=cv2.INTER_CUBIC)


def rectangle(canvas: Canvas, left, top, right, bottom, colour, owner=None):
    canvas.hull(np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float), colour, owner)


def gradient(canvas: Canvas, top: float, bottom: float, first, last, steps: int = 24):
    """Paint a vertical gradient from colour `first` at `top` to `last` at `bottom`, in pixels."""
    size = len(canvas.pixels) / SUPERSAMPLING
    for k in range(steps):
        share = k / (steps - 1)
        colour = tuple((1 - share) * a + share * b for a, b in zip(first, last, strict=True))
        y = top + k * (bottom - top) / steps
        rectangle(canvas, -1, y, size + 1, bottom + 1, colour)


def floor_grid(canvas: Canvas, camera: Camera, far: float, colour, width: float, *, across: bool, rng):
    """Paint the gaps between floor boards, which run away from the camera, or with `across` those between tiles."""
    near = camera.distance - 1.0
    spacing, start = rng.uniform(0.5, 0.9), rng.uniform(0, 0.5)
    for x in np.arange(-8 + start, 8, spacing):
        floor_line(canvas, camera, (x, far), (x, near), colour, width)
    if across:
        for z in np.arange(far, near, spacing):
            floor_line(canvas, camera, (-9, z), (9, z), colour, width)


def floor_line(canvas: Canvas, camera: Camera, start, end, colour, width: float):
    """Paint a strip on the floor between two points (x, z); all lengths in metres."""
    start, end = np.array(start, float), np.array(end, float)
    side = np.array([-(end - start)[1], (end - start)[0]])
    side *= width / 2 / np.linalg.norm(side)
    corners = np.array([start + side, end + side, end - side, start - side])
    image, _ = camera.project(np.stack([corners[:, 0], 0 * corners[:, 0], corners[:, 1]], -1))
    canvas.hull(np.clip(image, -2000, 2000), colour)


def draw_sky(rng):
    """A random colour of the sky, between clear blue and overcast grey."""
    cloudy, light = rng.uniform(0, 1), rng.uniform(0.8, 1.0)
    return tuple(light * ((1 - cloudy) * np.array((235, 185, 135)) + cloudy * np.array((215, 212, 208))))


def room(canvas, camera, size, edge, far, rng):
    wall, floor = draw_colour(rng, (0.03, 0.3), (0.55, 0.9)), draw_colour(rng, (0.1, 0.4), (0.3, 0.65))
    gradient(canvas, 0, edge, shade(wall, 1.05), shade(wall, 0.9))
    for _ in range(rng.integers(1, 4)):  # windows, doors and pictures
        left, top = rng.uniform(-0.1, 0.9) * size, rng.uniform(0.0, 0.5) * edge
        right, bottom = left + rng.uniform(0.12, 0.3) * size, top + rng.uniform(0.2, 0.6) * edge
        rectangle(canvas, left - 2, top - 2, right + 2, bottom + 2, shade(wall, 0.7))
        rectangle(canvas, left, top, right, bottom, draw_colour(rng, (0.1, 0.45), (0.4, 0.9)))
    rectangle(canvas, -1, edge - 0.022 * size, size, edge, shade(wall, 0.6))
    gradient(canvas, edge, size, shade(floor, 0.85), shade(floor, 1.1))
    floor_grid(canvas, camera, far, shade(floor, 0.8), 0.03, across=rng.random() < 0.5, rng=rng)


def gym(canvas, camera, size, edge, far, rng):
    wall, floor = draw_colour(rng, (0.02, 0.25), (0.4, 0.8)), draw_colour(rng, (0.0, 0.25), (0.18, 0.4))
    gradient(canvas, 0, edge, wall, shade(wall, 0.85))
    stripe = rng.uniform(0.2, 0.6) * edge
    rectangle(canvas, -1, stripe, size, stripe + rng.uniform(0.06, 0.14) * size, draw_colour(rng, (0.4, 0.8), (0.3, 0.7)))
    for x in rng.uniform(0, size, rng.integers(1, 4)):  # racks with plates
        steel = shade(wall, 0.45)
        rectangle(canvas, x, 0.3 * edge, x + 0.02 * size, edge, steel)
        rectangle(canvas, x + 0.14 * size, 0.3 * edge, x + 0.16 * size, edge, steel)
        for y in np.linspace(0.45, 0.85, 3) * edge:
            rectangle(canvas, x - 0.02 * size, y, x + 0.18 * size, y + 0.035 * size, draw_colour(rng, (0, 0.5), (0.15, 0.45)))
    gradient(canvas, edge, size, shade(floor, 0.8), shade(floor, 1.15))
    floor_grid(canvas, camera, far, shade(floor, 1.3), 0.025, across=True, rng=rng)


def field(canvas, camera, size, edge, far, rng):
    sky, green = draw_sky(rng), rng.uniform(0.75, 1.25)
    grass = shade((60 + rng.uniform(-15, 15), 140, 85 + rng.uniform(-25, 35)), green)
    gradient(canvas, 0, edge, sky, shade(sky, 1.15))
    for _ in range(rng.integers(0, 4)):  # clouds
        x, y = rng.uniform(0, size), rng.uniform(0, 0.5) * edge
        for dx in (-0.06, 0, 0.06):
            blob(canvas, x + dx * size, y, rng.uniform(0.05, 0.09) * size, 0.5, (245, 240, 236))
    leaves = shade(grass, rng.uniform(0.5, 0.75))
    for x in np.arange(-0.05, 1.1, rng.uniform(0.07, 0.14)) * size:  # a row of trees
        blob(
            canvas,
            x + rng.uniform(-4, 4),
            edge - rng.uniform(0.02, 0.1) * size,
            rng.uniform(0.06, 0.13) * size,
            1.1,
            shade(leaves, rng.uniform(0.85, 1.15)),
        )
    gradient(canvas, edge, size, shade(grass, 0.85), shade(grass, 1.1))
    bands = np.arange(far, camera.distance - 1, 0.9)
    for z in bands[::2]:  # mown in stripes
        floor_line(canvas, camera, (-12, z), (12, z), shade(grass, 1.02), 0.8)


def court(canvas, camera, size, edge, far, rng):
    ground, wall = draw_colour(rng, (0.25, 0.6), (0.4, 0.7)), draw_colour(rng, (0.1, 0.5), (0.25, 0.6))
    sky = draw_sky(rng)
    gradient(canvas, 0, edge, sky, shade(sky, 0.95))
    top = edge * rng.uniform(0.15, 0.6)
    rectangle(canvas, -1, top, size, edge, wall)
    for x in np.arange(rng.uniform(0, 0.1), 1, rng.uniform(0.12, 0.25)) * size:  # fence posts
        rectangle(canvas, x, top - 2, x + 0.012 * size, edge, shade(wall, 0.7))
    rectangle(canvas, -1, top - 1.5, size, top + 0.5, shade(wall, 1.3))
    gradient(canvas, edge, size, shade(ground, 0.9), shade(ground, 1.08))
    for z in (far + rng.uniform(0.3, 0.8), rng.uniform(0.6, 1.6)):
        floor_line(canvas, camera, (-12, z), (12, z), (225, 228, 228), 0.07)
    x = rng.uniform(-2.5, 2.5)
    floor_line(canvas, camera, (x, far), (x + rng.uniform(-0.5, 0.5), camera.distance - 1), (225, 228, 228), 0.07)


def street(canvas, camera, size, edge, far, rng):
    pavement = draw_colour(rng, (0.02, 0.15), (0.45, 0.7))
    sky = draw_sky(rng)
    gradient(canvas, 0, edge, sky, shade(sky, 1.05))
    x = -rng.uniform(0, 0.2) * size
    while x < size:
        width, top = rng.uniform(0.18, 0.4) * size, rng.uniform(-0.1, 0.5) * edge
        house = draw_colour(rng, (0.1, 0.4), (0.4, 0.75))
        rectangle(canvas, x, top, x + width, edge, house)
        pane = shade(house, rng.choice([0.65, 1.25]))
        for wx in np.arange(x + 0.03 * size, x + width - 0.06 * size, 0.1 * size):
            for wy in np.arange(top + 0.04 * size, edge - 0.1 * size, 0.14 * size):
                rectangle(canvas, wx, wy, wx + 0.05 * size, wy + 0.08 * size, pane)
        x += width
    gradient(canvas, edge, size, shade(pavement, 0.85), shade(pavement, 1.05))
    floor_grid(canvas, camera, far, shade(pavement, 0.88), 0.03, across=True, rng=rng)


def beach(canvas, camera, size, edge, far, rng):
    sky, sand = draw_sky(rng), np.array((150, 195, 220)) * rng.uniform(0.8, 1.05)
    sea = np.array((165, 140, 70)) * rng.uniform(0.7, 1.15)
    horizon = edge * rng.uniform(0.5, 0.85)
    gradient(canvas, 0, horizon, shade(sky, 0.95), shade(sky, 1.05))
    gradient(canvas, horizon, edge, shade(sea, 0.85), shade(sea, 1.2))
    gradient(canvas, edge, size, shade(sand, 0.92), shade(sand, 1.06))
    for _ in range(rng.integers(3, 9)):  # dunes and footprints
        y = rng.uniform(edge + 0.03 * size, size)
        blob(canvas, rng.uniform(0, size), y, rng.uniform(0.05, 0.15) * size, 0.15, shade(sand, rng.uniform(0.9, 1.0)))


PLACES = (room, gym, field, court, street, beach)


def blob(canvas: Canvas, x, y, radius, flatness, colour):
    angle = np.arange(20) * np.pi / 10
    canvas.hull(np.stack([x + radius * np.cos(angle), y + flatness * radius * np.sin(angle)], -1), colour)


def draw_foreground(size: int, low, high, rng: np.random.Generator):
    """Something that stands in front of the person: a post beside the middle of the body, or a box that hides the feet.

    low, high: [2], the corners of the person's area in the image. Returns a function that paints it; in three of four cases
    there is nothing, and it returns None.
    """
    if rng.random() > 0.25:
        return None
    colour = draw_colour(rng, (0.05, 0.5), (0.2, 0.6))
    width = high[0] - low[0]
    if rng.random() < 0.5:
        half_width, aside = rng.uniform(0.015, 0.03) * size, rng.uniform(0.05, 0.3)
        x = low[0] + (aside if rng.random() < 0.5 else 1 - aside) * width
        box = (x - half_width, -2, x + half_width, size + 2)
    else:
        half_width, x = rng.uniform(0.12, 0.25) * size, low[0] + rng.uniform(0.2, 0.8) * width
        box = (x - half_width, high[1] - rng.uniform(0.1, 0.22) * (high[1] - low[1]), x + half_width, size + 2)

    def paint(canvas: Canvas):
        left, top, right, bottom = box
        rectangle(canvas, left, top, right, bottom, shade(colour, 0.8), FOREGROUND)
        rectangle(canvas, left, top, left + 0.65 * (right - left), bottom, colour)
        rectangle(canvas, left, top, right, top + 0.02 * size, shade(colour, 1.25))

    return paint
