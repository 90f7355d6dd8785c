"""Leaky ReLU, whose gradient does not stand in the way of TensorFlow's graph optimiser."""

from __future__ import annotations

import tensorflow as tf


def leaky_relu(x, slope: float):
    """max(x, slope x), elementwise, for a slope in 0..1.

    The gradient is computed from the output, which has the same sign as the input. So the input need not be stored, and
    TensorFlow can run convolution, bias and activation as one kernel in training too. With TensorFlow's own gradient, which
    reads the input, its optimiser tries that, says "remapper failed" at the first step, and leaves the whole graph as it is.
    """

    @tf.custom_gradient
    def activation(x):
        y = tf.nn.leaky_relu(x, slope)

        def gradient(dy):
            return tf.raw_ops.LeakyReluGrad(gradients=dy, features=y, alpha=slope)

        return y, gradient

    return activation(x)
