"""A generated dataset: it opens without a folder, and fulfils `analogy.data.contract.Dataset`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from analogy.data.batches import ReplicaContext, endless_batches
from analogy.data.movies import Movie

SIDE = 16  # pixels of a frame


class Squares:
    """Drifting squares. train, test: lists of Movie."""

    name, notes = "drifting_squares", ""

    def __init__(self, count: int, length: int, seed: int):
        random = np.random.default_rng([seed, 6])
        movies = [Movie(f"{index:03d}", "drift", _draw(random, length)) for index in range(2 * count)]
        self.train, self.test, self.doubts = movies[:count], movies[count:], []

    def batches(self, context: ReplicaContext) -> tf.data.Dataset:
        """step, position [b], and values [b, T, H, W, 1] in 0..1: whole movies in turn."""
        movies = tf.constant(np.stack([movie.frames for movie in self.train]))

        def element(step, position):
            turn = (step * context.batch_size + tf.cast(position, tf.int64)) % len(self.train)
            return {"step": step, "position": position, "values": tf.cast(tf.gather(movies, turn), tf.float32) / 255.0}

        return endless_batches(element, context)


def _draw(random: np.random.Generator, length: int) -> np.ndarray:
    """uint8 [T, 16, 16, 1]."""
    frames, (x, y) = np.zeros([length, SIDE, SIDE, 1], np.uint8), random.integers(0, SIDE - 4, 2)
    for frame in frames:
        frame[y : y + 4, np.arange(x, x + 4) % SIDE] = 255
        x += 1
    return frames


def open_squares(folder, cache, settings) -> Squares:
    del folder, cache  # it is drawn in an instant
    data = settings.data
    return Squares(data.count, data.context + data.horizon, settings.seed)
