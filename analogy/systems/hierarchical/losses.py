"""Losses of this paper alone: each returns one value per example, [B], and the caller averages them."""

from __future__ import annotations

import math

import tensorflow as tf

from analogy.losses import squared_error


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
