"""Ours: future poses as smooth curves that start at the last observed pose.

A GRU reads the observed poses relative to the last one, their velocities and their visibility, in units of the person's own
extent; a head says the coefficients of a few smooth functions of time that are zero now. So holding the last pose is where
training starts, no future is ever torn from the present, and nothing that only the future knows (the clip's box, which joints
stay visible) is used.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from analogy.joints import JOINTS, MIRRORED
from analogy.models.building import Composite

FAR = 1e9
SPEED = 5.0  # velocities are about a fifth of displacements; this puts them on one scale
SMALLEST = 8.0  # pixels: no person is smaller
MIRROR = (-1.0, 1.0)


def smooth_basis(horizon: int, count: int) -> np.ndarray:
    """[count, horizon] functions of time that are 0 at the last observed frame: t, then sin(i pi t) and 1 - cos(i pi t)."""
    t = np.arange(1, horizon + 1) / horizon
    waves = [wave for i in range(1, count) for wave in (np.sin(np.pi * i * t), 1.0 - np.cos(np.pi * i * t))]
    return np.stack([t, *waves][:count]).astype(np.float32)


def last_seen(joints, visibility):
    """Where each joint was last seen: joints [B, k, J, 2], visibility [B, k, J] -> [B, J, 2] and whether it was seen at all
    [B, J]. One that never was lies in the middle of those that were."""
    at, ever = tf.zeros_like(joints[:, 0]), tf.zeros_like(visibility[:, 0])
    for frame in range(joints.shape[1]):
        seen = visibility[:, frame]
        at = tf.where(seen[..., None] > 0.0, joints[:, frame], at)
        ever = tf.maximum(ever, seen)
    return tf.where(ever[..., None] > 0.0, at, middle(at, ever)), ever


def middle(joints, visibility):
    """The mean place [B, 1, 2] of the visible ones among joints [B, J, 2]."""
    return tf.reduce_sum(joints * visibility[..., None], 1, keepdims=True) / tf.maximum(
        tf.reduce_sum(visibility, 1)[:, None, None], 1.0
    )


def observed_features(joints, visibility):
    """Observed poses as numbers without units.

    Returns:
        features [B, k, 7 * J], last [B, J, 2] the last known place of each joint, scale [B, 1, 1] pixels per unit: the longer
        side of the box around all that was seen.
    """
    seen = visibility[..., None]
    low = tf.reduce_min(tf.where(seen > 0.0, joints, FAR), [1, 2])
    high = tf.reduce_max(tf.where(seen > 0.0, joints, -FAR), [1, 2])
    scale = tf.maximum(tf.reduce_max(high - low, -1), SMALLEST)[:, None, None]  # [B, 1, 1]
    last, ever = last_seen(joints, visibility)
    centre = middle(last, ever)
    unit = scale[:, None]
    # tf.where, not a product: a hidden joint may be stored anywhere, or as NaN.
    relative = tf.where(seen > 0.0, (joints - last[:, None]) / unit, 0.0)
    place = tf.where(seen > 0.0, (joints - centre[:, None]) / unit, 0.0)
    both = seen[:, 1:] * seen[:, :-1]
    velocity = SPEED * tf.where(both > 0.0, (joints[:, 1:] - joints[:, :-1]) / unit, 0.0)
    velocity = tf.pad(velocity, [[0, 0], [1, 0], [0, 0], [0, 0]])
    k = joints.shape[1]
    flat = [tf.reshape(part, [-1, k, 2 * JOINTS]) for part in (relative, place, velocity)]
    return tf.concat([*flat, visibility], -1), last, scale


def mirrored(joints, visibility):
    """The same poses in a mirror."""
    joints = tf.gather(joints, MIRRORED, axis=-2) * tf.constant(MIRROR)
    return joints, tf.gather(visibility, MIRRORED, axis=-1)


def mirrored_where(turn, joints, visibility):
    """The same poses, in a mirror where turn [B] is true."""
    turned, turned_visibility = mirrored(joints, visibility)
    return tf.where(turn[:, None, None, None], turned, joints), tf.where(turn[:, None, None], turned_visibility, visibility)


class Member(Composite, keras.Model):
    """Features [B, k, F] -> coefficients [B, outputs]: a GRU and a layer after it, of `units` each."""

    def __init__(self, units: int, outputs: int, name: str):
        super().__init__(name=name, dtype="float32")
        # Unrolled: for so few steps that is faster than a loop, and what was exported on a GPU runs without one.
        self.gru = keras.layers.GRU(units, unroll=True, use_cudnn=False, dtype="float32", name="gru")
        self.hidden = keras.layers.Dense(units, activation="relu", dtype="float32", name="hidden")
        small = keras.initializers.RandomNormal(0.0, 1e-3)  # holding the last pose is where training starts
        self.coefficients = keras.layers.Dense(outputs, kernel_initializer=small, dtype="float32", name="coefficients")

    def call(self, features, keep_state=1.0, keep_hidden=1.0):
        return self.coefficients(self.hidden(self.gru(features) * keep_state) * keep_hidden)


class PoseResidual(Composite, keras.Model):
    """Observed joints [B, k, 13, 2] in pixels, visibility [B, k, 13], condition [B, A] -> future joints of every member
    [M, B, T, 13, 2] in pixels.

    Args:
        horizon: T. units: of a member's GRU and of the layer after it. basis: how many functions of time.
        members: M networks, which differ in their first weights and in the noise they see; the prediction is their mean.
    """

    def __init__(
        self,
        *,
        horizon: int,
        units: int,
        basis: int,
        members: int = 1,
        name: str = "pose_residual",
    ):
        super().__init__(name=name, dtype="float32")
        self.basis = smooth_basis(horizon, basis)
        self.members = [Member(units, 2 * JOINTS * basis, f"member{index}") for index in range(members)]

    def call(self, joints, visibility, condition, noise=None):
        """noise: in training, of every member what is added to the features [B, k, 7 J] and the dropout masks of its two layers
        [B, units]; given, because randomness is a function of seed and step."""
        features, last, scale = observed_features(joints, visibility)
        condition = tf.repeat(condition[:, None], joints.shape[1], 1)  # [B, k, A]
        futures = []
        for member, (added, *masks) in zip(self.members, noise or [(0.0,)] * len(self.members), strict=True):
            coefficients = member(tf.concat([features + added, condition], -1), *masks)
            coefficients = tf.reshape(coefficients, [-1, self.basis.shape[0], JOINTS, 2])
            offsets = tf.einsum("bnjc,nt->btjc", coefficients, tf.constant(self.basis))
            futures.append(last[:, None] + offsets * scale[:, None])
        return tf.stack(futures)

    def steady(self, joints, visibility, condition):
        """The mean over members of the prediction and of the mirrored prediction of the mirrored poses: [B, T, 13, 2]."""
        plain = tf.reduce_mean(self(joints, visibility, condition), 0)
        turned = tf.reduce_mean(self(*mirrored(joints, visibility), condition), 0)
        return (plain + mirrored(turned, tf.ones_like(visibility[:, :1]))[0]) / 2.0
