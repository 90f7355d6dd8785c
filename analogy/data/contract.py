"""What every dataset offers, whatever it holds. Who does not know a dataset's kind asks for nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import tensorflow as tf

    from analogy.data.batches import ReplicaContext


@runtime_checkable
class Item(Protocol):
    """One thing of a dataset that is trained on or tested: a clip, the labels of a clip, or a group of sequences.

    It also has what its kind has: `frames` uint8 [T, H, W, C], `joints` float32 [T, 13, 2], or `values` float32 [N, T, C].
    """

    @property
    def id(self) -> str:
        """Its name: no other item of its half has it."""

    @property
    def action(self) -> str:
        """What is done in it, or which kind of thing it is; items are shown and counted by it."""

    @property
    def length(self) -> int:
        """Number of frames, or of time steps."""

    @property
    def size(self) -> tuple[int, ...]:
        """(height, width) of its stored frames in pixels, or (C,), the numbers in a vector."""

    @property
    def fingerprint(self) -> str:
        """A short hash of its frames or values; "" where it has none."""

    @property
    def label_fingerprint(self) -> str:
        """A short hash of its labels but the action; "" where it has none."""


@runtime_checkable
class Dataset(Protocol):
    """A dataset as settings select it.

    name: of the dataset, as `data.dataset` gives it.
    train, test: the items of each half, in a fixed order.
    doubts: what looks wrong in the data, a line each; they are said before training.
    notes: what the protocol must say of the data, such as what was left out; "" is nothing.
    """

    name: str
    train: Sequence[Item]
    test: Sequence[Item]
    doubts: list[str]
    notes: str

    def batches(self, context: ReplicaContext) -> tf.data.Dataset:
        """Endless training batches of this worker, as a function of the seed and the step: dicts with step int64 scalar,
        position int32 [b] (the examples' places in the whole batch) and the tensors of its kind."""
