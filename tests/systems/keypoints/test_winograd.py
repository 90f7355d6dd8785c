"""Winograd's convolution against TensorFlow's."""

import numpy as np
import pytest
import tensorflow as tf

from analogy.systems.keypoints.networks.winograd import SHARE, WinogradConvolution, by_tiles, share
from tests.layers import random


@pytest.mark.parametrize("height, width, channels, filters", [(4, 3, 5, 2), (8, 5, 1, 3), (16, 16, 64, 32)])
def test_it_equals_tensorflows_with_both_gradients(height, width, channels, filters):
    maps, kernel = random(2, height, width, channels), random(3, 3, channels, filters)
    slopes = random(2, height, width, filters)

    def result_and_gradients(convolve):
        with tf.GradientTape() as tape:
            tape.watch([maps, kernel])
            result = convolve(maps, kernel)
        return result, *tape.gradient(result, [maps, kernel], slopes)

    ours = result_and_gradients(tf.function(by_tiles))
    expected = result_and_gradients(lambda x, kernel: tf.nn.conv2d(x, kernel, 1, "SAME"))
    for x, y in zip(ours, expected, strict=True):
        np.testing.assert_allclose(x, y, atol=1e-5 * np.abs(y).max(), rtol=0)


def test_the_layer_trains_by_tiles_and_predicts_by_tensorflows():
    layer, maps = WinogradConvolution(96), random(1, 8, 2, 96)
    assert share(8, 96, 96) < SHARE
    layer.build(maps.shape)
    layer.bias.assign(random(96))
    expected = (tf.nn.conv2d(maps, layer.kernel, 1, "SAME") + layer.bias).numpy()
    np.testing.assert_array_equal(layer(maps), expected)
    trained = layer(maps, training=True).numpy()
    assert 0 < np.abs(trained - expected).max() < 1e-5 * np.abs(expected).max()


def test_a_plain_convolution_stays_where_it_is_as_fast():
    assert share(6, 256, 256) == 1.0  # no tiles of 4
    assert share(32, 256, 256) < 0.55
    assert share(128, 64, 64) > SHARE  # large maps of few channels
