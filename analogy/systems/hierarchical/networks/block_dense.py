"""A fully connected layer for so many inputs that its whole gradient should never be in memory."""

from __future__ import annotations

import itertools

import keras
import tensorflow as tf

# Largest number of weights in one block of the kernel (64 MiB in float32).
BLOCK_WEIGHTS = 2**24


class BlockDense(keras.layers.Layer):
    """A fully connected layer whose kernel is split into blocks of rows: [B, inputs] -> [B, units].

    Its function and its Glorot-uniform initialisation are those of a Dense layer, but it needs less memory in training. The
    gradients of the blocks are computed one after the other, and the optimiser consumes each before the next one is
    computed. So the whole gradient (0.8 GB for the published discriminator, 205 million weights) is never in memory at once.

    Args:
        units: size of the output.
    """

    def __init__(self, units: int, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        inputs = input_shape[-1]
        limit = (6.0 / (inputs + self.units)) ** 0.5
        count = -(-inputs * self.units // BLOCK_WEIGHTS)
        edges = [inputs * index // count for index in range(count + 1)]
        self.rows = [high - low for low, high in itertools.pairwise(edges)]
        self.kernels = [
            self.add_weight(
                shape=(rows, self.units), initializer=keras.initializers.RandomUniform(-limit, limit), name=f"kernel{index + 1}"
            )
            for index, rows in enumerate(self.rows)
        ]
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")
        self.built = True

    def call(self, x):
        kernels = [tf.convert_to_tensor(kernel) for kernel in self.kernels]
        return _block_product(self.rows)(x, *kernels) + self.bias


def _block_product(rows: list[int]):
    """A function of x [B, inputs] and the kernel's blocks, which returns x times the kernel. Its gradient function computes
    the gradients of the blocks in sequence. rows: the number of rows of each block."""

    @tf.custom_gradient
    def product(x, *kernels):
        parts = tf.split(x, rows, axis=1)

        def gradient(dy):
            # The gradient at x reads all kernels, so it comes first: updating a block that is still to be read would copy
            # it. The identity at the end makes the layers below wait for the last block; their gradients would otherwise
            # run first, and delay the updates.
            at_x = tf.concat([tf.matmul(dy, kernel, transpose_b=True) for kernel in kernels], 1)
            at_kernels, before = [], at_x
            for part in parts:
                with tf.control_dependencies([before]):
                    before = tf.matmul(part, dy, transpose_a=True)
                at_kernels.append(before)
            with tf.control_dependencies([before]):
                return tf.identity(at_x), *at_kernels

        return tf.add_n([tf.matmul(part, kernel) for part, kernel in zip(parts, kernels, strict=True)]), gradient

    return product
