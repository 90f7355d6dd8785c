"""The coordinates in which the published pose predictors work: conversion from pixels and back.

Each kind has two functions. `to_...` converts joints [B, T, 13, 2] in pixels, with visibility [B, T, 13], to values of the
same shape; `from_...` converts values to joints in pixels. `facts` of a clip are box [B, 4], size [B, 2], survives [B, 13] and
origin [B, 13, 2] (see `analogy.data.poses.PoseClip.facts`).
"""

from __future__ import annotations

import tensorflow as tf

SQUARE_PADDING = 5.0  # pixels of the source frame about the box (Villegas)


def box_extent(box):
    """The corner (x_min, y_min) and the extent (width, height) of a box [B, 4], both [B, 1, 1, 2]."""
    low, high = box[:, None, None, :2], box[:, None, None, 2:]
    return low, high - low


def to_displacement(joints, visibility, facts):
    """Displacement since frame 0 of the clip, divided by the extent of the clip's box (the original's last model).

    A joint that is hidden in any frame of the clip is 0 in all of them.
    """
    _, extent = box_extent(facts["box"])
    moved = joints * visibility[..., None] - facts["origin"][:, None]
    return facts["survives"][:, None, :, None] * moved / extent


def from_displacement(values, facts):
    _, extent = box_extent(facts["box"])
    return values * extent + facts["origin"][:, None]


def to_box(joints, visibility, facts):
    """Place in the clip's box, 0..1 (the paper). A hidden joint is (0, 0)."""
    low, extent = box_extent(facts["box"])
    return (joints - low) / extent * visibility[..., None]


def from_box(values, facts):
    low, extent = box_extent(facts["box"])
    return values * extent + low


def to_pixels(joints, visibility, facts):
    """Pixels of the source frame. A hidden joint is (0, 0)."""
    del facts
    return joints * visibility[..., None]


def from_pixels(values, facts):
    del facts
    return values


def _square(facts):
    """The square crop around the box: its corner and extent, both [B, 1, 1, 2].

    The box is padded, its shorter side is enlarged to the longer one, and the result is clipped to the frame. After the
    clipping it may be no exact square.
    """
    low, extent = box_extent(facts["box"])
    low, extent = low - SQUARE_PADDING, extent + 2 * SQUARE_PADDING
    side = tf.reduce_max(extent, -1, keepdims=True)
    low = low - (side - extent) / 2.0
    limit = facts["size"][:, None, None]
    high = tf.minimum(low + side, limit)
    low = tf.maximum(low, 0.0)
    return low, tf.maximum(high - low, 1.0)


def to_square(joints, visibility, facts):
    """Place in the square crop, -1..1 (Villegas et al.). A hidden joint is (0, 0), the crop's centre.

    Their code divides x by the crop's height and y by its width. This code does not repeat that fault; the results differ only
    where the frame's edge cuts the square.
    """
    low, extent = _square(facts)
    return (2.0 * (joints - low) / extent - 1.0) * visibility[..., None]


def from_square(values, facts):
    low, extent = _square(facts)
    return (values + 1.0) / 2.0 * extent + low


UNITS = {
    "displacement": (to_displacement, from_displacement),
    "box": (to_box, from_box),
    "pixels": (to_pixels, from_pixels),
    "square": (to_square, from_square),
}
