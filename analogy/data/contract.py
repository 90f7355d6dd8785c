"""What all datasets have in common. Code that must work with every dataset may use only this."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import tensorflow as tf

    from analogy.data.batches import ReplicaContext


@runtime_checkable
class Item(Protocol):
    """One unit of the training or test data: a clip, the labels of a clip, or a group of sequences.

    Depending on the kind of dataset it also has `frames` uint8 [T, H, W, C], `joints` float32 [T, 13, 2], or `values` float32
    [N, T, C].
    """

    @property
    def id(self) -> str:
        """Its name, unique within the training data and within the test data."""

    @property
    def action(self) -> str:
        """The action in a clip, or the group of other items. Pages and tables group items by it."""

    @property
    def length(self) -> int:
        """Number of frames, or of time steps."""

    @property
    def size(self) -> tuple[int, ...]:
        """(height, width) of its stored frames in pixels; or (C,), the number of values in a vector."""

    @property
    def fingerprint(self) -> str:
        """A short hash of its frames or values; "" if it has none."""

    @property
    def label_fingerprint(self) -> str:
        """A short hash of its labels without the action; "" if it has none."""


@runtime_checkable
class Dataset(Protocol):
    """A dataset, after the selection by the settings.

    name: the name of the dataset, as in the setting `data.dataset`.
    train, test: the items for training and for the test, in a fixed order.
    doubts: one line for each thing that looks wrong in the data. They are logged before training.
    notes: text about the data for the protocol of a run, such as what was left out; may be "".
    """

    name: str
    train: Sequence[Item]
    test: Sequence[Item]
    doubts: list[str]
    notes: str

    def batches(self, context: ReplicaContext) -> tf.data.Dataset:
        """Endless training batches for this worker, as a function of the seed and the step.

        Each is a dict with step, int64 scalar; position, int32 [b]: the numbers of its examples in the batch of all replicas;
        and the tensors of the kind of dataset.
        """


def name_with_notes(dataset: Dataset) -> str:
    """For the protocol of a run: the dataset's name, and where it has notes, these in brackets."""
    return f"{dataset.name} ({dataset.notes})" if dataset.notes else dataset.name
