"""Moving MNIST: digits that move and bounce, drawn anew for every batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from analogy.data.batches import ReplicaContext, endless_batches, pick, step_uniform
from analogy.data.doubts import fingerprint
from analogy.data.movies import Movie
from analogy.random_streams import DIGITS_TO_LOOK_AT, StepStream


class MovingDigits:
    """Moving MNIST as it is trained on: drawn anew for every batch.

    train: a few movies to look at. test: fixed ones.

    Args:
        digits: uint8 [N, 28, 28], of the training movies. test: uint8 [M, k + T, 64, 64, 1]. motion: see `draw_digits`.
            length: k + T. seed: of what is drawn.
    """

    def __init__(self, digits: np.ndarray, test: np.ndarray, *, motion: str, length: int, seed: int, notes: str = ""):
        self.name, self.motion, self.length, self.seed, self.notes = "moving_mnist", motion, length, seed, notes
        self.digits = tf.constant(digits)
        self.test = [Movie(f"{index:05d}", "digits", frames) for index, frames in enumerate(test)]
        self.doubts: list[str] = []  # it is made here
        look = draw_digits(self.digits, motion, seed, DIGITS_TO_LOOK_AT, 3, length).numpy()
        source = fingerprint([digits.tobytes()])
        self.train = [
            Movie(f"{index:05d}", "digits", np.rint(255 * frames).astype(np.uint8), source) for index, frames in enumerate(look)
        ]

    def batches(self, context: ReplicaContext) -> tf.data.Dataset:
        """As of `MovieDataset`."""

        def element(step, position):
            movies = draw_digits(self.digits, self.motion, self.seed, step, context.batch_size, self.length)
            return {"step": step, "position": position, "values": tf.gather(movies, position)}

        return endless_batches(element, context)


SIDE = 64  # pixels
ENLARGED = 32  # pixels of a digit as the report has them
FASTEST = 4  # pixels a frame, along each axis, in the report's motion
STEP = 0.1  # of the way from border to border, in a frame of the standard motion


def draw_digits(digits, motion: str, seed: int, step, count: int, length: int) -> tf.Tensor:
    """Two digits that move straight and bounce: float32 [count, length, 64, 64, 1] in 0..1.

    Args:
        digits: uint8 [N, 28, 28].
        motion: "published": of Coleman's code (spec seq2seq, section 1.2), with digits enlarged to 32 pixels that add up where
            they overlap, to 1 at most; "standard": of Srivastava et al. (2015), where the brighter digit is seen.
        seed, step: what the numbers are a function of.
    """
    uniform = step_uniform(seed, step, StepStream.EXAMPLES, [count, 2, 5], tf.float64)
    chosen = tf.gather(digits, pick(uniform[..., 0], tf.shape(digits)[0]))  # [count, 2, 28, 28]
    side = chosen.shape[-1]
    if motion == "published":
        flat = tf.reshape(chosen, [2 * count, side, side, 1])
        chosen, side = tf.reshape(tf.image.resize(flat, [ENLARGED] * 2), [count, 2, ENLARGED, ENLARGED]), ENLARGED
    chosen = tf.cast(chosen, tf.float32) / 255.0
    move = {"published": _published_places, "standard": _standard_places}[motion]
    frames = []
    for place in move(uniform[..., 1:], SIDE - side, length):
        columns, rows = (tf.one_hot(place[..., axis, None] + tf.range(side), SIDE) for axis in (0, 1))  # [count, 2, side, 64]
        drawn = tf.einsum("bdyh,bdyx,bdxw->bdhw", rows, chosen, columns)
        frames.append(tf.minimum(tf.reduce_sum(drawn, 1), 1.0) if motion == "published" else tf.reduce_max(drawn, 1))
    return tf.stack(frames, 1)[..., None]


def _published_places(uniform, border: int, length: int) -> Iterator[tf.Tensor]:
    """Corners of the digits, x and y, int32 [count, 2, 2], frame by frame.

    They start at 0..31, speeds are -4..4 along each axis, 0 among them. Before a frame is drawn, a digit below 0 is put to 0
    and one at 32 or more to 31, and turned; it moves after.
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
    """The same of the standard motion: anywhere at first, in any direction, a tenth of the way in a frame, moved before it is
    drawn; one that has reached a border lies on it and is turned."""
    place, angle = uniform[..., :2], 2 * np.pi * uniform[..., 2]
    speed = STEP * tf.stack([tf.cos(angle), tf.sin(angle)], -1)
    for _ in range(length):
        place += speed
        speed = tf.where((place <= 0) | (place >= 1), -speed, speed)
        place = tf.clip_by_value(place, 0.0, 1.0)
        yield tf.cast(border * place, tf.int32)
