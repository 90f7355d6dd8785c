"""moving_ball: a dark ball on white that moves 15 pixels a frame, the toy dataset of the lvln report (spec lvln, section 1)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from analogy.data.batches import pick, step_uniform
from analogy.data.drawn_movies import DrawnMovies
from analogy.data.movies import Movie
from analogy.errors import UserError
from analogy.random_streams import DatasetStream, StepStream, generator

FRAMES, HEIGHT, WIDTH = 6, 128, 160  # of the report
RADIUS, SPEED = 10.0, 15.0  # pixels, and pixels a frame
START = (26.5, 68.0)  # x and y of the report's ball in its first frame
DARK, WHITE = 30, 255
LEVEL, SLANTED = 10, 10  # numbers of unseen movies
NEW_HEIGHT = 4.0  # least vertical distance in pixels of an unseen level ball from every trained one


def trained_centres() -> dict[str, np.ndarray]:
    """Name -> centres [6, 2], x then y in pixels of 128 x 160, of the five training movies.

    They are the report's ball, the same shifted up and shifted down, and two of these three mirrored. How far the report shifts
    is not known.
    """
    report = _straight(START, (SPEED, 0.0))
    up, down = (report + np.array(shift) for shift in ((20.0, -36.0), (-10.0, 36.0)))
    return {
        "report": report,
        "shifted_up": up,
        "shifted_down": down,
        "mirrored": _mirrored(report),
        "shifted_up_mirrored": _mirrored(up),
    }


def unseen_centres(seed: int) -> dict[str, np.ndarray]:
    """Name -> centres [6, 2] of 20 balls that are never trained on; they stay within the frame.

    The level ones move to the left or to the right like the trained ones, at other heights. The slanted ones move in any
    direction.
    """
    random = generator(seed, DatasetStream.UNSEEN_BALLS)
    heights = [centres[0, 1] for centres in trained_centres().values()]
    unseen = {}
    while len(unseen) < LEVEL + SLANTED:
        x, y, angle = random.uniform((0, 0, 0), (WIDTH, HEIGHT, 2 * np.pi))
        level = len(unseen) < LEVEL
        direction = (np.sign(np.cos(angle)), 0.0) if level else (np.cos(angle), np.sin(angle))
        centres = _straight((x, y), SPEED * np.array(direction))
        inside = (centres >= RADIUS).all() and (centres <= np.array([WIDTH, HEIGHT]) - 1 - RADIUS).all()
        if inside and not (level and min(abs(y - height) for height in heights) < NEW_HEIGHT):
            unseen[f"level_{len(unseen):02d}" if level else f"slanted_{len(unseen) - LEVEL:02d}"] = centres
    return unseen


def _straight(start, speed) -> np.ndarray:
    return np.array(start) + np.arange(FRAMES)[:, None] * np.array(speed)


def _mirrored(centres: np.ndarray) -> np.ndarray:
    return np.array([WIDTH - 1, 0]) + centres * [-1, 1]


def scaled(centres: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Centres in pixels of 128 x 160 -> in pixels of frames of `size` (height, width)."""
    return (centres + 0.5) * [size[1] / WIDTH, size[0] / HEIGHT] - 0.5


def draw_ball(centres: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Frames of a ball: uint8 [T, H, W, 3].

    Args:
        centres: [T, 2], x then y in pixels of 128 x 160.
        size: (height, width) of the frames; another shape than 128 x 160 squeezes the ball, as a resized frame would.
    """
    height, width = size
    y, x = (np.arange(height) + 0.5) * HEIGHT / height - 0.5, (np.arange(width) + 0.5) * WIDTH / width - 0.5
    distance = np.hypot(x - centres[:, 0, None, None], y[:, None] - centres[:, 1, None, None])  # [T, H, W]
    pixel = np.sqrt(HEIGHT * WIDTH / (height * width))  # the border is as wide as a pixel: that antialiases it
    covered = np.clip((RADIUS - distance) / pixel + 0.5, 0.0, 1.0)
    frames = np.rint(WHITE + (DARK - WHITE) * covered).astype(np.uint8)
    return np.repeat(frames[..., None], 3, -1)


def open_moving_ball(folder: Path | None, cache: Path, settings) -> DrawnMovies:
    """Open moving_ball. The five training movies test too ("training_sequence"), then come 20 unseen ones ("unseen").

    Args:
        folder, cache: not used.
        settings: with `data` (a MovieDataSettings, whose test_count takes the first test movies) and seed.

    Raises:
        UserError: k + T is more than 6 frames.
    """
    del folder, cache
    data, length = settings.data, settings.data.context + settings.data.horizon
    if length > FRAMES:
        raise UserError(f"data.context + data.horizon is {length}: movies of moving_ball have {FRAMES} frames")

    def movies(action: str, all_centres: dict[str, np.ndarray]) -> list[Movie]:
        parts = {name: centres[:length] for name, centres in all_centres.items()}
        return [
            Movie(name, action, draw_ball(centres, data.size), centres=scaled(centres, data.size))
            for name, centres in parts.items()
        ]

    train, unseen = movies("training_sequence", trained_centres()), movies("unseen", unseen_centres(settings.seed))
    values = tf.constant(np.stack([movie.frames for movie in train]))

    def draw(step, count):
        drawn = pick(step_uniform(settings.seed, step, StepStream.EXAMPLES, [count], tf.float64), len(train))
        return tf.cast(tf.gather(values, drawn), tf.float32) / 255.0

    test = [*train, *unseen][: data.test_count]
    tests = {action: sum(movie.action == action for movie in test) for action in ("training_sequence", "unseen")}
    notes = f"of the test windows, {tests['training_sequence']} are the training sequences and {tests['unseen']} unseen"
    return DrawnMovies("moving_ball", draw, train=train, test=test, notes=notes)
