"""Leaky ReLU."""

import numpy as np
import tensorflow as tf

from analogy.models.activations import leaky_relu
from analogy.models.unet import Pair


def test_leaky_relu_equals_its_definition_with_gradient():
    x = tf.constant([-2.0, -0.5, 0.0, 3.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = leaky_relu(x, 0.2)
    np.testing.assert_allclose(y, np.maximum(x, 0.2 * x.numpy()))
    np.testing.assert_allclose(tape.gradient(y, x), [0.2, 0.2, 0.2, 1.0])


def test_the_graph_optimiser_takes_its_gradient_as_it_is(capfd):
    """With TensorFlow's own gradient it says here "remapper failed": it leaves out the node that the gradient reads."""
    pair, x = Pair(4, residual=True), tf.ones([2, 8, 8, 4])
    pair(x)

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(pair(x)))
        return tape.gradient(loss, pair.trainable_variables)

    assert all(np.isfinite(gradient).all() for gradient in gradients())
    assert "remapper failed" not in capfd.readouterr().err
