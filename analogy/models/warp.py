"""Backward warp: a moved image, computed by reading each of its pixels from another place."""

from __future__ import annotations

import tensorflow as tf


def backward_warp(images, flow):
    """Read each pixel of the result from images at its own place plus its flow, bilinearly; differentiable by both.

    Places outside the image are moved to its nearest border pixel. There the gradient by the flow is zero.

    Args:
        images: [B, H, W, C], any float type.
        flow: [B, H, W, 2] in pixels: first to the right (x), then down (y).

    Returns:
        [B, H, W, C] of the type of the images. With zero flow exactly the images.
    """
    shape = tf.shape(images)
    batch, height, width, channels = shape[0], shape[1], shape[2], shape[3]
    flow = tf.cast(flow, tf.float32)  # bfloat16 cannot tell neighbouring columns beyond 256 apart
    columns = tf.range(tf.cast(width, tf.float32))[None, None, :] + flow[..., 0]
    rows = tf.range(tf.cast(height, tf.float32))[None, :, None] + flow[..., 1]
    columns = tf.clip_by_value(columns, 0.0, tf.cast(width - 1, tf.float32))
    rows = tf.clip_by_value(rows, 0.0, tf.cast(height - 1, tf.float32))

    left, top = tf.floor(columns), tf.floor(rows)
    to_right = tf.cast((columns - left)[..., None], images.dtype)  # [B, H, W, 1]
    down = tf.cast((rows - top)[..., None], images.dtype)
    left, top = tf.cast(left, tf.int32), tf.cast(top, tf.int32)
    right, bottom = tf.minimum(left + 1, width - 1), tf.minimum(top + 1, height - 1)

    pixels = tf.reshape(images, [-1, channels])
    first_pixel = tf.range(batch)[:, None, None] * (height * width)

    def read(row, column):
        return tf.gather(pixels, first_pixel + row * width + column)

    above = read(top, left) * (1 - to_right) + read(top, right) * to_right
    below = read(bottom, left) * (1 - to_right) + read(bottom, right) * to_right
    return above * (1 - down) + below * down
