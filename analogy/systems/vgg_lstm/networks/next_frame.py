"""The next-frame predictor: one LSTM between the features of a frame and the picture of the next one (spec section 2.3)."""

from __future__ import annotations

import keras
import tensorflow as tf

from analogy.models.building import Composite
from analogy.systems.vgg_lstm.networks.lstm import TorchLstmCell, run_over_time
from analogy.systems.vgg_lstm.networks.painter import CELL, Painter, scales_of


class NextFrame(Composite, keras.Model):
    """Features of frames [B, S, N] -> for each the frame that follows it, in 0..1 [B, S, side, side, channels].

    It is given every true frame as it comes in (teacher forcing). `step` is for running on its own answers.

    Args:
        side: of a frame in pixels, a multiple of 32. At 224 the LSTM has 784 units.
        channels: of a frame.
        scales: how many transposed convolutions paint a frame, 1 or 3. Each has an LSTM of its own.
        pooled: the LSTM reads the mean of the features over the cells of the frame.
    """

    def __init__(self, *, side: int, channels: int = 3, scales: int = 1, pooled: bool = False, name: str = "next_frame"):
        super().__init__(name=name)
        self.cells_to_pool = (side // CELL) ** 2 if pooled else 1
        sizes = scales_of(side, scales)
        self.cells = [TorchLstmCell(scale.units, name=f"lstm{scale.kernel}") for scale in sizes]
        self.painter = Painter(side, channels, sizes, name="painter")

    def call(self, features):
        features = self._pooled(features)
        return self.painter([run_over_time(cell, features) for cell in self.cells])

    def _pooled(self, features):
        """Features [..., N] -> [..., N / cells], or as they are."""
        cells = self.cells_to_pool
        if cells == 1:
            return features
        shape = tf.concat([tf.shape(features)[:-1], [cells, features.shape[-1] // cells]], 0)
        pooled = tf.reduce_mean(tf.reshape(features, shape), -2)
        return tf.ensure_shape(pooled, [*features.shape[:-1], features.shape[-1] // cells])

    def step(self, features, states: list) -> tuple[tf.Tensor, list]:
        """Features of one frame [B, N], and the states before it -> the next frame [B, H, W, C], and the states after it."""
        features = self._pooled(features)
        answers, next_states = [], []
        for cell, state in zip(self.cells, states, strict=True):
            answer, state = cell(features, state)
            answers.append(answer[:, None])
            next_states.append(state)
        return self.painter(answers)[:, 0], next_states

    def zero_states(self, batch) -> list:
        """The states at the beginning, for a batch of this size."""
        return [cell.zero_state(batch) for cell in self.cells]
