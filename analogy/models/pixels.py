"""Pixels: bytes 0..255, and what networks read and paint, -1..1 or 0..1."""

from __future__ import annotations

import tensorflow as tf


def to_unit(image):
    """uint8 0..255 -> float32 -1..1."""
    return tf.cast(image, tf.float32) / 127.5 - 1.0


def to_bytes(image):
    """-1..1 -> uint8 0..255, clipped and rounded."""
    return tf.saturate_cast(tf.round((tf.cast(image, tf.float32) + 1.0) * 127.5), tf.uint8)


def fraction_to_bytes(image):
    """0..1 -> uint8 0..255, clipped and rounded."""
    return tf.cast(tf.round(255.0 * tf.clip_by_value(image, 0.0, 1.0)), tf.uint8)
