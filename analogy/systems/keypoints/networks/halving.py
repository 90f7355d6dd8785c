"""The convolution that halves the discriminator's maps, as products of matrices where these maps are small."""

from __future__ import annotations

import keras
import tensorflow as tf

SMALL = 20 * 20  # pixels of an input map


class HalvingConvolution(keras.layers.Conv2D):
    """A 4 x 4 convolution of stride 2 that pads twice: [B, H, W, C] -> [B, ceil(H / 2) + 1, ceil(W / 2) + 1, filters].

    Two zeros lie on every side, and a third one below and at the right where the size is odd: as one zero on all sides and then
    "same". It has the variables of `keras.layers.Conv2D`.

    On small maps a kernel of thousands of channels is much larger than what it is applied to. TensorFlow's convolution reorders
    such a kernel at every call, and multiplies by the zeros of the border, which are 44 % of what a 6 x 6 map's windows hold.
    Products of matrices take the kernel as it lies, and only what is inside.
    """

    def __init__(self, filters: int, **kwargs):
        super().__init__(filters, 4, 2, **kwargs)

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        return (batch, (height + 1) // 2 + 1, (width + 1) // 2 + 1, self.filters)

    def call(self, x):
        convolve = by_products if x.shape[1] * x.shape[2] <= SMALL else by_convolution
        return convolve(x, tf.cast(self.kernel, x.dtype)) + tf.cast(self.bias, x.dtype)


def by_convolution(x, kernel):
    """[B, H, W, C] and [4, 4, C, F] -> [B, ceil(H / 2) + 1, ceil(W / 2) + 1, F]."""
    pads = [[2, 2 + side % 2] for side in x.shape[1:3]]
    return tf.nn.conv2d(tf.pad(x, [[0, 0], *pads, [0, 0]]), kernel, 2, "VALID")


def by_products(x, kernel):
    """As `by_convolution`. A 2 x 2 block of pixels is used by four outputs, each through a quarter of the kernel."""
    x = tf.pad(x, [[0, 0], *([0, side % 2] for side in x.shape[1:3]), [0, 0]])
    (_, height, width, channels), filters = x.shape, kernel.shape[-1]
    rows = tf.unstack(tf.reshape(x, [-1, 2, width // 2, 2 * channels]), axis=1)  # of the blocks: the upper and the lower one
    rows = [tf.reshape(row, [-1, 2 * channels]) for row in rows]  # [B H/2 W/2, 2 C]
    parts = tf.unstack(tf.reshape(kernel, [8, 2 * channels, filters]))  # (4 rows, left or right half): [2 C, F]
    shifted = []
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):  # of the kernel's quarters
        upper, lower = parts[4 * down + right], parts[4 * down + 2 + right]
        product = tf.matmul(rows[0], upper) + tf.matmul(rows[1], lower)
        product = tf.reshape(product, [-1, height // 2, width // 2, filters])
        shifted.append(tf.pad(product, [[0, 0], [1 - down, down], [1 - right, right], [0, 0]]))
    return tf.add_n(shifted)  # [B, H/2 + 1, W/2 + 1, F]
