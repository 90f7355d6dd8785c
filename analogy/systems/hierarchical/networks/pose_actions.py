"""A recurrent classifier of the actions in pose sequences."""

from __future__ import annotations

import keras
import tensorflow as tf

from analogy.models.building import Composite
from analogy.systems.hierarchical.networks.pose_residual import mirrored, observed_features


class PoseActions(Composite, keras.Model):
    """Joints [B, T, 13, 2] in pixels, visibility [B, T, 13], valid [B, T] (0 after the clip's end) -> logits [B, A].

    A bidirectional GRU reads the `observed_features` of the poses. Its states are averaged over the valid frames.

    Args:
        frames: T. units: of the GRU in each direction. actions: A.
    """

    def __init__(self, *, frames: int, units: int, actions: int, name: str = "pose_actions"):
        super().__init__(name=name, dtype="float32")
        self.frames = frames
        directions = {"return_sequences": True, "use_cudnn": False, "dtype": "float32"}
        self.forwards = keras.layers.GRU(units, name="forwards", **directions)
        self.backwards = keras.layers.GRU(units, go_backwards=True, name="backwards", **directions)
        self.logits = keras.layers.Dense(actions, dtype="float32", name="logits")
        self.units = units

    def call(self, joints, visibility, valid, keep=1.0):
        """keep: in training, the dropout mask [B, 2 units] of the averaged states."""
        features, _, _ = observed_features(joints, visibility * valid[..., None])
        features *= valid[..., None]
        states = tf.concat([self.forwards(features), tf.reverse(self.backwards(features), [1])], -1)
        total = tf.reduce_sum(states * valid[..., None], 1)
        return self.logits(keep * total / tf.maximum(tf.reduce_sum(valid, 1, keepdims=True), 1.0))

    def probabilities(self, joints, visibility, valid):
        """Probabilities [B, A]: the mean of those of the poses and of the mirrored poses."""
        plain = tf.nn.softmax(self(joints, visibility, valid))
        return (plain + tf.nn.softmax(self(*mirrored(joints, visibility), valid))) / 2.0
