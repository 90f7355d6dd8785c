"""Which action is it? A recurrent classifier of pose sequences."""

from __future__ import annotations

import keras
import tensorflow as tf

from analogy.models.building import Composite
from analogy.systems.hierarchical.networks.pose_residual import mirrored, observed_features


class PoseActions(Composite, keras.Model):
    """Joints [B, T, 13, 2] in pixels, visibility [B, T, 13], valid [B, T] -> logits [B, A].

    A bidirectional GRU reads the poses as `observed_features` gives them: relative to the person's own extent, with
    velocities; its states are averaged over the valid frames.

    Args:
        frames: T. units: of each direction. actions: A.
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
        """keep: in training, the dropout mask of the averaged states [B, 2 units]."""
        features, _, _ = observed_features(joints, visibility * valid[..., None])
        features *= valid[..., None]
        states = tf.concat([self.forwards(features), tf.reverse(self.backwards(features), [1])], -1)
        total = tf.reduce_sum(states * valid[..., None], 1)
        return self.logits(keep * total / tf.maximum(tf.reduce_sum(valid, 1, keepdims=True), 1.0))

    def probabilities(self, joints, visibility, valid):
        """[B, A], the mean over the poses and their mirror image."""
        plain = tf.nn.softmax(self(joints, visibility, valid))
        return (plain + tf.nn.softmax(self(*mirrored(joints, visibility), valid))) / 2.0
