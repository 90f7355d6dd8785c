"""Limb warps: where each body part lies in two poses, and the reference frame moved with each part.

All geometry is computed in pixels of the source frame, because an image may be a stretched crop, in which a limb's width would
change when it turns. `crop` is the size in source pixels of the area that an image shows. A part that is hidden in the target
is not painted; a part that is hidden only in the reference is painted with the pixels of the other side's part.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from analogy.joints import JOINTS
from analogy.models.warp import read_places

# (name, joints of the near end, joints of the far end, then as shares of the body's height: length, radius, and overhang beyond
# the far end). An end with several joints lies at their mean. The parts are in the order of painting: later parts cover earlier
# ones.
PARTS = (
    ("torso", (1, 2), (7, 8), 0.29, 0.105, 0.02),
    ("left_thigh", (7,), (9,), 0.245, 0.065, 0.0),
    ("right_thigh", (8,), (10,), 0.245, 0.065, 0.0),
    ("left_shin", (9,), (11,), 0.245, 0.05, 0.04),
    ("right_shin", (10,), (12,), 0.245, 0.05, 0.04),
    ("head", (1, 2), (0,), 0.17, 0.075, 0.03),
    ("left_upper_arm", (1,), (3,), 0.17, 0.045, 0.0),
    ("right_upper_arm", (2,), (4,), 0.17, 0.045, 0.0),
    ("left_forearm", (3,), (5,), 0.15, 0.04, 0.06),
    ("right_forearm", (4,), (6,), 0.15, 0.04, 0.06),
)
COUNT = len(PARTS)
TWINS = (0, 2, 1, 4, 3, 5, 7, 6, 9, 8)  # for each part, the index of the same part on the other side
LENGTHS, RADII, OVERHANGS = (np.array([part[i] for part in PARTS], np.float32) for i in (3, 4, 5))
LONGEST_STRETCH = 3.0  # the largest stretch or shrinking of a limb, whose length changes when it turns towards the camera
SMALLEST = 1e-3  # source pixels; a shorter limb has no direction
# Of the soft capsules: reach in the reference and in the target (in radii of a part), and sharpness. Set by trial on clips.
REACH_BEFORE, REACH_AFTER, SHARPNESS = 1.1, 1.0, 4.0
FILL_LEVELS = 6  # how many times `fill_in` halves the image


def _members(end: int) -> np.ndarray:
    """[K, 13], 1 where a joint belongs to this end of a part. end: 0 for the near end, 1 for the far end."""
    return np.array([[float(joint in part[1 + end]) for joint in range(JOINTS)] for part in PARTS], np.float32)


def body_parts(joints, visibility, next_joints, next_visibility):
    """The places of the K parts in the reference (frame 0) and in the target (frame 1).

    An end with several joints is the mean of the joints that are visible in both frames. If there is none, it is the mean of
    the joints that are visible in the frame itself.

    Args:
        joints, next_joints: [B, 13, 2] in source pixels. visibility, next_visibility: [B, 13].

    Returns:
        ends: [B, 2 (frame), K, 2 (near, far), 2 (x, y)] in source pixels.
        sources: [B, K, 2, 2], the ends of the part in the reference whose pixels are used: the part itself, or its twin if the
            part is hidden there.
        visible_parts: [B, 2, K], 1 if both ends of the part are visible in the frame.
        usable: [B, K], 1 if the part can be painted.
        height: [B], the body's height in source pixels, at least 1.
    """
    visible = tf.cast(tf.stack([visibility, next_visibility], 1) > 0.5, tf.float32)  # [B, 2, 13]
    common = tf.reduce_prod(visible, 1, keepdims=True)  # [B, 1, 13]
    # The coordinates of a hidden joint may be anything, even NaN, which remains NaN when it is multiplied by a zero weight.
    frame_joints = tf.where(visible[..., None] > 0.0, tf.stack([joints, next_joints], 1), 0.0)  # [B, 2, 13, 2]
    ends, visible_parts = [], 1.0
    for end in (0, 1):
        members = _members(end)
        shared = tf.reduce_sum(common[:, :, None] * members, -1, keepdims=True)  # [B, 1, K, 1]
        weights = tf.where(shared > 0.0, common[:, :, None] * members, visible[:, :, None] * members)  # [B, 2, K, 13]
        total = tf.reduce_sum(weights, -1)  # [B, 2, K]
        ends.append(tf.einsum("bfkj,bfjc->bfkc", weights, frame_joints) / tf.maximum(total, 1.0)[..., None])
        visible_parts *= tf.minimum(total, 1.0)
    ends = tf.stack(ends, 3)  # [B, 2, K, 2, 2]
    length = tf.norm(ends[..., 1, :] - ends[..., 0, :], axis=-1) * visible_parts  # [B, 2, K]
    # A limb can look shorter than it is, but not longer. So the body's height is estimated from the three parts of both frames
    # that are the longest relative to a body's proportions.
    longest = tf.math.top_k(tf.reshape(length / LENGTHS, [-1, 2 * COUNT]), 3).values  # [B, 3], 0 where fewer are visible
    height = tf.reduce_sum(longest, -1) / tf.maximum(tf.reduce_sum(tf.cast(longest > 0.0, tf.float32), -1), 1.0)
    in_reference, in_target = visible_parts[:, 0], visible_parts[:, 1]
    sources = tf.where(in_reference[..., None, None] > 0.0, ends[:, 0], tf.gather(ends[:, 0], TWINS, axis=1))
    usable = tf.maximum(in_reference, tf.gather(in_reference, TWINS, axis=1)) * in_target
    return ends, sources, visible_parts, usable, tf.maximum(height, 1.0)


def _part_axes(ends):
    """ends [B, K, 2, 2] -> near end [B, K, 2], unit vector along the part [B, K, 2], its normal [B, K, 2], length [B, K]."""
    along = ends[:, :, 1] - ends[:, :, 0]
    length = tf.norm(along, axis=-1)
    axis = along / tf.maximum(length, SMALLEST)[..., None]
    return ends[:, :, 0], axis, tf.stack([-axis[..., 1], axis[..., 0]], -1), length


def part_transforms(sources, places, height):
    """For each part, the affine map from a position in the target to the position in the reference: [B, K, 2, 3], in source
    pixels.

    A part moves and turns with its two ends, and is stretched along its axis; across, it keeps its width.

    Args:
        sources, places: [B, K, 2, 2], the part's ends in the reference and in the target. height: [B], see `body_parts`.
    """
    origin, axis, normal, length = _part_axes(sources)
    next_origin, next_axis, next_normal, next_length = _part_axes(places)
    minimum = 0.02 * height[:, None]  # a limb that points at the camera has almost no length: its stretch would be infinite
    stretch = tf.clip_by_value((length + minimum) / (next_length + minimum), 1 / LONGEST_STRETCH, LONGEST_STRETCH)
    linear = stretch[..., None, None] * axis[..., :, None] * next_axis[..., None, :]
    linear += normal[..., :, None] * next_normal[..., None, :]  # [B, K, 2, 2]
    shift = origin - tf.einsum("bkij,bkj->bki", linear, next_origin)
    return tf.concat([linear, shift[..., None]], -1)


def part_distances(ends, height, scale, size):
    """The distance of every pixel from the axis of every part, in units of the part's radius: [B, H, W, K].

    Args:
        ends: [B, K, 2, 2] and height: [B], in source pixels.
        scale: [B, 2], source pixels per image pixel along x and y.
        size: (H, W) of the image, int32 [2].
    """
    origin, axis, _, length = _part_axes(ends)
    length = length + OVERHANGS * height[:, None]
    x = tf.cast(tf.range(size[1]), tf.float32) * scale[:, 0:1]  # [B, W]
    y = tf.cast(tf.range(size[0]), tf.float32) * scale[:, 1:2]  # [B, H]
    dx = x[:, None, :, None] - origin[:, None, None, :, 0]  # [B, 1, W, K]
    dy = y[:, :, None, None] - origin[:, None, None, :, 1]  # [B, H, 1, K]
    ax, ay = axis[:, None, None, :, 0], axis[:, None, None, :, 1]
    along = tf.clip_by_value(dx * ax + dy * ay, 0.0, length[:, None, None, :])  # [B, H, W, K]
    square = tf.square(dx - along * ax) + tf.square(dy - along * ay)
    return tf.sqrt(square + 1e-6) / (RADII * height[:, None])[:, None, None, :]


def soft_capsules(distances, present, reach: float):
    """Soft masks of the parts, [B, H, W, K]: 1 on the part, 0 far from it, 1/2 at `reach` radii from its axis.

    distances: [B, H, W, K] of `part_distances`. present: [B, K], 0 for parts whose mask is empty.
    """
    return tf.sigmoid(SHARPNESS * (reach - distances)) * present[:, None, None, :]


def warp_parts(image, transforms, scale, next_scale):
    """The image moved by the motion of each part: [B, H, W, C] -> [B, K, H, W, C]. Outside the image, its border is repeated.

    transforms: [B, K, 2, 3] of `part_transforms`. scale, next_scale: [B, 2], source pixels per pixel in reference and target.
    """
    height, width = image.shape[1:3]
    linear = transforms[..., :2] * next_scale[:, None, None, :] / scale[:, None, :, None]
    shift = transforms[..., 2] / scale[:, None, :]
    x, y = tf.range(width, dtype=tf.float32), tf.range(height, dtype=tf.float32)[:, None]
    from_x, from_y, start = (values[..., None, None] for values in (linear[..., 0], linear[..., 1], shift))  # [B, K, 2, 1, 1]
    places = from_x * x + from_y * y + start  # [B, K, 2, H, W]
    return read_places(image, places[:, :, 0], places[:, :, 1])


def fill_in(image, hole):
    """In-paint the area `hole` of an image from its surroundings: [B, H, W, C].

    The pixels outside the hole are averaged over larger and larger squares (an image pyramid). From coarse to fine, the gaps of
    each level are then filled from the coarser one.

    Args:
        image: [B, H, W, C]. hole: [B, H, W, 1] in 0..1, 1 where the pixel must be replaced.
    """
    weight = 1.0 - hole
    levels = [(image * weight, weight)]
    for _ in range(FILL_LEVELS):
        levels.append(tuple(tf.nn.avg_pool2d(x, 2, 2, "SAME") for x in levels[-1]))
    colour, weight = levels[-1]
    filled = colour / tf.maximum(weight, 1e-4)
    for level in reversed(range(FILL_LEVELS)):
        colour, weight = levels[level]
        # On coarse levels, a square that is at least half outside the hole keeps its own colour.
        share = tf.minimum(2.0 * weight, 1.0) if level else weight
        filled = tf.image.resize(filled, tf.shape(colour)[1:3])
        filled += share * (colour / tf.maximum(weight, 1e-4) - filled)
    return filled


class Choices(NamedTuple):
    """The candidates from which each pixel is mixed. K parts, in the order of PARTS.

    pictures: [B, 2 + K, H, W, C], the reference, its background, and the reference moved with each part.
    shares: [B, H, W, 2 + K], the weights that geometry alone gives to the candidates; they sum to 1.
    near_before, near_after: [B, H, W, K] in 0..1, nearness of a pixel to each part in the reference and in the target.
    usable: [B, K], 1 for parts that can be painted.
    """

    pictures: tf.Tensor
    shares: tf.Tensor
    near_before: tf.Tensor
    near_after: tf.Tensor
    usable: tf.Tensor


def choices(image, joints, visibility, crop, next_joints, next_visibility, next_crop) -> Choices:
    """The candidates for the frame at the target pose.

    The moved parts are in the coordinates of the target's crop. The reference and its background are not moved, so with
    `data.crop: per_frame`, where the two crops differ, the background is displaced.

    Args:
        image: the reference frame [B, H, W, C].
        joints, next_joints: [B, 13, 2] in pixels of the image. visibility, next_visibility: [B, 13].
        crop, next_crop: [B, 2], (width, height) in source pixels of the area that the reference and the target show.
    """
    size = tf.shape(image)[1:3]
    side = tf.cast(tf.gather(size, [1, 0]), tf.float32)  # x, y
    scale, next_scale = crop / side, next_crop / side  # [B, 2] source pixels per pixel
    places = joints * scale[:, None], visibility, next_joints * next_scale[:, None], next_visibility
    ends, sources, visible_parts, usable, height = body_parts(*places)
    before = part_distances(ends[:, 0], height, scale, size)  # [B, H, W, K]
    after = part_distances(ends[:, 1], height, next_scale, size)
    # Only parts that are visible in both frames are removed from the background: a part that is hidden in the target may not
    # have moved.
    removed = soft_capsules(before, visible_parts[:, 0] * visible_parts[:, 1], REACH_BEFORE)
    hole = 1.0 - tf.reduce_prod(1.0 - removed, -1, keepdims=True)  # [B, H, W, 1]
    moved = warp_parts(image, part_transforms(sources, ends[:, 1], height), scale, next_scale)  # [B, K, H, W, C]
    near_before, near_after = (
        tf.exp(-0.5 * distances) * visible_parts[:, frame, None, None] for frame, distances in enumerate((before, after))
    )
    return Choices(
        pictures=tf.concat([image[:, None], fill_in(image, hole)[:, None], moved], 1),
        shares=_composite_shares(hole, soft_capsules(after, usable, REACH_AFTER)),
        near_before=near_before,
        near_after=near_after,
        usable=usable,
    )


def _composite_shares(hole, opacities):
    """Each candidate's share of the picture when the parts are painted one over the other: [B, H, W, 2 + K].

    hole: [B, H, W, 1] in 0..1, where the background replaces the reference. opacities: [B, H, W, K] in 0..1, of the parts.
    """
    transparency, shares = tf.ones_like(hole), []  # transparency: of all parts in front, together
    for k in reversed(range(COUNT)):
        opacity = opacities[..., k : k + 1]
        shares.append(transparency * opacity)
        transparency = transparency * (1.0 - opacity)
    return tf.concat([transparency * (1.0 - hole), transparency * hole, *reversed(shares)], -1)
