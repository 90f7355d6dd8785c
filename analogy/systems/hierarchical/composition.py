"""Painted frames with less of a ghost: the person's own outline moves with the limbs, and where it was, the background shows.

Any painter may have painted the frames. Limbs of fixed widths leave clothes and hair behind, and take some of the background
along. Here each pixel of the person's silhouette goes with its nearest limb instead. docs/masked.md says what that gains.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import tensorflow as tf

from analogy.graphs import graph_function
from analogy.systems.hierarchical.background import Observed
from analogy.systems.hierarchical.networks import limbs

# In pixels of a picture that is WIDTH wide: how much wider than the person the hole is, that shows the background; standard
# deviations of the blur of the hole, of the moved person's edge and of the moved person. All chosen while looking at clips.
WIDTH, WIDER, HOLE_EDGE, BODY_EDGE, SOFT = 224.0, 4.0, 1.5, 1.2, 1.0
JOINT = 0.1  # radii; pixels that are so nearly as near to another limb belong to both, so that bent limbs stay joined
FAINTEST = 0.02  # share of a pixel below which the moved person has no colour there


def recomposed(
    painted: np.ndarray, observed: Observed, view: Callable, box: np.ndarray, joints: np.ndarray, visibility: np.ndarray
) -> np.ndarray:
    """Painted frames in which the person keeps the outline of the last observed frame, and the background shows where it was.

    Args:
        painted: uint8 [T, h, w, C], which show the area `box` (x_min, y_min, x_max, y_max) of the video.
        view: shows that area of a frame as the painter sees it, see `Pipeline.view`.
        joints: [1 + T, 13, 2], of the last observed frame and of the painted ones, in pixels of the video.
        visibility: [1 + T, 13].
    """
    x_min, y_min, x_max, y_max = box
    height, width = painted.shape[1:3]

    def area(mask):  # bool [H, W] -> the share of each of the painter's pixels, float32 [h, w]
        return cv2.resize(mask[y_min:y_max, x_min:x_max].astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)

    person = area(observed.person) > 0.5
    if not person.any():
        return painted
    pixel = max(height, width) / WIDTH
    reference, background = (view(frame, box).numpy().astype(np.float32) for frame in (observed.frame, observed.background))
    unseen = _blurred(_wider(person, WIDER * pixel) & (area(observed.seen) <= 0.99), pixel)
    background = limbs.fill_in(background[None], unseen[None, ..., None]).numpy()[0]
    scale = np.array([(x_max - x_min) / width, (y_max - y_min) / height], np.float32)
    joints, visibility = (joints - np.array([x_min, y_min])).astype(np.float32), visibility.astype(np.float32)
    frames = np.empty_like(painted)
    for number, frame in enumerate(painted.astype(np.float32), 1):
        poses = (joints[:1], visibility[:1], joints[number : number + 1], visibility[number : number + 1])
        parts = [part.numpy()[0] for part in _parts(*poses, scale[None], tf.constant([height, width]))]
        frames[number - 1] = _composed(frame, reference, background, unseen, person, parts, pixel)
    return frames


@graph_function(reduce_retracing=True)
def _parts(joints, visibility, next_joints, next_visibility, scale, size):
    """The K body parts in the reference and in the target, one example each, in pixels of the picture.

    Returns:
        before, after: [1, H, W, K], the distance of each pixel from the part, in its radii; infinite for hidden ones.
        visible: [1, K], 1 for parts that are visible in the reference. remains: for those that are visible in both frames.
            usable: for those that can be painted.
        transforms: [1, K, 2, 3] from the target to the reference.
    """
    ends, sources, visible, usable, height = limbs.body_parts(joints, visibility, next_joints, next_visibility)
    before = limbs.part_distances(ends[:, 0], height, scale, size)
    before = tf.where(visible[:, :1, None] > 0.0, before, np.inf)
    after = limbs.part_distances(ends[:, 1], height, scale, size)
    transforms = limbs.part_transforms(sources, ends[:, 1], height)
    linear = transforms[..., :2] * scale[:, None, None, :] / scale[:, None, :, None]
    transforms = tf.concat([linear, (transforms[..., 2] / scale[:, None])[..., None]], -1)
    return before, after, visible[:, 0], visible[:, 0] * visible[:, 1], usable, transforms


def _composed(frame, reference, background, unseen, person, parts, pixel: float):
    """One painted frame with the moved person over the background: [h, w, C] in 0..255.

    Args:
        frame, reference, background: float32 [h, w, C]. unseen: [h, w] in 0..1, where the background is a guess.
        person: bool [h, w], in the reference.
        parts: of `_parts`, without the axis of examples. pixel: the size of WIDTH's pixels.
    """
    before, after, _, remains, usable, _ = parts
    moved, share = _moved(reference, person, parts)
    # A part that is hidden now may not have moved, so it stays as it is.
    left = _wider(person & (remains[before.argmin(-1)] > 0), WIDER * pixel)
    left |= np.where(remains > 0, before, np.inf).min(-1) < 1.0
    # Where the limbs were, the painter has guessed the unseen background too: the mean of two guesses errs less.
    guess = (0.5 * unseen * _cover(before, remains, limbs.REACH_BEFORE))[..., None]
    background = background + guess * (frame - background)
    capsules = _cover(after, usable, limbs.REACH_AFTER)
    # Inside the limbs the painter knows best. Their very middle is the person, whatever the silhouette says.
    body = np.maximum(_blurred(share, BODY_EDGE * pixel), capsules**4)[..., None]
    hole = np.maximum(_blurred(left, HOLE_EDGE * pixel), capsules)[..., None]
    clothes = np.where(share[..., None] > FAINTEST, moved, frame)
    inside = _blurred(frame + (1.0 - capsules[..., None]) * (clothes - frame), SOFT * pixel)
    outside = frame + hole * (background - frame)
    return np.rint(outside + body * (inside - outside)).clip(0, 255)


def _cover(distances, present, reach: float):
    """How much of each pixel some limb covers: [h, w] in 0..1. Arguments as of `soft_capsules`, of one example."""
    return 1.0 - np.prod(1.0 - limbs.soft_capsules(distances[None], present[None], reach).numpy()[0], -1)


def _moved(reference, person, parts):
    """The person moved with the limbs: colours [h, w, C], and the share of each pixel that the person has, [h, w] in 0..1."""
    before, _, visible, _, usable, transforms = parts
    height, width, channels = reference.shape
    nearest = before.min(-1)
    colours, share = np.zeros_like(reference), np.zeros([height, width], np.float32)
    for k in np.flatnonzero(usable):
        source = k if visible[k] else limbs.TWINS[k]  # as in `body_parts`
        own = person & (before[..., source] <= nearest + JOINT)
        layer = np.dstack([reference, own.astype(np.float32)])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        layer = cv2.warpAffine(layer, transforms[k], (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        opacity = layer[..., channels:]
        colours += opacity * (layer[..., :channels] - colours)
        share += opacity[..., 0] * (1.0 - share)
    return colours / np.maximum(share, 1e-3)[..., None], share


def _blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of [h, w] or [h, w, C], as float32."""
    return cv2.GaussianBlur(picture.astype(np.float32), (0, 0), sigma).reshape(picture.shape)


def _wider(mask: np.ndarray, radius: float) -> np.ndarray:
    """bool [h, w], with everything that is at most `radius` pixels away from it."""
    return cv2.distanceTransform(np.uint8(~mask), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= radius
