"""The toy network: a ladder of two levels without ResNet (spec section 7)."""

from __future__ import annotations

import keras
import tensorflow as tf

from analogy.models.batch_norm import BatchNorm
from analogy.models.building import Composite
from analogy.models.resnet import padded
from analogy.systems.lvln.networks.ladder import Head, Rise, States
from analogy.systems.lvln.networks.lateral import Lateral, scaled, torch_conv


class ToyLadder(Composite, keras.Model):
    """One frame [B, H, W, C] -> the next one, float32 [B, H, W, C], without limits. H and W are multiples of 4.

    The published code calls its GRUs without their states, so it remembers nothing. Here the states are passed on.

    Args:
        channels: C. The published network reads and predicts one channel.
        width: multiplier of all channels.
    """

    encoder = None  # it has none that others trained

    def __init__(self, *, channels: int = 3, width: float = 1.0, name: str = "toy"):
        super().__init__(name=name)
        units = scaled(64, width)
        self.first = torch_conv(units, 7, channels, "first", stride=2)
        self.norm = BatchNorm(name="norm")
        self.deeper = [torch_conv(units, 3, units, f"deeper{index}") for index in range(1, 5)]
        self.laterals = [Lateral(units, located=False, columns="correct", name=f"c{index}") for index in (1, 2)]
        self.rise = Rise(width, name="l1")
        self.head = Head(channels, "bilinear", name="out")

    def call(self, frame, states: States | None = None, training: bool = False):
        """As `Ladder.call`."""
        fine = self.first(padded(frame, 3))
        coarse = tf.nn.max_pool2d(tf.nn.relu(self.norm(fine, training=training)), 2, 2, "VALID")
        for convolution in self.deeper:
            coarse = convolution(coarse)
        states = states or [None, None]
        memory, next_fine = self.laterals[0](fine, states[0])
        deep_memory, next_coarse = self.laterals[1](coarse, states[1])
        risen = self.rise(deep_memory, training=training)
        return self.head(tf.concat([memory, risen], -1)), [next_fine, next_coarse]
