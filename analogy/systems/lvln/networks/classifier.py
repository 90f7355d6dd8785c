"""The action classifier on the states of a ladder network (spec section 5)."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import tensorflow as tf

from analogy.models.batch_norm import BatchNorm
from analogy.models.building import Composite
from analogy.models.recurrent import torch_uniform

SAMPLED = 128  # of the states of C1 to C3, every value of this distance is read


def state_features(states: Mapping[str, tf.Tensor], which: str):
    """The states of a ladder's lateral blocks -> what the classifier reads, [B, N].

    Args:
        states: "c1" to "c4" -> [B, H, W, C]; a predictor of fewer levels has fewer.
        which: "c4": all values of the deepest level; "c13": every 128th value of the others, in the order channel, row, column,
            one level after the other; "c4_c13": both.
    """
    *finer, deepest = (_flat(states[name]) for name in sorted(states))
    if which == "c4":
        return deepest
    sampled = tf.concat(finer, 1)[:, ::SAMPLED]
    return sampled if which == "c13" else tf.concat([deepest, sampled], 1)


def _flat(x):
    """[B, H, W, C] -> [B, C H W], channels first as in PyTorch, where every 128th value is another channel sooner or later."""
    return tf.reshape(tf.transpose(x, [0, 3, 1, 2]), [-1, x.shape[1] * x.shape[2] * x.shape[3]])


class Classifier(Composite, keras.Model):
    """Features [B, N] -> logits of the classes float32 [B, A]: dense, batch normalisation, dropout, ReLU, dense.

    Args:
        units: of the hidden layer. classes: A. normalised: whether there is batch normalisation.
    """

    def __init__(self, *, inputs: int, units: int, classes: int, normalised: bool, name: str = "classifier"):
        super().__init__(name=name, dtype="float32")

        def dense(count: int, fan_in: int, name: str) -> keras.layers.Dense:
            kernel, bias = (torch_uniform(fan_in) for _ in range(2))
            return keras.layers.Dense(count, kernel_initializer=kernel, bias_initializer=bias, dtype="float32", name=name)

        self.hidden, self.logits = dense(units, inputs, "hidden"), dense(classes, units, "logits")
        self.norm = BatchNorm(name="norm", dtype="float32") if normalised else None

    def call(self, features, keep=1.0, training: bool = False):
        """keep: in training, the dropout mask [B, units], divided by the share that is kept."""
        x = self.hidden(features)
        x = self.norm(x, training=training) if self.norm else x
        return self.logits(tf.nn.relu(keep * x))
