"""Movies that are drawn anew for every training batch, with fixed test movies."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from analogy.data.batches import ReplicaContext, endless_batches
from analogy.data.movies import Movie


class DrawnMovies:
    """A dataset whose training movies are a function of the training step.

    Args:
        name: of the dataset.
        draw: (step, count) -> float32 [count, k + T, H, W, C] in 0..1, the training movies of a step. step: int64 scalar.
        train: some training movies to look at, all of one action.
        test: the test movies.
        notes: text for the protocol.
    """

    def __init__(self, name: str, draw: Callable, *, train: Sequence[Movie], test: Sequence[Movie], notes: str = ""):
        self.name, self.draw, self.notes = name, draw, notes
        self.train, self.test = list(train), list(test)
        self.classes = sorted({movie.action for movie in (*train, *test)})
        self.doubts: list[str] = []  # nothing can be wrong in generated data

    def batches(self, context: ReplicaContext) -> tf.data.Dataset:
        """Endless training batches.

        Each: step int64; position int32 [b]; values float32 [b, k + T, H, W, C] in 0..1; label int32 [b], the number of the
        action in `classes`.
        """
        label = self.classes.index(self.train[0].action)

        def element(step, position):
            values = tf.gather(self.draw(step, context.batch_size), position)
            return {"step": step, "position": position, "values": values, "label": tf.fill(position.shape, label)}

        return endless_batches(element, context)
