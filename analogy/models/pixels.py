"""Pixels: bytes 0..255, and what networks read and paint, -1..1 or 0..1."""

from __future__ import annotations

import numpy as np
import tensorflow as tf


def to_unit(image):
    """uint8 0..255 -> float32 -1..1."""
    return tf.cast(image, tf.float32) / 127.5 - 1.0


def to_bytes(image):
    """-1..1 -> uint8 0..255, clipped and rounded."""
    # TensorFlow Lite has no saturate_cast.
    return tf.cast(tf.round(tf.clip_by_value((tf.cast(image, tf.float32) + 1.0) * 127.5, 0.0, 255.0)), tf.uint8)


def to_fraction(image):
    """uint8 0..255 -> float32 0..1."""
    return tf.cast(image, tf.float32) / 255.0


def fraction_to_bytes(image):
    """0..1 -> uint8 0..255, clipped and rounded."""
    return tf.cast(tf.round(255.0 * tf.clip_by_value(image, 0.0, 1.0)), tf.uint8)


def smoothly_resized(images, size: tuple[int, int]):
    """`tf.image.resize(images, size, antialias=True)` by two products with matrices, which other runtimes can read.

    images: [B, H, W, C] float, H and W static. Returns [B, *size, C].
    """
    down, along = (_triangles(old, new) for old, new in zip(images.shape[1:3], size, strict=True))
    return tf.einsum(
        "wx,bhxc->bhwc", tf.constant(along, images.dtype), tf.einsum("hy,byxc->bhxc", tf.constant(down, images.dtype), images)
    )


def _triangles(old: int, new: int) -> np.ndarray:
    """[new, old]: the share of each old pixel in each new one, a triangle as wide as two of the larger pixels."""
    step = old / new
    centres = (np.arange(new) + 0.5) * step - 0.5
    weights = np.maximum(0.0, 1.0 - np.abs(centres[:, None] - np.arange(old)) / max(step, 1.0))
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)
