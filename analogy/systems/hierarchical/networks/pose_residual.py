"""Our own pose predictor: future poses are smooth curves that start at the last observed pose.

A GRU reads the observed poses relative to the last one, their velocities, and their visibility, in units of the person's
extent. Dense layers then predict the coefficients of a few smooth functions of time that are zero at the last observed frame.
So an untrained network repeats the last pose, and every prediction continues the observed motion without a jump. Facts that
depend on the future (the clip's box, which joints stay visible) are not used.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from analogy.joints import JOINTS, MIRRORED
from analogy.models.building import Composite

FAR = 1e9  # larger than any coordinate in pixels
SPEED = 5.0  # factor of the velocities, which are about a fifth as large as the displacements
SMALLEST = 8.0  # pixels; a smaller extent of a person is taken as this
MIRROR = (-1.0, 1.0)  # factors of x and y in a mirror


def smooth_basis(horizon: int, count: int) -> np.ndarray:
    """The first `count` of the functions t, sin(pi t), 1 - cos(pi t), sin(2 pi t), ... of time, at t = 1 / horizon, ..., 1.

    [count, horizon]. At the last observed frame, t = 0, they are all 0.
    """
    t = np.arange(1, horizon + 1) / horizon
    waves = [wave for i in range(1, count) for wave in (np.sin(np.pi * i * t), 1.0 - np.cos(np.pi * i * t))]
    return np.stack([t, *waves][:count]).astype(np.float32)


def last_visible(joints, visibility):
    """The place of each joint in the last frame where it is visible.

    Args:
        joints: [B, k, J, 2]. visibility: [B, k, J].

    Returns:
        places [B, J, 2], and ever_visible [B, J], 1 for joints that are visible in at least one frame. A joint that is never
        visible is placed at the mean of the others.
    """
    places, ever_visible = tf.zeros_like(joints[:, 0]), tf.zeros_like(visibility[:, 0])
    for frame in range(joints.shape[1]):
        visible = visibility[:, frame]
        places = tf.where(visible[..., None] > 0.0, joints[:, frame], places)
        ever_visible = tf.maximum(ever_visible, visible)
    return tf.where(ever_visible[..., None] > 0.0, places, middle(places, ever_visible)), ever_visible


def middle(joints, visibility):
    """The mean place [B, 1, 2] of the visible joints. joints: [B, J, 2]. visibility: [B, J]."""
    return tf.reduce_sum(joints * visibility[..., None], 1, keepdims=True) / tf.maximum(
        tf.reduce_sum(visibility, 1)[:, None, None], 1.0
    )


def observed_features(joints, visibility):
    """Observed poses as features that do not depend on the person's place and size in the image.

    Args:
        joints: [B, k, J, 2] in pixels. visibility: [B, k, J].

    Returns:
        features [B, k, 7 J]: for each joint, the place relative to its last visible place, the place relative to the body's
            middle, the velocity (two numbers each, 0 where hidden), and the visibility.
        last [B, J, 2]: the last visible place of each joint, in pixels.
        scale [B, 1, 1]: the length of one unit in pixels: the longer side of the box around all visible joints.
    """
    visible = visibility[..., None] > 0.0
    low = tf.reduce_min(tf.where(visible, joints, FAR), [1, 2])
    high = tf.reduce_max(tf.where(visible, joints, -FAR), [1, 2])
    scale = tf.maximum(tf.reduce_max(high - low, -1), SMALLEST)[:, None, None]  # [B, 1, 1]
    last, ever_visible = last_visible(joints, visibility)
    centre = middle(last, ever_visible)
    unit = scale[:, None]
    # tf.where instead of a product with the visibility: the coordinates of a hidden joint may be anything, even NaN.
    relative = tf.where(visible, (joints - last[:, None]) / unit, 0.0)
    place = tf.where(visible, (joints - centre[:, None]) / unit, 0.0)
    visible_twice = visible[:, 1:] & visible[:, :-1]
    velocity = SPEED * tf.where(visible_twice, (joints[:, 1:] - joints[:, :-1]) / unit, 0.0)
    velocity = tf.pad(velocity, [[0, 0], [1, 0], [0, 0], [0, 0]])
    k = joints.shape[1]
    flat = [tf.reshape(part, [-1, k, 2 * JOINTS]) for part in (relative, place, velocity)]
    return tf.concat([*flat, visibility], -1), last, scale


def mirrored(joints, visibility):
    """The poses in a mirror: x is negated, left and right joints are exchanged. joints [..., 13, 2], visibility [..., 13]."""
    joints = tf.gather(joints, MIRRORED, axis=-2) * tf.constant(MIRROR)
    return joints, tf.gather(visibility, MIRRORED, axis=-1)


def mirrored_where(mirror, joints, visibility):
    """The poses, mirrored where mirror [B] is true. joints [B, T, 13, 2], visibility [B, T, 13]."""
    mirror_joints, mirror_visibility = mirrored(joints, visibility)
    return (
        tf.where(mirror[:, None, None, None], mirror_joints, joints),
        tf.where(mirror[:, None, None], mirror_visibility, visibility),
    )


class Member(Composite, keras.Model):
    """One network of the ensemble: features [B, k, F] -> coefficients [B, outputs].

    A GRU and a dense layer of `units` each, then a linear layer.
    """

    def __init__(self, units: int, outputs: int, name: str):
        super().__init__(name=name, dtype="float32")
        # Unrolled: for few steps this is faster than a loop, and an export from a machine with a GPU also runs without a GPU.
        self.gru = keras.layers.GRU(units, unroll=True, use_cudnn=False, dtype="float32", name="gru")
        self.hidden = keras.layers.Dense(units, activation="relu", dtype="float32", name="hidden")
        small = keras.initializers.RandomNormal(0.0, 1e-3)  # the untrained network repeats the last pose
        self.coefficients = keras.layers.Dense(outputs, kernel_initializer=small, dtype="float32", name="coefficients")

    def call(self, features, keep_state=1.0, keep_hidden=1.0):
        """keep_state, keep_hidden: in training, dropout masks [B, units] of the GRU's state and of the dense layer."""
        return self.coefficients(self.hidden(self.gru(features) * keep_state) * keep_hidden)


class PoseResidual(Composite, keras.Model):
    """Observed joints [B, k, 13, 2] in pixels, visibility [B, k, 13], condition [B, A] -> future joints of every member
    [M, B, T, 13, 2] in pixels.

    Args:
        horizon: T.
        units: of a member's GRU, and of the dense layer after it.
        basis: number of functions of time.
        members: M, the number of networks in the ensemble. They differ in their initial weights and in their training noise.
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
        """noise: in training, for every member the noise [B, k, 7 J] to add to the features, and the dropout masks of its two
        layers [B, units]. It is an input so that it can be a function of seed and step."""
        features, last, scale = observed_features(joints, visibility)
        condition = tf.tile(condition[:, None], [1, joints.shape[1], 1])  # [B, k, A]
        futures = []
        for member, (feature_noise, *masks) in zip(self.members, noise or [(0.0,)] * len(self.members), strict=True):
            coefficients = member(tf.concat([features + feature_noise, condition], -1), *masks)
            coefficients = tf.reshape(coefficients, [-1, self.basis.shape[0], JOINTS, 2])
            offsets = tf.einsum("bnjc,nt->btjc", coefficients, tf.constant(self.basis))
            futures.append(last[:, None] + offsets * scale[:, None])
        return tf.stack(futures)

    def steady(self, joints, visibility, condition):
        """The final prediction [B, T, 13, 2]: the mean over members, of the poses as they are and of the mirrored poses, whose
        prediction is mirrored back."""
        plain = tf.reduce_mean(self(joints, visibility, condition), 0)
        mirror = tf.reduce_mean(self(*mirrored(joints, visibility), condition), 0)
        return (plain + mirrored(mirror, tf.ones_like(visibility[:, :1]))[0]) / 2.0
