"""Random changes of colour, for augmentation."""

from __future__ import annotations

import tensorflow as tf

DRAWS = 8  # number of random numbers for each image


def between(uniform, reach):
    """Map uniform numbers in 0..1 to -reach..reach."""
    return (2.0 * uniform - 1.0) * reach


def recoloured(image, draws, strength: float):
    """Permute the channels of half of the images, then gamma, saturation, contrast and brightness.

    Args:
        image: [B, H, W, C] in -1..1. draws: [B, DRAWS or more], uniform in 0..1. strength: 0..1.
    """
    unit = tf.clip_by_value((image + 1.0) / 2.0, 1e-3, 1.0)
    channels = image.shape[-1]
    order = tf.where(draws[:, 0:1] < 0.5, tf.argsort(draws[:, 1 : 1 + channels]), tf.range(channels)[None])  # [B, C]
    unit = tf.gather(unit, order, axis=-1, batch_dims=1)
    gamma, saturation, contrast, brightness = (draws[:, k, None, None, None] for k in (4, 5, 6, 7))
    unit = tf.pow(unit, tf.exp(between(gamma, 0.7 * strength)))
    luma = tf.reduce_mean(unit, -1, keepdims=True)
    unit = luma + (unit - luma) * (1.0 + between(saturation, 0.8 * strength))
    unit = (unit - 0.5) * tf.exp(between(contrast, 0.4 * strength)) + 0.5 + between(brightness, 0.15 * strength)
    return tf.clip_by_value(unit, 0.0, 1.0) * 2.0 - 1.0
