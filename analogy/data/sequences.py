"""Sequences of vectors: k observed values and the T that follow."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import tensorflow as tf

from analogy.data.batches import ReplicaContext, endless_batches
from analogy.data.doubts import Look, doubts_about, fingerprint
from analogy.random_streams import DatasetStream, generator


@dataclass(frozen=True)
class SequenceGroup:
    """Some sequences, measured together. values: float32 [N, k + T, C] in 0..1."""

    id: str
    action: str
    values: np.ndarray
    label_fingerprint = ""  # it has no labels

    @property
    def length(self) -> int:
        return self.values.shape[1]

    @property
    def size(self) -> tuple[int, ...]:
        """(C,): the numbers in a vector."""
        return self.values.shape[2:]

    @property
    def fingerprint(self) -> str:
        return fingerprint([self.values.tobytes()])


class SequenceDataset:
    """Sequences in 0..1.

    values: the training ones, float32 [N, k + T, C]. train, test: groups of them; the first of `test` is what the published
    figures are of.

    Args:
        train, test: arrays [N, k + T, C]. groups_of: how many are measured together. seed: of the order in training.
        notes: what was left out, for the protocol.
    """

    def __init__(self, name: str, train: np.ndarray, test: np.ndarray, *, groups_of: int, seed: int, notes: str = ""):
        self.name, self.values, self.seed, self.notes = name, train.astype(np.float32), seed, notes
        looks = [[Look(str(i), "", fingerprint([one.tobytes()])) for i, one in enumerate(half)] for half in (train, test)]
        self.doubts = doubts_about(*looks)
        self.train, self.test = (_groups(name, half.astype(np.float32), groups_of) for half in (train, test))

    def batches(self, context: ReplicaContext) -> tf.data.Dataset:
        """Endless training batches in epochs, each in an order of its own: step int64, position [b], values [b, k + T, C]."""
        values = tf.constant(self.values)

        @lru_cache(maxsize=2)  # a batch may lie across the end of an epoch
        def order(epoch: int) -> np.ndarray:
            return generator(self.seed, DatasetStream.SEQUENCE_ORDER, epoch).permutation(len(self.values))

        def choose(places: np.ndarray) -> np.ndarray:
            return np.array([order(place // len(self.values))[place % len(self.values)] for place in places.tolist()])

        def element(step, position):
            place = step * context.batch_size + tf.cast(position, tf.int64)
            chosen = tf.ensure_shape(tf.numpy_function(choose, [place], tf.int64), position.shape)
            return {"step": step, "position": position, "values": tf.gather(values, chosen)}

        return endless_batches(element, context)


def _groups(name: str, values: np.ndarray, size: int) -> list[SequenceGroup]:
    parts = [values[first : first + size] for first in range(0, len(values), size)]
    return [SequenceGroup(f"{index:03d}", name, part) for index, part in enumerate(parts)]
