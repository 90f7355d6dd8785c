"""PyTorch's pixel shuffle."""

import numpy as np
import tensorflow as tf

from analogy.systems.lvln.networks.shuffle import pixel_shuffle


def test_every_channel_goes_where_pytorch_puts_it():
    x = np.arange(2 * 3 * 5 * 8).reshape(2, 3, 5, 8).astype(np.float32)
    shuffled = pixel_shuffle(tf.constant(x), 2).numpy()
    assert shuffled.shape == (2, 6, 10, 2)
    for channel in range(2):
        for i in range(2):
            for j in range(2):
                np.testing.assert_array_equal(shuffled[:, i::2, j::2, channel], x[..., 4 * channel + 2 * i + j])
