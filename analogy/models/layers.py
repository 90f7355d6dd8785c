"""The primitives of the image-analogy networks (3 x 3, SAME, bias, Glorot-uniform kernels, no normalisation)."""

from __future__ import annotations

import itertools

import keras
import tensorflow as tf

from analogy.models.building import Composite

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


class Stage(Composite):
    """One VGG stage: `repeats` convolutions with leaky ReLU, then 2 x 2 max pooling.

    The last activation follows the pooling: it is monotonic, so the result is the same at a quarter of the work.

    Args:
        channels, repeats: of the convolutions.
        frozen: not trained, and with plain ReLU, as ImageNet weights want it.
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
        """[B, H, W, C] -> [B, H/2, W/2, channels]; `with_skip` also returns the last activation [B, H, W, channels]."""
        for convolution in self.convolutions[:-1]:
            x = self.activation(convolution(x))
        x = self.convolutions[-1](x)
        pooled = self.activation(self.pool(x))
        return (pooled, self.activation(x)) if with_skip else pooled


class Maxout(keras.layers.Layer):
    """The largest of every `pieces` consecutive channels: [B, H, W, C] -> [B, H, W, C / pieces]."""

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
    """A 3 x 3 transposed convolution that enlarges `stride` times.

    With stride 1 it is a convolution with the flipped kernel; it is kept as that convolution, which is the faster kernel.
    For `upsampling` see `Decoder`.
    """
    if stride == 2 and upsampling != "deconvolution":
        return ResizeConvolution(channels, activation, valid=upsampling == "nearest_valid", name=name)
    options = {"padding": "same", "activation": activation, "name": name}
    if stride == 1:
        return keras.layers.Conv2D(channels, 3, **options)
    return keras.layers.Conv2DTranspose(channels, 3, strides=stride, **options)


class ResizeConvolution(Composite):
    """Nearest-neighbour enlargement and a 3 x 3 stride-1 deconvolution: [B, H, W, C] -> [B, 2H, 2W, channels].

    Args:
        channels, activation: of the deconvolution.
        valid: enlarge to 2H - 2 only, and let a deconvolution without padding grow it by 2 (spec 3.4).
    """

    def __init__(self, channels: int, activation: str, *, valid: bool, **kwargs):
        super().__init__(**kwargs)
        self.valid = valid
        padding = "valid" if valid else "same"
        self.convolution = keras.layers.Conv2D(channels, 3, padding=padding, activation=activation, name="convolution")

    def call(self, x):
        size = 2 * tf.shape(x)[1:3] - (2 if self.valid else 0)
        # TensorFlow 1's rule, index floor(i * in / out): with the half-pixel centres of tf.image the valid form differs.
        x = tf.raw_ops.ResizeNearestNeighbor(images=x, size=size)
        # As a convolution, a deconvolution without padding reads two pixels beyond each edge.
        return self.convolution(tf.pad(x, [[0, 0], [2, 2], [2, 2], [0, 0]]) if self.valid else x)


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
