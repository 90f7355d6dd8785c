"""What training does to the windows of the moving ladder."""

import numpy as np
import tensorflow as tf

from analogy.systems.lvln.plus import cut_out


def test_a_part_of_a_window_is_enlarged():
    rows, columns = np.meshgrid(np.arange(9.0), np.arange(13.0), indexing="ij")
    image = np.stack([rows, columns, 0 * rows], -1).astype(np.float32)
    windows = tf.constant(np.tile(image, (3, 2, 1, 1, 1)))
    whole, first, last = cut_out(
        windows, tf.constant([1.0, 0.5, 0.5]), tf.constant([[0.3, 0.7], [0.0, 0.0], [1.0, 1.0]])
    ).numpy()
    np.testing.assert_allclose(whole, windows[0], atol=1e-5)
    np.testing.assert_allclose(first, windows[0] / 2, atol=1e-5)  # half as many rows and columns, from the first ones
    np.testing.assert_allclose(last[..., :2], windows[0][..., :2] / 2 + [4.0, 6.0], atol=1e-5)
