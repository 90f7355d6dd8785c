"""Losses as pure functions that return one value per example, [B] (spec section 4). The caller averages over the batch."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf


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


def latent_error(truth, z, *, relative: bool = False):
    """Mean squared error between the latent f_img(x_{t+n}) of the true frame and the generator's latent z, [B].

    Gradients flow into both.

    Args:
        truth: f_img(x_{t+n}), [B, h, w, C]. z: the same shape.
        relative: divide by the mean square of `truth` over the batch of all replicas. Needs a replica context.
    """
    error = squared_error(truth, z)
    if relative:
        square = tf.reduce_mean(tf.square(tf.cast(truth, tf.float32)))
        error /= tf.distribute.get_replica_context().all_reduce("MEAN", square)
    return error


def pose_weighted_error(truth, prediction, weights):
    """Mean squared error [B] of two images [B, H, W, C], each first multiplied by `weights` [B, H, W, 1].

    The original's residual models use the sum of the heatmaps of both poses as weights.
    """
    return squared_error(truth * weights, prediction * weights)


def log_true(logits, *, guard: str = "logits"):
    """-log D(x), the discriminator's loss for an x that it should call real: [B] logits -> [B]. D = sigmoid(logit).

    guard: how the logarithm is kept finite. "logits": computed from the logit, exact and finite. "original":
        -log max(D, 0.01). "combined2": -log max(D, 1e-4). Where D is below the bound, the gradient is zero.
    """
    if guard == "logits":
        return tf.nn.softplus(-logits)
    floor = {"original": 0.01, "combined2": 1e-4}[guard]
    # -log max(D, floor) = min(softplus(-logit), -log floor), without ever forming D.
    return tf.minimum(tf.nn.softplus(-logits), -math.log(floor))


def log_false(logits, *, guard: str = "logits"):
    """-log(1 - D(x)), the discriminator's loss for an x that it should call false: [B] logits -> [B].

    guard: as in `log_true`, but "original" is -log(1.01 - D), at most 4.6, and "combined2" is -log max(1 - D, 1e-4).
    """
    if guard == "original":
        # 1.01 - D = 0.01 + sigmoid(-logit): exact also where D is near 1.
        return -tf.math.log(0.01 + tf.sigmoid(-logits))
    return log_true(-logits, guard=guard)


def log_fooled(logits, *, guard: str = "logits"):
    """-log D(x_hat), the generator's adversarial loss: [B] logits of generated images -> [B].

    guard: "combined2" as in `log_true`. The original has no guard here, and its loss is infinite at D = 0; for "original" and
        "logits" it is computed from the logit, which is finite.
    """
    return log_true(logits, guard="combined2" if guard == "combined2" else "logits")


def log_error(truth, generated):
    """log10 of the mean squared error of each example, [B]; images [B, H, W, C] in -1..1.

    Up to a constant this is -0.1 times the PSNR. Without the logarithm, the few examples of large motion would dominate the
    mean over the batch. The square of half a grey level is added, so that the logarithm stays finite.
    """
    return tf.math.log(squared_error(truth, generated) + (0.5 / 127.5) ** 2) / tf.math.log(10.0)


def dissimilarity(truth, generated):
    """1 - SSIM of each example, [B]; images [B, H, W, C] in -1..1, H and W at least 11.

    SSIM with an 11 x 11 Gaussian window of sigma 1.5, at all places where the window lies inside the image, averaged over
    places and channels. The window is applied as two matrix products: on a CPU, their gradient is many times faster than that
    of a depthwise convolution.
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
    """[side - 10, side]: row i holds the normalised Gaussian window over the pixels i to i + 10, and 0 elsewhere."""
    offset = np.arange(side)[None] - np.arange(side - 10)[:, None] - 5
    window = np.where(abs(offset) <= 5, np.exp(-(offset**2) / (2 * 1.5**2)), 0.0)
    return (window / window.sum(1, keepdims=True)).astype(np.float32)
