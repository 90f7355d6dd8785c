"""The variational auto-encoder of a segment of frames (spec sections 2.1 to 2.4)."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from analogy.models.building import Composite
from analogy.systems.vgg_lstm.networks.lstm import TorchLstmCell, run_over_time
from analogy.systems.vgg_lstm.networks.painter import Painter, scales_of


class LatentEncoder(Composite, keras.Model):
    """Features of the frames of a segment [B, S, N] -> mean and log-variance of its latents, [B, S, size] or [B, 1, size].

    Args:
        units: of the LSTM.
        size: the number of values in a latent.
        per_frame: a latent for each frame, after the LSTM has read it. Otherwise one for the segment, after the last frame.
    """

    def __init__(self, *, units: int, size: int, per_frame: bool, name: str = "encoder"):
        super().__init__(name=name)
        self.per_frame = per_frame
        self.cell = TorchLstmCell(units, name="lstm")
        self.mean = keras.layers.Dense(size, name="mean")
        self.log_variance = keras.layers.Dense(size, name="log_variance")

    def call(self, features):
        hidden = run_over_time(self.cell, features)
        hidden = hidden if self.per_frame else hidden[:, -1:]
        return tuple(tf.cast(head(hidden), tf.float32) for head in (self.mean, self.log_variance))


class SegmentDecoder(Composite, keras.Model):
    """Latents of a segment [B, S, size] -> its frames in 0..1 [B, S, side, side, channels].

    Args:
        side: of a frame in pixels, a multiple of 32.
        channels: of a frame.
        units: of the LSTMs before the last one. At 224 pixels the last one has 784 units.
        scales: how many transposed convolutions paint a frame, 1 or 3. Each has a last LSTM of its own.
    """

    def __init__(self, *, side: int, channels: int = 3, units: Sequence[int] = (784,), scales: int = 1, name: str = "decoder"):
        super().__init__(name=name)
        sizes = scales_of(side, scales)
        self.trunk = [TorchLstmCell(count, name=f"lstm{index}") for index, count in enumerate(units, 1)]
        self.tops = [TorchLstmCell(scale.units, name=f"lstm_kernel{scale.kernel}") for scale in sizes]
        self.painter = Painter(side, channels, sizes, name="painter")

    def call(self, latents):
        x = latents
        for cell in self.trunk:
            x = run_over_time(cell, x)
        return self.painter([run_over_time(cell, x) for cell in self.tops])


def sampled(mean, log_variance, noise):
    """mean + deviation * noise, the reparametrised sample. noise: standard normal numbers of the same shape."""
    return mean + tf.exp(0.5 * log_variance) * noise


def divergence_by_number(mean, log_variance):
    """KL(N(mean, variance) || N(0, 1)) in nats for each number of a latent, of the shape of `mean`."""
    return 0.5 * (tf.square(mean) + tf.exp(log_variance) - 1.0 - log_variance)


def divergence(mean, log_variance):
    """The divergence of each example in nats, summed over all numbers of its latents [B, ...]: [B]."""
    return tf.reduce_sum(divergence_by_number(mean, log_variance), list(range(1, len(mean.shape))))
