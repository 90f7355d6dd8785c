"""Random affine warps of frames, and of keypoints along with them."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from analogy.models.colours import between

DRAWS = 6  # number of random numbers for each warp


def random_warps(draws, *, rotation: float, zoom: float, stretch: float, shift: float):
    """Affine maps [B, 2, 3] of places in -1..1: where a place of the result lies in the image.

    Args:
        draws: [B, DRAWS], uniform in 0..1. rotation: the largest angle in degrees. zoom: the largest natural logarithm of the
            scale of both axes; stretch: of each axis. shift: the largest shift, in sides of the image.
    """
    angle = between(draws[:, 0], math.radians(rotation))
    scale = tf.exp(between(draws[:, 1:2], zoom) + between(draws[:, 2:4], stretch))  # [B, 2]
    turn = tf.stack([tf.stack([tf.cos(angle), -tf.sin(angle)], -1), tf.stack([tf.sin(angle), tf.cos(angle)], -1)], 1)
    return tf.concat([turn * scale[:, None], between(draws[:, 4:6], 2.0 * shift)[..., None]], 2)


def warped(images, warps):
    """Images [B, H, W, C] warped bilinearly; beyond its border an image is mirrored. warps: [B, 2, 3]."""
    height, width = images.shape[1:3]
    half = np.array([(width - 1) / 2.0, (height - 1) / 2.0], np.float32)
    linear, offset = warps[:, :, :2], warps[:, :, 2]  # in units of half a side, about the centre
    pixels = linear * half[:, None] / half[None]
    start = half * (offset + 1.0) - tf.linalg.matvec(pixels, tf.broadcast_to(half, tf.shape(offset)))
    rows = tf.reshape(tf.concat([pixels, start[..., None]], 2), [-1, 6])
    result = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.concat([rows, tf.zeros_like(rows[:, :2])], 1),
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )
    return tf.ensure_shape(result, images.shape)


def places_before(points, warps):
    """Where places [B, K, 2] of the warped image lie in the image itself."""
    return tf.einsum("bij,bkj->bki", warps[:, :, :2], points) + warps[:, None, :, 2]
