"""Pixels become bytes, and pictures smaller, as TensorFlow's own operations make them."""

import numpy as np
import pytest
import tensorflow as tf

from analogy.models.pixels import smoothly_resized, to_bytes


def test_bytes_are_clipped_and_rounded():
    assert to_bytes(tf.constant([-2.0, -1.0, 0.0, 0.999, 1.0, 3.0])).numpy().tolist() == [0, 0, 128, 255, 255, 255]


@pytest.mark.parametrize("size", [(8, 8), (7, 20), (16, 24)])
def test_smooth_resizing_equals_tensorflows(size):
    images = np.random.default_rng(0).uniform(-1, 1, (2, 16, 24, 3)).astype(np.float32)
    expected = tf.image.resize(images, size, antialias=True)
    np.testing.assert_allclose(smoothly_resized(tf.constant(images), size), expected, atol=1e-5)
