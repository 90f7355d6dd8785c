"""A transposed convolution with a kernel nearly as large as the image, computed in the frequency domain.

A convolution is a product there, frequency by frequency. The Fourier transforms are products with constant matrices: the maps
are smaller than the image, so that a fast transform would spend most of its time on zeros. Every step is then a product of real
matrices, which keeps the numbers in the order that the next step needs, and whose gradients are such products too.
"""

from __future__ import annotations

from functools import cache

import keras
import numpy as np
import tensorflow as tf


class LargeConvTranspose(keras.layers.Conv2DTranspose):
    """Maps [B, h, w, C] -> [B, h + k - 1, w + k - 1, filters]: Conv2DTranspose with stride 1 and without padding, only faster.

    It has the variables of `keras.layers.Conv2DTranspose`, in the same order and layout: kernel [k, k, filters, C] and bias
    [filters]. h and w must be known when it is built. It computes in float32 in every precision. Where the result is 224 x 224,
    it is faster even for kernels of 16 x 16 (benchmarks/large_kernel.py).

    Args:
        filters: number of output channels.
        kernel_size: k, or (rows, columns).
        use_bias: whether it adds a bias.
        **kwargs: other arguments of Conv2DTranspose, such as `kernel_initializer`.
    """

    def __init__(self, filters, kernel_size, use_bias: bool = True, name: str | None = None, **kwargs):
        super().__init__(filters, kernel_size, use_bias=use_bias, name=name, **kwargs)
        if (self.strides, self.padding, self.dilation_rate, self.data_format) != ((1, 1), "valid", (1, 1), "channels_last"):
            raise ValueError("LargeConvTranspose has stride 1, padding valid, no dilation, and the channels last")

    def build(self, input_shape):
        if None in input_shape[1:]:
            raise ValueError(f"LargeConvTranspose needs a known height and width, and not {tuple(input_shape)}")
        super().build(input_shape)

    def call(self, inputs):
        result = conv_transpose(tf.cast(inputs, tf.float32), tf.cast(self.kernel, tf.float32))
        if self.use_bias:
            result += tf.cast(self.bias, tf.float32)
        return self.activation(tf.cast(result, self.compute_dtype))


def conv_transpose(maps: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Maps [B, h, w, C] and kernel [k, l, F, C] -> [B, h + k - 1, w + l - 1, F]; float32, all sizes but B known."""
    (_, height, width, channels), (rows, columns, filters, _) = maps.shape, kernel.shape
    batch, down, along = tf.shape(maps)[0], height + rows - 1, width + columns - 1  # down x along: the size of the result
    frequencies = (down // 2 + 1) * along
    of_maps = _spectrum(tf.reshape(tf.transpose(maps, [1, 2, 3, 0]), [height, width, channels * batch]), down, along)
    of_kernel = _spectrum(tf.reshape(kernel, [rows, columns, filters * channels]), down, along)
    # A complex product as a real one: [[re, -im], [im, re]] times [re, im].
    real, imaginary = tf.unstack(tf.reshape(of_kernel, [frequencies, 2, filters, channels]), axis=1)
    factors = tf.concat([tf.concat([real, -imaginary], -1), tf.concat([imaginary, real], -1)], -2)
    product = tf.matmul(factors, tf.reshape(of_maps, [frequencies, 2 * channels, batch]))
    result = _from_spectrum(tf.reshape(product, [down // 2 + 1, 2 * along, filters * batch]), down, along)
    return tf.transpose(tf.reshape(result, [down, along, filters, batch]), [3, 0, 1, 2])


def _spectrum(images: tf.Tensor, down: int, along: int) -> tf.Tensor:
    """Real [h, w, N] -> their spectra as images of down x along with zeros around: [down // 2 + 1, 2 along, N].

    The last axis but one holds (frequency, real or imaginary part). The other half of the vertical frequencies is conjugate.
    """
    height, width, count = images.shape[0], images.shape[1], tf.shape(images)[2]
    vertical = tf.matmul(_real_transform(height, down), tf.reshape(images, [height, width * count]))
    return tf.matmul(_transform(width, along), tf.reshape(vertical, [down // 2 + 1, 2 * width, count]))


def _from_spectrum(spectra: tf.Tensor, down: int, along: int) -> tf.Tensor:
    """The inverse of `_spectrum`: [down // 2 + 1, 2 along, N] -> [down, along, N]."""
    count = tf.shape(spectra)[2]
    vertical = tf.matmul(_inverse(along), spectra)
    images = tf.matmul(_real_inverse(down), tf.reshape(vertical, [2 * (down // 2 + 1), along * count]))
    return tf.reshape(images, [down, along, count])


# The matrices. Their axes of complex numbers are (frequency, part) in spectra, and (part, place) between the two transforms.


def _angles(frequencies: int, places: int, size: int) -> np.ndarray:
    """[frequencies, places] in radians; the whole turns are taken off while the numbers are integers."""
    return 2 * np.pi / size * (np.arange(frequencies)[:, None] * np.arange(places) % size)


@cache
def _real_transform(length: int, size: int) -> np.ndarray:
    """Real numbers, followed by zeros up to `size`, -> half of their spectrum: [2 (size // 2 + 1), length]."""
    angle = _angles(size // 2 + 1, length, size)
    return np.stack([np.cos(angle), -np.sin(angle)], 1).reshape(-1, length).astype(np.float32)


@cache
def _transform(length: int, size: int) -> np.ndarray:
    """Complex numbers, followed by zeros up to `size`, -> their spectrum: [2 size, 2 length]."""
    angle = _angles(size, length, size)
    real, imaginary = np.stack([np.cos(angle), np.sin(angle)], 1), np.stack([-np.sin(angle), np.cos(angle)], 1)
    return np.stack([real, imaginary], 1).reshape(2 * size, 2 * length).astype(np.float32)


@cache
def _inverse(size: int) -> np.ndarray:
    """A spectrum -> complex numbers: [2 size, 2 size], the inverse of `_transform(size, size)`."""
    return np.ascontiguousarray(_transform(size, size).T) / np.float32(size)


@cache
def _real_inverse(size: int) -> np.ndarray:
    """Half of a spectrum -> real numbers: [size, 2 (size // 2 + 1)], the inverse of `_real_transform(size, size)`."""
    frequency = np.arange(size // 2 + 1)
    twice = np.where((frequency == 0) | (2 * frequency == size), 1, 2) / size  # all others also stand for their conjugates
    return np.ascontiguousarray((_real_transform(size, size) * np.repeat(twice, 2)[:, None]).T.astype(np.float32))
