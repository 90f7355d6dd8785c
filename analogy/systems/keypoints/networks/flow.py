"""Our motion generator's network: from a point between noise and a future to that future."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from scipy.fft import idct

from analogy.models.building import Composite

SCALE = 0.5  # coefficients are divided by it, so that they are about as large as the noise
FREQUENCIES = 6  # of the sines and cosines that tell the time


class FutureFlow(Composite, keras.Model):
    """Keypoints of a future are sums of slow cosines of time; the network works on their coefficients, `size` in all.

    Args:
        keypoints: K. horizon: T. units: of every layer. blocks: number of residual blocks.
        basis: number of cosines, at most T, the constant one first.
    """

    def __init__(self, *, keypoints: int, horizon: int, units: int, blocks: int, basis: int, name: str = "flow"):
        super().__init__(name=name, autocast=False)  # keypoints and time stay float32
        self.cosines = np.float32(idct(np.eye(basis, horizon), axis=1, norm="ortho"))  # [basis, T]
        self.keypoints, self.size = keypoints, basis * keypoints * 2
        self.entry = keras.layers.Dense(units, name="entry")
        self.blocks = [Block(units, name=f"block{index + 1}") for index in range(blocks)]
        normal = keras.initializers.RandomNormal(stddev=0.02)
        self.last = keras.layers.Dense(self.size, kernel_initializer=normal, dtype="float32", name="coefficients")

    def call(self, point, time, first, action):
        """point [B, size]; time [B], 0 where it is noise, 1 where it is the future; k0 [B, K, 2]; action [B, A], one-hot, or
        zeros where it is not told -> the coefficients of the future, [B, size]."""
        phases = time[:, None] * tf.constant(np.pi * 2.0 ** np.arange(FREQUENCIES), tf.float32)
        condition = tf.concat([tf.sin(phases), tf.cos(phases), tf.reshape(first, [-1, 2 * self.keypoints]), action], -1)
        x = self.entry(tf.concat([point, condition], -1))
        for block in self.blocks:
            x = block(x, condition)
        return self.last(tf.nn.silu(x))

    def coefficients(self, future):
        """A future [B, T, K, 2] -> [B, size]."""
        values = tf.einsum("mt,btki->bmki", self.cosines, future) / SCALE
        return tf.reshape(values, [-1, self.size])

    def future(self, coefficients):
        """[B, size] -> a future [B, T, K, 2]."""
        values = tf.reshape(coefficients, [-1, len(self.cosines), self.keypoints, 2])
        return SCALE * tf.einsum("mt,bmki->btki", self.cosines, values)


class Block(Composite):
    """A residual block of two layers, of which the first is told the condition. It begins as the identity."""

    def __init__(self, units: int, name: str):
        super().__init__(name=name)
        self.norm = keras.layers.LayerNormalization(name="norm")
        self.inner, self.told = keras.layers.Dense(units, name="inner"), keras.layers.Dense(units, name="told")
        self.outer = keras.layers.Dense(units, kernel_initializer="zeros", name="outer")

    def call(self, x, condition):
        return x + self.outer(tf.nn.silu(self.inner(self.norm(x)) + self.told(condition)))
