"""The losses, as pure functions with one value per example (spec section 4). Means over the batch are the caller's."""

from __future__ import annotations

import math

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
    """MSE(f_img(x_{t+n}), z); relative: divided by the mean square of f_img(x_{t+n}) over the batch. Gradients reach both."""
    error = squared_error(truth, z)
    if relative:
        error /= tf.reduce_mean(tf.square(tf.cast(truth, tf.float32)))
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
