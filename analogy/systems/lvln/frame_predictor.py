"""What the ladder network and ours share: they predict the frames of a video one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping

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

    def _weighted(self, terms: Mapping[str, Callable], shape, over_frames: Callable) -> dict[str, tf.Tensor]:
        """The terms of the loss with their weights: name -> [B]. A term of weight 0 is not computed.

        Args:
            terms: name -> function without arguments that gives the term of every frame [B T].
            shape: of the predicted frames, [B, T, ...].
            over_frames: `tf.reduce_sum` or `tf.reduce_mean`, over the frames of an example.
        """
        weights = {name: getattr(self.settings.loss, name) for name in terms}
        return {
            name: weight * over_frames(tf.reshape(terms[name](), shape[:2]), 1) for name, weight in weights.items() if weight
        }


def named_states(levels: list) -> dict[str, tf.Tensor]:
    """The states of lateral blocks, the finest first -> "c1", "c2", ...: those of a block's cells one after the other, float32
    [B, H', W', units]."""
    merged = [tf.concat([hidden for (hidden,) in level], -1) for level in levels]
    return {f"c{index}": tf.cast(value, tf.float32) for index, value in enumerate(merged, 1)}
