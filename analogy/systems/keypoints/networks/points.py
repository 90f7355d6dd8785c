"""Keypoints: read from maps by a soft argmax, and drawn as Gaussian maps. K keypoints [B, K, 2], x then y, in -1..1."""

from __future__ import annotations

import numpy as np
import tensorflow as tf


def grid(size: int) -> tf.Tensor:
    """The places of `size` neighbouring pixels: [size], from -1 to 1."""
    return tf.constant(np.linspace(-1.0, 1.0, size), tf.float32)


def points_of_maps(maps, softmax: str = "marginals", temperature: float = 1.0):
    """The keypoint of each map: [B, H, W, K] -> [B, K, 2] float32.

    Args:
        softmax: "marginals" as the published code: the mean over columns, a softmax over rows, and the mean row; the same for
            columns. "pixels" as the paper: one softmax over all pixels, and the mean place.
        temperature: the values are divided by it before the softmax.
    """
    maps = tf.cast(maps, tf.float32) / temperature
    height, width = maps.shape[1:3]
    if softmax == "marginals":
        rows, columns = (tf.nn.softmax(tf.reduce_mean(maps, axis), 1) for axis in (2, 1))  # [B, H, K], [B, W, K]
    else:
        shares = shares_of_maps(maps)
        rows, columns = tf.reduce_sum(shares, 2), tf.reduce_sum(shares, 1)
    x = tf.einsum("bwk,w->bk", columns, grid(width))
    y = tf.einsum("bhk,h->bk", rows, grid(height))
    return tf.stack([x, y], -1)


def shares_of_maps(maps):
    """A softmax of each map over all its pixels: [B, H, W, K] -> the same shape, each map with the sum 1."""
    height, width, count = maps.shape[1:]
    flat = tf.nn.softmax(tf.reshape(maps, [-1, height * width, count]), 1)
    return tf.reshape(flat, [-1, height, width, count])


def gaussian_maps(points, size: tuple[int, int], sharpness: float = 14.3):
    """A Gaussian around each keypoint, with the peak 1: exp(-sharpness^2 (dx^2 + dy^2)), in units of -1..1.

    Args:
        points: [B, K, 2]. size: (H, W) of the maps.
        sharpness: 14.3 in the published code, a standard deviation of 0.77 pixels at 32 x 32.

    Returns:
        [B, H, W, K] float32.
    """
    height, width = size
    along_x = tf.exp(-tf.square(sharpness * (grid(width)[:, None] - points[:, None, :, 0])))  # [B, W, K]
    along_y = tf.exp(-tf.square(sharpness * (grid(height)[:, None] - points[:, None, :, 1])))  # [B, H, K]
    return along_y[:, :, None] * along_x[:, None]
