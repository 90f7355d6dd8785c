"""Videos without labels, as training windows and test clips of k observed and T future frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from analogy.data.batches import ReplicaContext
from analogy.data.doubts import fingerprint
from analogy.data.windows import StoredMovie, WindowPlan, window_batches


@dataclass(frozen=True)
class Movie:
    """A video in memory. frames: uint8 [T, H, W, C]. source: the fingerprint of the images from which it was generated."""

    id: str
    action: str
    frames: np.ndarray
    source: str = ""
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
        return fingerprint([self.source.encode(), self.frames.tobytes()])


class MovieDataset:
    """Random windows of the training movies, and fixed test movies.

    Args:
        train: movies of consecutive frames, each long enough for a window.
        test: movies of k + T frames each.
        plan: how training windows are cut.
        seed: the seed of the training windows.
        doubts: one line for each thing that looks wrong in the movies.
    """

    notes = ""

    def __init__(
        self,
        name: str,
        train: Sequence[StoredMovie],
        test: Sequence[StoredMovie],
        *,
        plan: WindowPlan,
        seed: int,
        doubts: Sequence[str],
    ):
        self.name, self.plan, self.seed = name, plan, seed
        self.train, self.test = list(train), list(test)
        self.doubts = list(doubts)

    def batches(self, context: ReplicaContext) -> tf.data.Dataset:
        """Endless training windows: see `analogy.data.windows.window_batches`."""
        return window_batches(self.train, self.plan, context, seed=self.seed)
