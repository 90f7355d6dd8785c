"""Losses as pure functions that return one value per example, [B]. The caller averages over the batch."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

SMALLEST_ERROR = 2e-5  # added to an image's mean squared error before its logarithm: gains beyond 47 dB count little


def mean_per_example(x):
    """[B, ...] -> [B] float32: the mean over all axes but the first."""
    return tf.reduce_mean(tf.cast(x, tf.float32), axis=list(range(1, len(x.shape))))


def squared_error(truth, prediction, *, domain: str = "unit"):
    """Mean squared error of each example, [B].

    Args:
        truth, prediction: [B, ...] in -1..1.
        domain: "unit": the error of values in -1..1. "byte": the error of the same values in 0..255, which is
            127.5^2 = 16,256 times as large.
    """
    scale = {"unit": 1.0, "byte": 127.5}[domain]
    return mean_per_example(tf.square((tf.cast(truth, tf.float32) - tf.cast(prediction, tf.float32)) * scale))


def log_squared_error(truth, prediction):
    """log10 of the mean squared error of each image [B, H, W, C] in 0..1: [B].

    It is a tenth of the PSNR, negative: a decibel counts the same in quiet videos and in fast ones.
    """
    return log_of_error(mean_per_example(tf.square(truth - prediction)))


def log_of_error(error):
    """log10 of mean squared errors of values in 0..1."""
    return tf.math.log(error + SMALLEST_ERROR) / np.log(10.0)


def dissimilarity(truth, generated):
    """`dssim` of images in -1..1."""
    return dssim((truth + 1.0) / 2.0, (generated + 1.0) / 2.0)


def dssim(truth, generated, *, zero_padding: bool = False):
    """1 - SSIM of each example, [B]; images [B, H, W, C] in 0..1, H and W at least 11.

    SSIM with an 11 x 11 Gaussian window of sigma 1.5, averaged over places and channels. The window is applied as two matrix
    products: on a CPU, their gradient is many times faster than that of a depthwise convolution.

    Args:
        zero_padding: measure at all pixels, with 5 zeros around the image, as much PyTorch code does. Otherwise only at those
            where the window lies inside the image.
    """
    rows, columns = (tf.constant(_windows(side, zero_padding), truth.dtype) for side in truth.shape[1:3])

    def mean(image):
        return tf.einsum("ij,bjkc,lk->bilc", rows, image, columns)

    mean_x, mean_y = mean(truth), mean(generated)
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    variances = mean(truth * truth) - mean_x**2 + mean(generated * generated) - mean_y**2
    structure = (2 * (mean(truth * generated) - mean_x * mean_y) + c2) / (variances + c2)
    return 1.0 - tf.reduce_mean(luminance * structure, axis=[1, 2, 3])


def _windows(side: int, zero_padding: bool = False) -> np.ndarray:
    """Row i holds the normalised Gaussian window over 11 pixels, and 0 elsewhere: over i to i + 10, [side - 10, side]; with
    zero padding over i - 5 to i + 5, of which those outside are left out, [side, side]."""
    centres = np.arange(side) if zero_padding else np.arange(5, side - 5)
    offset = np.arange(side)[None] - centres[:, None]
    window = np.where(abs(offset) <= 5, np.exp(-(offset**2) / (2 * 1.5**2)), 0.0)
    return window / np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2)).sum()
