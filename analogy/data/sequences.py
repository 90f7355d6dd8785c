"""Sequences of vectors, with k observed and T future time steps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import tensorflow as tf

from analogy.data.batches import ReplicaContext, endless_batches
from analogy.data.doubts import Inspection, doubts_about, fingerprint
from analogy.data.python_calls import call_python
from analogy.random_streams import DatasetStream, generator


@dataclass(frozen=True)
class SequenceGroup:
    """Sequences that are measured together. values: float32 [N, k + T, C] in 0..1."""

    id: str
    action: str
    values: np.ndarray
    label_fingerprint = ""  # it has no labels

    @property
    def length(self) -> int:
        return self.values.shape[1]

    @property
    def size(self) -> tuple[int, ...]:
        """(C,), the number of values in a vector."""
        return self.values.shape[2:]

    @property
    def fingerprint(self) -> str:
        return fingerprint([self.values.tobytes()])


class SequenceDataset:
    """Sequences in 0..1.

    values: the training sequences, float32 [N, k + T, C]. train, test: groups of sequences. The published figures are those of
    the first group of `test`.

    Args:
        train, test: arrays [N, k + T, C].
        groups_of: the number of sequences in a group.
        seed: the seed of the order in training.
        notes: text for the protocol, such as what was left out.
    """

    def __init__(self, name: str, train: np.ndarray, test: np.ndarray, *, groups_of: int, seed: int, notes: str = ""):
        self.name, self.values, self.seed, self.notes = name, train.astype(np.float32), seed, notes
        self.doubts = doubts_about(_inspections(train), _inspections(test))
        self.train, self.test = (_groups(name, values.astype(np.float32), groups_of) for values in (train, test))

    def batches(self, context: ReplicaContext) -> tf.data.Dataset:
        """Endless training batches: step int64, position [b], values [b, k + T, C].

        They are taken from epochs. Each epoch has every sequence once, in a new random order.
        """
        values = tf.constant(self.values)

        @lru_cache(maxsize=2)  # a batch may hold the end of one epoch and the beginning of the next
        def order(epoch: int) -> np.ndarray:
            return generator(self.seed, DatasetStream.SEQUENCE_ORDER, epoch).permutation(len(self.values))

        def sequence_numbers(places: np.ndarray) -> np.ndarray:
            return np.array([order(place // len(self.values))[place % len(self.values)] for place in places.tolist()])

        def element(step, position):
            place = step * context.batch_size + tf.cast(position, tf.int64)
            numbers = tf.ensure_shape(call_python(sequence_numbers, place, tf.int64), position.shape)
            return {"step": step, "position": position, "values": tf.gather(values, numbers)}

        return endless_batches(element, context)


def _inspections(values: np.ndarray) -> list[Inspection]:
    """The inspection of each sequence. values: [N, k + T, C]."""
    return [Inspection(str(index), "", fingerprint([sequence.tobytes()])) for index, sequence in enumerate(values)]


def _groups(name: str, values: np.ndarray, size: int) -> list[SequenceGroup]:
    parts = [values[first : first + size] for first in range(0, len(values), size)]
    return [SequenceGroup(f"{index:03d}", name, part) for index, part in enumerate(parts)]
