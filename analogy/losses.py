"""The losses, as pure functions with one value per example (spec section 4). Means over the batch are the caller's."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf


def mean_per_example(x):
    """[B, ...] -> [B] float32: the mean over everything but the batch."""
    return tf.reduce_mean(tf.cast(x, tf.float32), axis=list(range(1, len(x.shape))))


def squared_error(truth, prediction, *, domain: str = "unit"):
    """Mean squared error per example.

    Args:
        truth, prediction: [B, ...] in -1..1.
        domain: "unit" measures in -1..1, "byte" in 0..255 (127.5^2 = 16,256 times as much).
    """
    scale = {"unit": 1.0, "byte": 127.5}[domain]
    return mean_per_example(tf.square((tf.cast(truth, tf.float32) - tf.cast(prediction, tf.float32)) * scale))


def latent_error(truth, z, *, relative: bool = False):
    """MSE(f_img(x_{t+n}), z); relative: divided by the mean square of f_img(x_{t+n}) over the WHOLE batch, that of all
    replicas. Gradients reach both."""
    error = squared_error(truth, z)
    if relative:
        square = tf.reduce_mean(tf.square(tf.cast(truth, tf.float32)))
        error /= tf.distribute.get_replica_context().all_reduce("MEAN", square)
    return error


def pose_weighted_error(truth, prediction, weights):
    """MSE of the images multiplied by `weights` [B, H, W, 1] (the residual models: sum of both poses' heatmaps)."""
    return squared_error(truth * weights, prediction * weights)


def log_true(logits, *, guard: str = "logits"):
    """-log D(x) for x that D should call real: [B] logits -> [B].

    guard: "logits" is exact and finite for any logit; "original" is -log max(D, 0.01); "combined2" is -log max(D, 1e-4).
    Below its bound a guard has no gradient.
    """
    if guard == "logits":
        return tf.nn.softplus(-logits)
    floor = {"original": 0.01, "combined2": 1e-4}[guard]
    # -log max(D, floor) = min(softplus(-logit), -log floor), without ever forming D.
    return tf.minimum(tf.nn.softplus(-logits), -math.log(floor))


def log_false(logits, *, guard: str = "logits"):
    """-log(1 - D(x)) for x that D should call false: [B] logits -> [B].

    guard: "original" is -log(1.01 - D), at most 4.6; "combined2" is -log max(1 - D, 1e-4).
    """
    if guard == "original":
        # 1.01 - D = 0.01 + sigmoid(-logit): no cancellation where D is near 1.
        return -tf.math.log(0.01 + tf.sigmoid(-logits))
    return log_true(-logits, guard=guard)


def log_fooled(logits, *, guard: str = "logits"):
    """-log D(x_hat) of the generator. The original leaves it unguarded (infinite at D = 0); on logits it is finite."""
    return log_true(logits, guard="combined2" if guard == "combined2" else "logits")


def log_error(truth, generated):
    """log10 of the mean squared error of images [B, H, W, C] in -1..1: [B]; -0.1 times the PSNR up to a constant.

    In a plain mean the examples of large motion would drown the others. The floor is half a grey level.
    """
    return tf.math.log(squared_error(truth, generated) + (0.5 / 127.5) ** 2) / tf.math.log(10.0)


def dissimilarity(truth, generated):
    """1 - SSIM of images [B, H, W, C] in -1..1: [B] (11 x 11 Gaussian window of sigma 1.5 where it fits, mean over channels).

    The window is applied as two matrix products: on a CPU their gradient is many times faster than a depthwise convolution's.
    """
    x, y = (truth + 1.0) / 2.0, (generated + 1.0) / 2.0
    rows, columns = (_windows(side) for side in x.shape[1:3])

    def mean(image):
        return tf.einsum("ij,bjkc,lk->bilc", rows, image, columns)

    mean_x, mean_y = mean(x), mean(y)
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    variances = mean(x * x) - mean_x**2 + mean(y * y) - mean_y**2
    structure = (2 * (mean(x * y) - mean_x * mean_y) + c2) / (variances + c2)
    return 1.0 - tf.reduce_mean(luminance * structure, axis=[1, 2, 3])


def _windows(side: int) -> np.ndarray:
    """[side - 10, side]: each row is the Gaussian window at another place."""
    offset = np.arange(side)[None] - np.arange(side - 10)[:, None] - 5
    window = np.where(abs(offset) <= 5, np.exp(-(offset**2) / (2 * 1.5**2)), 0.0)
    return (window / window.sum(1, keepdims=True)).astype(np.float32)
