"""Augmentation of pairs of frames (spec section 1.2): a rotation and one of ten filters, the same for both frames."""

from __future__ import annotations

import math

import tensorflow as tf
from PIL import ImageFilter

DRAWS = 3  # number of random numbers for each example
# The filters of Pillow that the published code uses: 3 x 3 or 5 x 5 kernels.
KERNELS = (
    ImageFilter.DETAIL, ImageFilter.EDGE_ENHANCE, ImageFilter.SMOOTH, ImageFilter.SMOOTH_MORE, ImageFilter.EDGE_ENHANCE_MORE,
    ImageFilter.BLUR,
)  # fmt: skip
# Then four changes of strength, each with its smallest and largest factor: 1 leaves the image as it is.
FACTORS = {"sharpness": (0.0, 5.0), "brightness": (0.7, 2.0), "colour": (0.0, 5.0), "contrast": (0.7, 3.0)}
LUMA = (0.299, 0.587, 0.114)


def augment_pair(image, next_image, draws, *, rotation: float, filters: bool):
    """Both frames of each pair, rotated by one angle and changed by one filter.

    Args:
        image, next_image: [B, H, W, 3] in -1..1.
        draws: [B, DRAWS], uniform in 0..1: the angle, the filter, its factor.
        rotation: the largest angle in degrees. What comes from outside the frame is black.
        filters: whether one of the ten filters is applied, each with the probability 0.1.
    """
    both = tf.concat([image, next_image], 0)
    twice = tf.concat([draws, draws], 0)
    if rotation:
        both = rotated(both, math.radians(rotation) * (2.0 * twice[:, 0] - 1.0))
    if filters:
        which = tf.minimum(tf.cast(10.0 * twice[:, 1], tf.int32), 9)
        both = tf.map_fn(lambda x: filtered(*x), (both, which, twice[:, 2]), fn_output_signature=tf.float32)
    return tf.split(both, 2)


def rotated(images, angle):
    """Images [B, H, W, C] in -1..1, turned by angles [B] in radians about their centre, bilinearly."""
    height, width = images.shape[1:3]
    x, y = (width - 1) / 2.0, (height - 1) / 2.0
    cos, sin, zero = tf.cos(angle), tf.sin(angle), tf.zeros_like(angle)
    rows = [cos, -sin, x - x * cos + y * sin, sin, cos, y - x * sin - y * cos, zero, zero]
    turned = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack(rows, 1),
        output_shape=[height, width],
        fill_value=-1.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
    return tf.ensure_shape(turned, images.shape)


def filtered(image, which, strength):
    """One image [H, W, 3] in -1..1, changed by filter number `which`, 0 to 9. strength: from 0, the smallest factor, to 1."""
    byte = (image + 1.0) * 127.5
    branches = [lambda kernel=kernel: _convolved(byte, kernel) for kernel in KERNELS]
    for name, (low, high) in FACTORS.items():
        # As published, factors come in steps of 0.1.
        factor = tf.round(10.0 * (low + strength * (high - low))) / 10.0
        branches.append(lambda name=name, factor=factor: _blended(byte, name, factor))
    return tf.ensure_shape(tf.clip_by_value(tf.switch_case(which, branches), 0.0, 255.0) / 127.5 - 1.0, image.shape)


def _convolved(byte, kernel):
    """A filter of Pillow: the border keeps its pixels."""
    (side, _), scale, offset, numbers = kernel.filterargs
    pad = side // 2
    weights = tf.constant(numbers, tf.float32, [side, side, 1, 1]) / scale
    inner = tf.nn.conv2d(tf.transpose(byte, [2, 0, 1])[..., None], weights, 1, "VALID")[..., 0]
    inner = tf.transpose(inner, [1, 2, 0]) + offset
    rows = tf.concat([byte[pad:-pad, :pad], inner, byte[pad:-pad, -pad:]], 1)
    return tf.concat([byte[:pad], rows, byte[-pad:]], 0)


def _blended(byte, name: str, factor):
    """Pillow's ImageEnhance: what has none of a property, blended with the image; factors above 1 exaggerate it."""
    luma = tf.reduce_sum(byte * tf.constant(LUMA), -1, keepdims=True)
    without = {
        "sharpness": lambda: _convolved(byte, ImageFilter.SMOOTH),
        "brightness": lambda: tf.zeros_like(byte),
        "colour": lambda: tf.broadcast_to(luma, tf.shape(byte)),
        "contrast": lambda: tf.fill(tf.shape(byte), tf.round(tf.reduce_mean(luma))),
    }[name]()
    return without + factor * (byte - without)
