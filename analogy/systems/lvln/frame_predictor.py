"""What the ladder network and ours share: they predict the frames of a video one after the other."""

from __future__ import annotations

import tensorflow as tf

from analogy.systems.lvln.settings import LadderSettings, PlusSettings
from analogy.systems.movies import MoviePredictor


class FramePredictor(MoviePredictor):
    """A system that predicts frames, and is trained on the first of them, with a weighted sum of terms of each.

    Args:
        settings: the experiment's.
    """

    def __init__(self, settings: LadderSettings | PlusSettings):
        super().__init__(settings)
        self.trained_horizon = settings.training_horizon or settings.data.horizon


def named_states(levels: list) -> dict[str, tf.Tensor]:
    """The states of lateral blocks, the finest first -> "c1", "c2", ...: those of a block's cells one after the other, float32
    [B, H', W', units]."""
    merged = [tf.concat([hidden for (hidden,) in level], -1) for level in levels]
    return {f"c{index}": tf.cast(value, tf.float32) for index, value in enumerate(merged, 1)}
