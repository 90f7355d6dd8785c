"""Gaussian heatmaps of joints, computed inside the graph, so that no heatmap is stored or copied to the device."""

from __future__ import annotations

import tensorflow as tf


def joint_heatmaps(joints, visibility, sigma, image_size: tuple[int, int]):
    """One Gaussian per joint.

    value(px, py) = exp(-((px - x)^2 / (2 sx^2) + (py - y)^2 / (2 sy^2))) for pixels at most floor(3 s) + 1 from the rounded
    joint along each axis; 0 elsewhere, and for hidden joints. The original truncates value * 255 to uint8; this code does not,
    so the two differ by less than one grey level. Gaussian and support are products of a function of x and one of y, so a map
    is computed as an outer product.

    Args:
        joints: [B, J, 2] x then y, in pixels of the H x W frame.
        visibility: [B, J], 1 for visible and 0 for hidden joints.
        sigma: [B, 2] standard deviations sx, sy in pixels of the frame.
        image_size: (H, W).

    Returns:
        [B, H, W, J] float32 in 0..1; differentiable in joints and sigma.
    """
    height, width = image_size
    joints = tf.cast(joints, tf.float32)
    along_x = _profile(joints[..., 0], sigma[:, 0:1], width)  # [B, J, W]
    along_y = _profile(joints[..., 1], sigma[:, 1:2], height)  # [B, J, H]
    along_y *= tf.cast(visibility, tf.float32)[..., None]
    return tf.einsum("bjh,bjw->bhwj", along_y, along_x)


def _profile(centre, sigma, size: int):
    """The Gaussian along one axis: centre [B, J] and sigma [B, 1] in pixels -> [B, J, size]."""
    centre, sigma = centre[..., None], tf.cast(sigma, tf.float32)[..., None]
    pixel = tf.range(size, dtype=tf.float32)  # [size]
    inside = tf.abs(pixel - tf.round(centre)) <= tf.floor(3.0 * sigma) + 1.0
    gaussian = tf.exp(-tf.square(pixel - centre) / (2.0 * tf.square(sigma)))
    return tf.where(inside, gaussian, 0.0)


def pose_maps(joints, visibility, sigma, image_size: tuple[int, int]):
    """`joint_heatmaps` in the networks' range -1..1: the background is -1, a joint's peak is +1. [B, H, W, J]."""
    return 2.0 * joint_heatmaps(joints, visibility, sigma, image_size) - 1.0
