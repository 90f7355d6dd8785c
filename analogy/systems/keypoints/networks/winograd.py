"""3 x 3 convolutions with half the multiplications (Winograd 1980; Lavin & Gray 2016, F(4, 3)), for training in float32.

Four neighbouring pixels of a column, convolved with three weights, are 12 products. They are also linear combinations of 6
products, of a combination of six pixels and one of the three weights each. Sums are rounded three times as coarsely as
TensorFlow's, by 5e-6 of the largest value.
"""

from __future__ import annotations

from functools import cache

import keras
import numpy as np
import tensorflow as tf

TILE, POINTS = 4, 6  # pixels of an output tile, products of each
SHARE = 0.7  # of the multiplications: where more are left, TensorFlow's own convolution is as fast

OF_PIXELS = [[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0]]
OF_PIXELS += [[0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1]]
OF_WEIGHTS = [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]  # times 24
OF_PRODUCTS = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]


class WinogradConvolution(keras.layers.Conv2D):
    """`keras.layers.Conv2D` with a kernel of 3 x 3, stride 1 and padding "same": [B, H, W, C] -> [B, H, W, filters].

    In training in float32 it is computed by `by_tiles`, where that is faster. Predictions keep to TensorFlow's convolution,
    which other runtimes have.
    """

    def __init__(self, filters: int, **kwargs):
        super().__init__(filters, 3, padding="same", **kwargs)

    def call(self, x, training: bool = False):
        if training and x.dtype == tf.float32 and share(x.shape[1], x.shape[-1], self.filters) < SHARE:
            return by_tiles(x, tf.convert_to_tensor(self.kernel)) + self.bias
        return super().call(x)


def share(height: int, channels: int, filters: int) -> float:
    """The multiplications of `by_tiles`, divided by those of a plain convolution."""
    if height % TILE:
        return 1.0
    transforms = POINTS / TILE * height * (channels + filters) / (9 * channels * filters)
    return POINTS / (3 * TILE) + transforms


def by_tiles(x, kernel):
    """Maps [B, H, W, C] and a kernel [3, 3, C, F] -> [B, H, W, F]. H is a multiple of 4.

    Both transforms run along columns, as products with constant matrices that hold the borders' zeros: W and C stay together,
    so that nothing is transposed.
    """
    (_, height, width, channels), filters = x.shape, kernel.shape[-1]
    tiles, (of_pixels, of_products) = height // TILE, _matrices(height)
    pixels = tf.matmul(of_pixels, tf.reshape(x, [-1, height, width * channels]))
    pixels = tf.unstack(tf.reshape(pixels, [-1, POINTS, tiles, width, channels]), axis=1)
    weights = tf.matmul(np.float32(OF_WEIGHTS) / 24, tf.reshape(kernel, [3, 3 * channels * filters]))
    weights = tf.unstack(tf.reshape(weights, [POINTS, 1, 3, channels, filters]))
    products = [tf.nn.conv2d(part, row, 1, "SAME") for part, row in zip(pixels, weights, strict=True)]
    products = tf.reshape(tf.stack(products, 1), [-1, POINTS * tiles, width * filters])
    return tf.reshape(tf.matmul(of_products, products), [-1, height, width, filters])


@cache
def _matrices(height: int) -> tuple[np.ndarray, np.ndarray]:
    """A column of pixels -> (point, tile) of its tiles, [6 tiles, H]; (point, tile) of products -> a column, [H, 6 tiles]."""
    tiles = height // TILE
    of_pixels = np.zeros([POINTS, tiles, height + 2], np.float32)  # with the pixels above and below, which are zero
    of_products = np.zeros([tiles, TILE, POINTS, tiles], np.float32)
    for tile in range(tiles):
        of_pixels[:, tile, TILE * tile : TILE * tile + POINTS] = OF_PIXELS
        of_products[tile, :, :, tile] = OF_PRODUCTS
    inside = np.ascontiguousarray(of_pixels[..., 1:-1])
    return inside.reshape(POINTS * tiles, height), of_products.reshape(height, POINTS * tiles)
