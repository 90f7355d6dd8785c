"""The discriminator's convolution against Keras' own, padded as published."""

import keras
import numpy as np
import pytest

from analogy.systems.keypoints.networks.halving import SMALL, HalvingConvolution
from tests.layers import random, result_and_gradients, with_equal_weights


def as_published(filters):
    return keras.Sequential([keras.layers.ZeroPadding2D(1), keras.layers.Conv2D(filters, 4, 2, padding="same")])


@pytest.mark.parametrize("height, width", [(6, 6), (10, 4), (5, 8), (7, 3), (1, 1), (2, 1), (24, 21)])
def test_it_equals_keras_padded_twice_with_both_gradients(height, width):
    maps = random(3, height, width, 5)
    ours, expected = HalvingConvolution(7), as_published(7)
    with_equal_weights(ours, expected, maps.shape)
    assert ours.compute_output_shape(maps.shape) == tuple(expected(maps).shape)
    results = [result_and_gradients(layer, maps) for layer in (ours, expected)]
    assert len(results[0]) == 4
    for x, y in zip(*results, strict=True):
        np.testing.assert_allclose(x, y, atol=1e-5 * np.abs(y).max(), rtol=0)


def test_both_ways_of_computing_it_are_tested():
    assert 10 * 4 <= SMALL < 24 * 21
