"""The primitives of the image-analogy networks (3 x 3, SAME, bias, Glorot-uniform kernels, no normalisation)."""

from __future__ import annotations

import itertools

import keras
import tensorflow as tf

LEAKY_SLOPE = 0.2
# A block of a BlockDense kernel has at most this many weights (64 MiB in float32).
BLOCK_WEIGHTS = 2**24


@tf.custom_gradient
def leaky_relu(x):
    """max(x, 0.2 x).

    The gradient is read from the output, which has the sign of the input: the input need not be kept, so convolution,
    bias and activation can run as one kernel while training too.
    """
    y = tf.nn.leaky_relu(x, LEAKY_SLOPE)

    def gradient(dy):
        return tf.raw_ops.LeakyReluGrad(gradients=dy, features=y, alpha=LEAKY_SLOPE)

    return y, gradient


def build_once(layer, input_shape) -> None:
    """Build a part that may have been used on its own before."""
    if not layer.built:
        layer.build(input_shape)


class Stage(keras.layers.Layer):
    """One VGG stage: `repeats` convolutions with leaky ReLU, then 2 x 2 max pooling.

    The last activation follows the pooling: leaky ReLU is monotonic, so the result is the same at a quarter of the work.
    """

    def __init__(self, channels: int, repeats: int, **kwargs):
        super().__init__(**kwargs)
        self.convolutions = [
            keras.layers.Conv2D(channels, 3, padding="same", name=f"conv{index + 1}") for index in range(repeats)
        ]
        self.pool = keras.layers.MaxPooling2D(2, name="pool")

    def build(self, input_shape):
        for convolution in self.convolutions:
            build_once(convolution, input_shape)
            input_shape = (*input_shape[:-1], convolution.filters)
        self.built = True

    def call(self, x):
        for convolution in self.convolutions[:-1]:
            x = leaky_relu(convolution(x))  # [B, H, W, channels]
        return leaky_relu(self.pool(self.convolutions[-1](x)))  # [B, H/2, W/2, channels]

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        halves = [side and side // 2 for side in (height, width)]
        return (batch, *halves, self.convolutions[-1].filters)


def deconvolution(channels: int, stride: int, activation: str = "relu", *, name: str | None = None):
    """A 3 x 3 SAME transposed convolution.

    With stride 1 it is a convolution with the flipped kernel; it is kept as that convolution, which is the faster kernel.
    """
    options = {"padding": "same", "activation": activation, "name": name}
    if stride == 1:
        return keras.layers.Conv2D(channels, 3, **options)
    return keras.layers.Conv2DTranspose(channels, 3, strides=stride, **options)


class BlockDense(keras.layers.Layer):
    """A fully connected layer whose kernel is kept as blocks of its rows: [B, inputs] -> [B, units].

    Weights, Glorot-uniform start and result are those of one Dense layer. The gradients of the blocks come one after the other,
    so that an optimiser uses each up before the next is there: of the published discriminator's 205 million weights the
    whole gradient, 0.8 GB, never exists.

    Args:
        units: width of the output.
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
    """x [B, inputs], its kernel's blocks -> x times the kernel, with the blocks' gradients in sequence."""

    @tf.custom_gradient
    def product(x, *kernels):
        parts = tf.split(x, rows, axis=1)

        def gradient(dy):
            # First whatever reads the kernels: an update of a block that is still to be read would copy it. The layers
            # below wait for the last block, lest their work pushes the updates to the end of the queue.
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
