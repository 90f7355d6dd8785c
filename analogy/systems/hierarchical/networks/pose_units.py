"""The coordinates that published pose predictors work in, and the way back to pixels (spec 1.2).

Each kind is a pair of functions of joints [B, T, 13, 2] in pixels (or values of the same shape), visibility [B, T, 13], and the
facts of a clip: box [B, 4], size [B, 2], survives [B, 13], origin [B, 13, 2] (see `analogy.data.poses.PoseClip.facts`).
"""

from __future__ import annotations

import tensorflow as tf

SQUARE_PADDING = 5.0  # pixels of the source frame about the box (spec 2.2, Villegas)


def box_extent(box):
    """box [B, 4] -> its corner (x_min, y_min) and its extent (width, height), both [B, 1, 1, 2]."""
    low, high = box[:, None, None, :2], box[:, None, None, 2:]
    return low, high - low


def to_displacement(joints, visibility, facts):
    """Displacement since frame 0 of the clip, in boxes; a joint that is ever hidden is 0 (the original's last model)."""
    _, extent = box_extent(facts["box"])
    moved = joints * visibility[..., None] - facts["origin"][:, None]
    return facts["survives"][:, None, :, None] * moved / extent


def from_displacement(values, facts):
    _, extent = box_extent(facts["box"])
    return values * extent + facts["origin"][:, None]


def to_box(joints, visibility, facts):
    """0..1 within the box; a hidden joint is (0, 0) (the paper)."""
    low, extent = box_extent(facts["box"])
    return (joints - low) / extent * visibility[..., None]


def from_box(values, facts):
    low, extent = box_extent(facts["box"])
    return values * extent + low


def to_pixels(joints, visibility, facts):
    """Pixels of the source frame; a hidden joint is (0, 0)."""
    del facts
    return joints * visibility[..., None]


def from_pixels(values, facts):
    del facts
    return values


def _square(facts):
    """The padded box, its shorter side widened to a square, clipped to the frame (so that it need not be one): low, extent."""
    low, extent = box_extent(facts["box"])
    low, extent = low - SQUARE_PADDING, extent + 2 * SQUARE_PADDING
    side = tf.reduce_max(extent, -1, keepdims=True)
    low = low - (side - extent) / 2.0
    limit = facts["size"][:, None, None]
    high = tf.minimum(low + side, limit)
    low = tf.maximum(low, 0.0)
    return low, tf.maximum(high - low, 1.0)


def to_square(joints, visibility, facts):
    """-1..1 within the square crop; a hidden joint is (0, 0), its centre (Villegas et al.; their code divides x by the crop's
    height and y by its width, which differ only where the frame cuts the square, and which is not repeated here)."""
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
