"""PyTorch's pixel shuffle."""

from __future__ import annotations

import tensorflow as tf


def pixel_shuffle(x, block: int):
    """[B, H, W, C block^2] -> [B, H block, W block, C]; channel c block^2 + i block + j becomes channel c at row i, column j.

    `tf.nn.depth_to_space` reads the channels in another order, (i block + j) C + c. Behind a convolution that is learned both
    are equally good. Where the channels have a meaning, they differ.
    """
    shape = tf.shape(x)
    apart = tf.reshape(x, [shape[0], shape[1], shape[2], x.shape[-1] // block**2, block**2])
    together = tf.reshape(tf.transpose(apart, [0, 1, 2, 4, 3]), shape)
    return tf.nn.depth_to_space(tf.ensure_shape(together, x.shape), block)
