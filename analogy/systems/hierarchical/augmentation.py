"""Random augmentation of training pairs: changes of geometry and colour, the same for both frames of a pair."""

from __future__ import annotations

import math

import tensorflow as tf

from analogy.joints import MIRRORED
from analogy.models.colours import between, recoloured

DRAWS = 16  # number of random numbers for each example


def augment_pair(batch: dict, draws, how) -> dict:
    """Augment a batch of pairs.

    Args:
        batch: image and next_image float [B, H, W, C] in -1..1; joints, visibility, crop, next_joints, next_visibility and
            next_crop, as in the batches of `ClipDataset`.
        draws: [B, DRAWS] uniform random numbers in 0..1.
        how: the largest change of each kind, an AugmentationSettings.

    Returns:
        the batch with changed images, joints, visibility and crop. Where the moved image would be empty, it is mirrored at its
        border.
    """
    changed = dict(batch)
    for prefix in ("", "next_"):
        image, joints = batch[f"{prefix}image"], batch[f"{prefix}joints"]
        visibility, crop = batch[f"{prefix}visibility"], batch[f"{prefix}crop"]
        if how.rotation or how.zoom or how.stretch or how.shift:
            image, joints, crop = _move(image, joints, crop, draws, how)
        if how.colour:
            image = recoloured(image, draws[:, 7:], how.colour)
        if how.exchange_sides:
            exchange = draws[:, 0] < 0.5
            joints = tf.where(exchange[:, None, None], tf.gather(joints, MIRRORED, axis=1), joints)
            visibility = tf.where(exchange[:, None], tf.gather(visibility, MIRRORED, axis=1), visibility)
        changed |= {f"{prefix}{key}": value for key, value in
                    {"image": image, "joints": joints, "visibility": visibility, "crop": crop}.items()}  # fmt: skip
    return changed


def _move(image, joints, crop, draws, how):
    """Rotate an image, then scale and shift it. Returns the image, the joints, and the crop that the image now shows.

    The rotation is computed in source pixels, so that limbs keep their proportions in a stretched crop.
    """
    height, width = image.shape[1], image.shape[2]
    size = tf.constant([width, height], tf.float32)
    angle = between(draws[:, 1], math.radians(how.rotation))
    zoom = between(draws[:, 2], how.zoom)
    scale = tf.exp(tf.stack([zoom + between(draws[:, 3], how.stretch), zoom + between(draws[:, 4], how.stretch)], -1))  # [B, 2]
    shift = between(draws[:, 5:7], how.shift) * size  # [B, 2]
    turn = tf.stack([tf.stack([tf.cos(angle), -tf.sin(angle)], -1), tf.stack([tf.sin(angle), tf.cos(angle)], -1)], 1)
    source = crop / size  # source pixels per pixel, [B, 2]
    linear = (scale / source)[:, :, None] * turn * source[:, None, :]  # [B, 2, 2], pixel -> pixel, relative to the centre
    centre = (size - 1.0) / 2.0

    back = tf.linalg.inv(linear)
    offset = centre - tf.einsum("bij,bj->bi", back, centre + shift)  # [B, 2]
    rows = tf.concat([back, offset[..., None]], -1)  # [B, 2, 3]
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=image,
        transforms=tf.concat([tf.reshape(rows, [-1, 6]), tf.zeros_like(offset)], -1),
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )
    joints = tf.einsum("bij,bkj->bki", linear, joints - centre) + (centre + shift)[:, None]
    return tf.ensure_shape(moved, image.shape), joints, crop / scale
