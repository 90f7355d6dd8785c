"""Moving MNIST: movies of two digits that move and bounce off the borders."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from analogy.data.batches import pick, step_uniform
from analogy.random_streams import StepStream

SIDE = 64  # of a frame, in pixels
ENLARGED = 32  # side of a digit in the published motion, in pixels
FASTEST = 4  # highest speed along each axis in the published motion, in pixels per frame
STEP = 0.1  # speed in the standard motion: share of the way from border to border per frame


def draw_digits(digits, motion: str, seed: int, step, count: int, length: int) -> tf.Tensor:
    """Movies of two random digits that move in straight lines and bounce: float32 [count, length, 64, 64, 1] in 0..1.

    Args:
        digits: uint8 [N, 28, 28].
        motion: "published", as in Coleman's code: digits are enlarged to 32 pixels, and where they
            overlap, their values add up, to 1 at most. "standard", as in Srivastava et al. (2015): where digits overlap, the
            larger value counts.
        seed, step: the movies are a function of them. step: int64 scalar.
        count: the number of movies. length: the number of frames of each.
    """
    uniform = step_uniform(seed, step, StepStream.EXAMPLES, [count, 2, 5], tf.float64)
    pairs = tf.gather(digits, pick(uniform[..., 0], tf.shape(digits)[0]))  # [count, 2, 28, 28]
    side = pairs.shape[-1]
    if motion == "published":
        flat = tf.reshape(pairs, [2 * count, side, side, 1])
        pairs, side = tf.reshape(tf.image.resize(flat, [ENLARGED] * 2), [count, 2, ENLARGED, ENLARGED]), ENLARGED
    pairs = tf.cast(pairs, tf.float32) / 255.0
    move = {"published": _published_places, "standard": _standard_places}[motion]
    frames = []
    for place in move(uniform[..., 1:], SIDE - side, length):
        columns, rows = (tf.one_hot(place[..., axis, None] + tf.range(side), SIDE) for axis in (0, 1))  # [count, 2, side, 64]
        layers = tf.einsum("bdyh,bdyx,bdxw->bdhw", rows, pairs, columns)  # [count, 2, 64, 64], each digit in its place
        frames.append(tf.minimum(tf.reduce_sum(layers, 1), 1.0) if motion == "published" else tf.reduce_max(layers, 1))
    return tf.stack(frames, 1)[..., None]


def _published_places(uniform, border: int, length: int) -> Iterator[tf.Tensor]:
    """Yield the upper left corners of the digits, x then y, for each frame: int32 [count, 2, 2].

    Digits start at 0..31. Their speeds along each axis are -4..4 pixels per frame, 0 included. Before a frame is drawn, a digit
    below 0 is put to 0 and one at 32 or more to 31, and its speed is reversed. It moves after the frame is drawn.
    """
    place = pick(uniform[..., :2], border)
    speed = pick(uniform[..., 2:4], 2 * FASTEST + 1) - FASTEST
    for _ in range(length):
        low, high = place < 0, place >= border
        place = tf.where(low, 0, tf.where(high, border - 1, place))
        speed = tf.where(low | high, -speed, speed)
        yield place
        place += speed


def _standard_places(uniform, border: int, length: int) -> Iterator[tf.Tensor]:
    """`_published_places` for the standard motion.

    Digits start anywhere, in any direction, and move by STEP before each frame is drawn. A digit that has reached a border is
    put on it, and its speed is reversed.
    """
    place, angle = uniform[..., :2], 2 * np.pi * uniform[..., 2]
    speed = STEP * tf.stack([tf.cos(angle), tf.sin(angle)], -1)
    for _ in range(length):
        place += speed
        speed = tf.where((place <= 0) | (place >= 1), -speed, speed)
        place = tf.clip_by_value(place, 0.0, 1.0)
        yield tf.cast(border * place, tf.int32)
