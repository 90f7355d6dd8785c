"""Layers of the VGG-like networks: 3 x 3 kernels, SAME padding, a bias, Glorot-uniform initialisation, no normalisation."""

from __future__ import annotations

import itertools

import keras
import tensorflow as tf

from analogy.models.building import Composite

LEAKY_SLOPE = 0.2
# Largest number of weights in one block of a BlockDense kernel (64 MiB in float32).
BLOCK_WEIGHTS = 2**24


@tf.custom_gradient
def leaky_relu(x):
    """max(x, 0.2 x), elementwise.

    The gradient is computed from the output, which has the same sign as the input. So the input need not be stored, and
    TensorFlow can run convolution, bias and activation as one kernel in training too.
    """
    y = tf.nn.leaky_relu(x, LEAKY_SLOPE)

    def gradient(dy):
        return tf.raw_ops.LeakyReluGrad(gradients=dy, features=y, alpha=LEAKY_SLOPE)

    return y, gradient


class Stage(Composite):
    """One VGG stage: `repeats` convolutions with leaky ReLU, then 2 x 2 max pooling.

    The last activation is applied after the pooling: it is monotonic, so the result is the same for a quarter of the work.

    Args:
        channels: output channels of each convolution.
        repeats: number of convolutions.
        frozen: the stage is not trained and has plain ReLU, with which the ImageNet weights were trained.
    """

    def __init__(self, channels: int, repeats: int, *, frozen: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.convolutions = [
            keras.layers.Conv2D(channels, 3, padding="same", name=f"conv{index + 1}") for index in range(repeats)
        ]
        self.pool = keras.layers.MaxPooling2D(2, name="pool")
        self.activation = tf.nn.relu if frozen else leaky_relu
        self.trainable = not frozen

    def call(self, x, with_skip: bool = False):
        """[B, H, W, C] -> [B, H/2, W/2, channels]. with_skip: also return the last activation before the pooling,
        [B, H, W, channels]."""
        for convolution in self.convolutions[:-1]:
            x = self.activation(convolution(x))
        x = self.convolutions[-1](x)
        pooled = self.activation(self.pool(x))
        return (pooled, self.activation(x)) if with_skip else pooled


class Maxout(keras.layers.Layer):
    """The maximum of each group of `pieces` consecutive channels: [B, H, W, C] -> [B, H, W, C / pieces]."""

    def __init__(self, pieces: int, **kwargs):
        super().__init__(**kwargs)
        self.pieces = pieces

    def call(self, x):
        *batch, channels = x.shape
        groups = [-1 if side is None else side for side in (*batch, channels // self.pieces)]
        return tf.reduce_max(tf.reshape(x, [*groups, self.pieces]), -1)


def deconvolution(
    channels: int, stride: int, activation: str = "relu", *, upsampling: str = "deconvolution", name: str | None = None
):
    """A layer that enlarges a map `stride` (1 or 2) times: [B, H, W, C] -> [B, stride H, stride W, channels].

    It is a 3 x 3 transposed convolution. With stride 1 that equals a convolution with the flipped kernel, so a plain
    convolution is used, which is faster. For `upsampling` see `Decoder`.
    """
    if stride == 2 and upsampling != "deconvolution":
        return ResizeConvolution(channels, activation, valid=upsampling == "nearest_valid", name=name)
    options = {"padding": "same", "activation": activation, "name": name}
    if stride == 1:
        return keras.layers.Conv2D(channels, 3, **options)
    return keras.layers.Conv2DTranspose(channels, 3, strides=stride, **options)


class ResizeConvolution(Composite):
    """Nearest-neighbour enlargement, then a 3 x 3 deconvolution of stride 1: [B, H, W, C] -> [B, 2H, 2W, channels].

    Args:
        channels, activation: output channels and activation of the deconvolution.
        valid: enlarge to (2H - 2) x (2W - 2) only; the deconvolution then has no padding, and adds 2 pixels (spec 3.4).
    """

    def __init__(self, channels: int, activation: str, *, valid: bool, **kwargs):
        super().__init__(**kwargs)
        self.valid = valid
        padding = "valid" if valid else "same"
        self.convolution = keras.layers.Conv2D(channels, 3, padding=padding, activation=activation, name="convolution")

    def call(self, x):
        size = 2 * tf.shape(x)[1:3] - (2 if self.valid else 0)
        # As in TensorFlow 1, output pixel i copies input pixel floor(i * in / out). With `valid`, tf.image.resize would give
        # another result, because it uses half-pixel centres.
        x = tf.raw_ops.ResizeNearestNeighbor(images=x, size=size)
        # A deconvolution without padding equals a convolution over the map with two zero pixels around it.
        return self.convolution(tf.pad(x, [[0, 0], [2, 2], [2, 2], [0, 0]]) if self.valid else x)


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
