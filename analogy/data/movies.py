"""Videos without labels: k observed frames and the T that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from analogy.data.batches import ReplicaContext, endless_batches, pick
from analogy.data.doubts import Look, count_black, fingerprint


@dataclass(frozen=True)
class Movie:
    """frames: uint8 [T, H, W, C]; perhaps memory-mapped."""

    id: str
    action: str
    frames: np.ndarray

    @property
    def look(self) -> Look:
        """Of its first, middle and last frame."""
        some = self.frames[[0, len(self.frames) // 2, -1]]
        return Look(self.id, self.action, fingerprint([some.tobytes()]), black_frames=count_black(some))


class MovieDataset:
    """Training windows from anywhere in the training movies; test windows from fixed places.

    train: movies of any length. test: movies of k + T frames each.

    Args:
        length: k + T. seed: of the training windows. doubts: what looks wrong in the movies.
    """

    notes = ""

    def __init__(
        self, name: str, train: Sequence[Movie], test: Sequence[Movie], *, length: int, seed: int, doubts: Sequence[str]
    ):
        self.name, self.length, self.seed = name, length, seed
        self.train, self.test = list(train), list(test)
        self.doubts = list(doubts)

    def batches(self, context: ReplicaContext) -> tf.data.Dataset:
        """Endless training windows, a movie and a start drawn at random: step int64, position [b], values
        [b, k + T, H, W, C] in 0..1."""
        lengths = tf.constant([len(movie.frames) for movie in self.train])
        shape = (None, self.length, *self.train[0].frames.shape[1:])

        def read(movies, starts):
            windows = [self.train[m].frames[s : s + self.length] for m, s in zip(movies, starts, strict=True)]
            return np.stack(windows)

        def element(step, position):
            uniform = tf.random.stateless_uniform([context.batch_size, 2], [self.seed, step], dtype=tf.float64)
            drawn, at = tf.unstack(tf.gather(uniform, position), axis=1)
            movie = pick(drawn, len(self.train))
            start = pick(at, tf.gather(lengths, movie) - self.length + 1)
            windows = tf.ensure_shape(tf.numpy_function(read, [movie, start], tf.uint8), shape)
            return {"step": step, "position": position, "values": tf.cast(windows, tf.float32) / 255.0}

        return endless_batches(element, context)


class MovingDigits:
    """Moving MNIST (Srivastava et al. 2015) as it is trained on: drawn anew for every batch (spec seq2seq, section 1.2).

    train: a few movies to look at. test: fixed ones.

    Args:
        digits: uint8 [N, 28, 28], of the training movies. test: uint8 [M, k + T, 64, 64, 1]. length: k + T. seed: of what is
            drawn.
    """

    doubts = ()  # made here

    def __init__(self, digits: np.ndarray, test: np.ndarray, *, length: int, seed: int, notes: str = ""):
        self.name, self.length, self.seed, self.notes = "moving_mnist", length, seed, notes
        self.digits = enlarged(digits)
        self.test = [Movie(f"{index:05d}", "digits", frames) for index, frames in enumerate(test)]
        look = draw_digits(self.digits, np.array([seed, -1]), 3, length).numpy()
        self.train = [
            Movie(f"{index:05d}", "digits", np.rint(255 * frames).astype(np.uint8)) for index, frames in enumerate(look)
        ]

    def batches(self, context: ReplicaContext) -> tf.data.Dataset:
        """As of `MovieDataset`."""

        def element(step, position):
            movies = draw_digits(
                self.digits, tf.stack([tf.constant(self.seed, tf.int64), step]), context.batch_size, self.length
            )
            return {"step": step, "position": position, "values": tf.gather(movies, position)}

        return endless_batches(element, context)


SIDE, DIGIT = 64, 32  # pixels
FASTEST = 4  # pixels a frame, along each axis


def enlarged(digits: np.ndarray) -> tf.Tensor:
    """uint8 [N, 28, 28] -> float32 [N, 32, 32] in 0..1, bilinear."""
    resized = tf.image.resize(tf.constant(digits)[..., None], [DIGIT, DIGIT])
    return resized[..., 0] / 255.0


def draw_digits(digits, seed, count: int, length: int) -> tf.Tensor:
    """Two digits that move straight and bounce: float32 [count, length, 64, 64, 1] in 0..1; where they overlap they add up, to
    1 at most.

    Places start at 0..31, speeds are -4..4 along each axis, 0 among them. Before a frame is drawn, a digit below 0 is put to 0
    and one at 32 or more to 31, and turned; it moves after (spec seq2seq, section 1.2, code).
    """
    border = SIDE - DIGIT
    seed = tf.cast(seed, tf.int64)
    uniform = tf.random.stateless_uniform([count, 2, 5], seed, dtype=tf.float64)
    which = pick(uniform[..., 0], tf.shape(digits)[0])
    place = pick(uniform[..., 1:3], border)  # [count, 2 digits, x and y]
    speed = pick(uniform[..., 3:5], 2 * FASTEST + 1) - FASTEST
    frames = []
    chosen = tf.gather(digits, which)  # [count, 2, 32, 32]
    for _ in range(length):
        low, high = place < 0, place >= border
        place = tf.where(low, 0, tf.where(high, border - 1, place))
        speed = tf.where(low | high, -speed, speed)
        columns, rows = (tf.one_hot(place[..., axis, None] + tf.range(DIGIT), SIDE) for axis in (0, 1))  # [count, 2, 32, 64]
        drawn = tf.einsum("bdyh,bdyx,bdxw->bhw", rows, chosen, columns)
        frames.append(tf.minimum(drawn, 1.0))
        place += speed
    return tf.stack(frames, 1)[..., None]
