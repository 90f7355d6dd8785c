"""Limb warps: the reference frame moved rigidly with each body part, and where each part lies in both poses.

All geometry is done in pixels of the source frame, where a limb keeps its width whichever way it turns; `crop` says how many
of them an image shows. A part that the target hides is not painted; one that the reference hides is painted with its twin.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from analogy.joints import JOINTS

# (name, joints at one end, joints at the other, share of the body's height: length, radius, overhang at the far end).
# Ends of several joints are their mean. Listed far to near: the order of painting.
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
TWINS = (0, 2, 1, 4, 3, 5, 7, 6, 9, 8)  # the same limb of the other side
LENGTHS, RADII, OVERHANGS = (np.array([part[i] for part in PARTS], np.float32) for i in (3, 4, 5))
LONGEST_STRETCH = 3.0  # along a limb that turns towards the camera
SMALLEST = 1e-3  # source pixels; below it a limb has no direction
REACH_BEFORE, REACH_AFTER, SHARPNESS = 1.1, 1.0, 4.0  # of the soft capsules, in a part's radii: by trial on real clips
FILL_LEVELS = 6


def _members(end: int) -> np.ndarray:
    """[K, 13], 1 where a joint belongs to this end (0 near, 1 far) of a part."""
    return np.array([[float(joint in part[1 + end]) for joint in range(JOINTS)] for part in PARTS], np.float32)


def body_parts(joints, visibility, next_joints, next_visibility):
    """Where the parts are in both frames.

    An end of several joints is the mean of those seen in both frames, or of those seen in its own if no joint is seen in both.
    A limb which the reference hides is painted with its twin of the other side.

    Args: joints, next_joints [B, 13, 2] in source pixels; visibility, next_visibility [B, 13].
    Returns: ends [B, 2 (frame), K, 2 (near, far), 2 (x, y)], sources [B, K, 2, 2] whose pixels show each part, seen [B, 2, K]
    whether each frame shows the part's place, usable [B, K] whether it can be painted, height [B] of the body in source pixels.
    """
    visible = tf.cast(tf.stack([visibility, next_visibility], 1) > 0.5, tf.float32)  # [B, 2, 13]
    common = tf.reduce_prod(visible, 1, keepdims=True)  # [B, 1, 13]
    # A hidden joint may be stored anywhere, or as NaN, which a weight of zero would not stop.
    both = tf.where(visible[..., None] > 0.0, tf.stack([joints, next_joints], 1), 0.0)  # [B, 2, 13, 2]
    ends, seen = [], 1.0
    for end in (0, 1):
        members = _members(end)
        shared = tf.reduce_sum(common[:, :, None] * members, -1, keepdims=True)  # [B, 1, K, 1]
        weights = tf.where(shared > 0.0, common[:, :, None] * members, visible[:, :, None] * members)  # [B, 2, K, 13]
        total = tf.reduce_sum(weights, -1)  # [B, 2, K]
        ends.append(tf.einsum("bfkj,bfjc->bfkc", weights, both) / tf.maximum(total, 1.0)[..., None])
        seen *= tf.minimum(total, 1.0)
    ends = tf.stack(ends, 3)  # [B, 2, K, 2, 2]
    length = tf.norm(ends[..., 1, :] - ends[..., 0, :], axis=-1) * seen  # [B, 2, K]
    # Limbs only ever look shorter than they are: the longest three of both frames tell the body's height.
    longest = tf.math.top_k(tf.reshape(length / LENGTHS, [-1, 2 * COUNT]), 3).values  # [B, 3], 0 where fewer are seen
    height = tf.reduce_sum(longest, -1) / tf.maximum(tf.reduce_sum(tf.cast(longest > 0.0, tf.float32), -1), 1.0)
    own = seen[:, 0]
    sources = tf.where(own[..., None, None] > 0.0, ends[:, 0], tf.gather(ends[:, 0], TWINS, axis=1))
    usable = tf.maximum(own, tf.gather(own, TWINS, axis=1)) * seen[:, 1]
    return ends, sources, seen, usable, tf.maximum(height, 1.0)


def _frames_of(ends):
    """ends [B, K, 2, 2] -> near end [B, K, 2], unit axis [B, K, 2], its normal [B, K, 2], length [B, K]."""
    along = ends[:, :, 1] - ends[:, :, 0]
    length = tf.norm(along, axis=-1)
    axis = along / tf.maximum(length, SMALLEST)[..., None]
    return ends[:, :, 0], axis, tf.stack([-axis[..., 1], axis[..., 0]], -1), length


def part_transforms(sources, places, height):
    """Target position -> reference position of each part, in source pixels: [B, K, 2, 3]. sources, places [B, K, 2, 2] are its
    ends in the reference and in the target.

    A part turns and moves with its two ends and stretches along itself; across, it keeps its width.
    """
    origin, axis, normal, length = _frames_of(sources)
    next_origin, next_axis, next_normal, next_length = _frames_of(places)
    softened = 0.02 * height[:, None]  # a limb seen end-on has next to no length, and no end to its stretch
    stretch = tf.clip_by_value((length + softened) / (next_length + softened), 1 / LONGEST_STRETCH, LONGEST_STRETCH)
    linear = stretch[..., None, None] * axis[..., :, None] * next_axis[..., None, :]
    linear += normal[..., :, None] * next_normal[..., None, :]  # [B, K, 2, 2]
    shift = origin - tf.einsum("bkij,bkj->bki", linear, next_origin)
    return tf.concat([linear, shift[..., None]], -1)


def part_distances(ends, height, scale, size):
    """Distance of every pixel from every part's axis, in the part's radii: [B, H, W, K].

    ends [B, K, 2, 2] and height [B] in source pixels; scale [B, 2] source pixels per pixel, x and y; size [2] = (H, W).
    """
    origin, axis, _, length = _frames_of(ends)
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
    """1 on a part, 0 far from it, 1/2 at `reach` radii: [B, H, W, K]."""
    return tf.sigmoid(SHARPNESS * (reach - distances)) * present[:, None, None, :]


def warp_parts(image, transforms, scale, next_scale):
    """The image as each part's motion moves it: [B, H, W, C] -> [B, K, H, W, C]; the border is repeated outwards."""
    shape = tf.shape(image)
    batch, height, width, channels = shape[0], shape[1], shape[2], image.shape[-1]
    linear = transforms[..., :2] * next_scale[:, None, None, :] / scale[:, None, :, None]
    shift = transforms[..., 2] / scale[:, None, :]
    rows = tf.concat([linear, shift[..., None]], -1)  # [B, K, 2, 3]
    flat = tf.reshape(rows, [batch * COUNT, 6])
    flat = tf.concat([flat, tf.zeros([batch * COUNT, 2])], -1)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.repeat(image, COUNT, axis=0),
        transforms=flat,
        output_shape=tf.stack([height, width]),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )
    return tf.reshape(moved, tf.stack([batch, COUNT, height, width, channels]))


def fill_in(image, hole):
    """Paint over `hole` [B, H, W, 1] (0..1) from its surroundings: [B, H, W, C].

    Known pixels are averaged over ever larger squares, and each level's gaps are filled from the next coarser one.
    """
    known = 1.0 - hole
    levels = [(image * known, known)]
    for _ in range(FILL_LEVELS):
        levels.append(tuple(tf.nn.avg_pool2d(x, 2, 2, "SAME") for x in levels[-1]))
    colour, weight = levels[-1]
    filled = colour / tf.maximum(weight, 1e-4)
    for level in reversed(range(FILL_LEVELS)):
        colour, weight = levels[level]
        share = tf.minimum(2.0 * weight, 1.0) if level else weight  # half known is known well enough
        filled = tf.image.resize(filled, tf.shape(colour)[1:3])
        filled += share * (colour / tf.maximum(weight, 1e-4) - filled)
    return filled


def blur(image, sigma):
    """Gaussian blur as two matrix products, weights renormalised at the border: [B, H, W, C], sigma in pixels."""
    rows, columns = (_blur_matrix(tf.shape(image)[axis], sigma) for axis in (1, 2))
    return tf.einsum("jw,biwc->bijc", columns, tf.einsum("ih,bhwc->biwc", rows, image))


def _blur_matrix(size, sigma):
    at = tf.cast(tf.range(size), tf.float32)
    matrix = tf.exp(-0.5 * tf.square((at[:, None] - at) / sigma))  # [size, size]
    return matrix / tf.reduce_sum(matrix, 1, keepdims=True)


def mix(pictures, shares):
    """[B, K, H, W, C] weighted by [B, H, W, K] -> [B, H, W, C]. As sums: an einsum would make a tiny product of each pixel."""
    return tf.add_n([picture * shares[..., k : k + 1] for k, picture in enumerate(tf.unstack(pictures, axis=1))])


class Choices(NamedTuple):
    """What a pixel can be painted with. K parts, in the order of PARTS.

    pictures [B, 2 + K, H, W, C]: the reference, its background, the reference moved with each part. shares [B, H, W, 2 + K]:
    the first guess, sums to 1. near_before, near_after [B, H, W, K] in 0..1: nearness to each part in both poses.
    usable [B, K]: 1 where a part can be painted.
    """

    pictures: tf.Tensor
    shares: tf.Tensor
    near_before: tf.Tensor
    near_after: tf.Tensor
    usable: tf.Tensor


def choices(image, joints, visibility, crop, next_joints, next_visibility, next_crop) -> Choices:
    """image [B, H, W, C]; joints, next_joints [B, 13, 2] in its pixels; crop, next_crop [B, 2] = (w, h) in source pixels.

    The parts are brought to the target's crop; the reference and the background stay as the reference shows them, so that
    crops which differ (`data.crop: per_frame`) shift the background.
    """
    size = tf.shape(image)[1:3]
    side = tf.cast(tf.gather(size, [1, 0]), tf.float32)  # x, y
    scale, next_scale = crop / side, next_crop / side  # [B, 2] source pixels per pixel
    places = joints * scale[:, None], visibility, next_joints * next_scale[:, None], next_visibility
    ends, sources, seen, usable, height = body_parts(*places)
    before = part_distances(ends[:, 0], height, scale, size)  # [B, H, W, K]
    after = part_distances(ends[:, 1], height, next_scale, size)
    # What the target does not show of the person stays where it is: nobody knows that it has moved.
    gone = soft_capsules(before, seen[:, 0] * seen[:, 1], REACH_BEFORE)
    hole = 1.0 - tf.reduce_prod(1.0 - gone, -1, keepdims=True)  # [B, H, W, 1]
    moved = warp_parts(image, part_transforms(sources, ends[:, 1], height), scale, next_scale)  # [B, K, H, W, C]
    near = [tf.exp(-0.5 * d) * s[:, None, None] for d, s in ((before, seen[:, 0]), (after, seen[:, 1]))]
    return Choices(
        pictures=tf.concat([image[:, None], fill_in(image, hole)[:, None], moved], 1),
        shares=_painted_over(hole, soft_capsules(after, usable, REACH_AFTER)),
        near_before=near[0],
        near_after=near[1],
        usable=usable,
    )


def _painted_over(hole, covers):
    """Shares of the final picture when the parts are painted one after the other with opacities `covers` [B, H, W, K]."""
    rest, shares = tf.ones_like(hole), []
    for k in reversed(range(COUNT)):
        cover = covers[..., k : k + 1]
        shares.append(rest * cover)
        rest = rest * (1.0 - cover)
    return tf.concat([rest * (1.0 - hole), rest * hole, *reversed(shares)], -1)
