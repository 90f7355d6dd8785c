"""Videos without labels: k observed frames and the T that follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    source: str = ""  # a fingerprint of what it was drawn from
    label_fingerprint = ""  # it has no labels

    @property
    def length(self) -> int:
        return len(self.frames)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of its frames in pixels."""
        return self.frames.shape[1:3]

    @property
    def fingerprint(self) -> str:
        return fingerprint([self.source.encode(), self.look.fingerprint.encode()])

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
        look = draw_digits(self.digits, motion, np.array([seed, -1]), 3, length).numpy()
        source = fingerprint([digits.tobytes()])
        self.train = [
            Movie(f"{index:05d}", "digits", np.rint(255 * frames).astype(np.uint8), source) for index, frames in enumerate(look)
        ]

    def batches(self, context: ReplicaContext) -> tf.data.Dataset:
        """As of `MovieDataset`."""

        def element(step, position):
            seed = tf.stack([tf.constant(self.seed, tf.int64), step])
            movies = draw_digits(self.digits, self.motion, seed, context.batch_size, self.length)
            return {"step": step, "position": position, "values": tf.gather(movies, position)}

        return endless_batches(element, context)


SIDE = 64  # pixels
ENLARGED = 32  # pixels of a digit as the report has them
FASTEST = 4  # pixels a frame, along each axis, in the report's motion
STEP = 0.1  # of the way from border to border, in a frame of the standard motion


def draw_digits(digits, motion: str, seed, count: int, length: int) -> tf.Tensor:
    """Two digits that move straight and bounce: float32 [count, length, 64, 64, 1] in 0..1.

    Args:
        digits: uint8 [N, 28, 28].
        motion: "published": of Coleman's code (spec seq2seq, section 1.2), with digits enlarged to 32 pixels that add up where
            they overlap, to 1 at most; "standard": of Srivastava et al. (2015), where the brighter digit is seen.
        seed: [2].
    """
    uniform = tf.random.stateless_uniform([count, 2, 5], tf.cast(seed, tf.int64), dtype=tf.float64)
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
