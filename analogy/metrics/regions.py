"""Errors at and around the body, whose region follows from its joints: is the pose followed, does a ghost remain?"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from analogy.metrics.image import check_frames

# Indices of Penn Action's 13 joints, 0 to 12. Index 13 is the neck, which is computed as the middle of the shoulders.
SHOULDERS, NECK = (1, 2), 13
LIMBS = ((0, NECK), (1, 3), (3, 5), (2, 4), (4, 6), (7, 9), (9, 11), (8, 10), (10, 12))
TORSO = (1, 2, 8, 7)
# Lengths between joints as shares of a person's height: Drillis & Contini 1966, as in Winter, "Biomechanics and Motor
# Control of Human Movement".
SHARES = {
    (1, 3): 0.186, (2, 4): 0.186, (3, 5): 0.146, (4, 6): 0.146, (1, 7): 0.288, (2, 8): 0.288,
    (7, 9): 0.245, (8, 10): 0.245, (9, 11): 0.246, (10, 12): 0.246,
}  # fmt: skip
# Projection only shortens limbs, so the longer limbs give the better estimate of the height. The very longest may come from a
# misplaced joint, so this percentile is taken instead.
HEIGHT_PERCENTILE = 75
SUBPIXEL = 4  # fractional bits of coordinates that OpenCV gets
MARGIN = 1 / 16  # around the body, as a share of the picture's longer side
DISC = np.stack([f(np.linspace(0, 2 * np.pi, 24, endpoint=False)) for f in (np.cos, np.sin)], -1)


def pose_region(
    joints: np.ndarray,
    visibility: np.ndarray,
    image_size: tuple[int, int],
    crop: np.ndarray | None = None,
    radius: float = 0.05,
) -> np.ndarray:
    """The area of the body in each frame: thick limbs and a filled torso, drawn around the visible joints.

    Args:
        joints: [T, 13, 2] in pixels of the image, x then y.
        visibility: [T, 13]; a joint is visible where it is above 0.
        image_size: (H, W).
        crop: [T, 2], (width, height) in source pixels of the area that the image shows. Where the image is stretched, limbs are
            then stretched in the same way. None: the image is not stretched.
        radius: half the thickness of a limb, as a share of the person's height, which is estimated from the limbs.

    Returns:
        bool [T, H, W]; empty where fewer than two joints of one limb are visible.

    Example:
        >>> pose_region(np.zeros([1, 13, 2]), np.zeros([1, 13]), (8, 8)).any()
        False
    """
    height, width = image_size
    points = np.where(visibility[..., None] > 0, joints, np.nan).astype(np.float64)
    stretch = np.ones([len(points), 2]) if crop is None else np.array([width, height]) / np.asarray(crop, np.float64)
    region = np.zeros([len(points), height, width], np.uint8)
    for image, body, scale in zip(region, points, stretch, strict=True):
        thickness = radius * _person_height(body / scale) * scale
        if np.isfinite(thickness).all():
            body = np.concatenate([body, _neck(body)])
            for part in (*LIMBS, TORSO):
                _fill_around(image, _visible_joints(body, part), thickness)
    return region.astype(bool)


def _person_height(body: np.ndarray) -> float:
    """The person's height in the units of `body`; NaN where no limb has both its joints visible.

    Args: body: [13, 2], NaN at hidden joints.
    """
    heights = np.array([np.linalg.norm(body[a] - body[b]) / share for (a, b), share in SHARES.items()])
    heights = heights[np.isfinite(heights)]
    return float(np.percentile(heights, HEIGHT_PERCENTILE)) if heights.size else np.nan


def _visible_joints(body: np.ndarray, part: Sequence[int]) -> np.ndarray:
    """The visible joints of a part of the body, [n, 2]."""
    joints = body[list(part)]
    return joints[np.isfinite(joints).all(axis=1)]


def _neck(body: np.ndarray) -> np.ndarray:
    """The neck [1, 2]: the middle of the shoulders, or the only visible shoulder; NaN where both are hidden."""
    shoulders = _visible_joints(body, SHOULDERS)
    return shoulders.mean(axis=0, keepdims=True) if len(shoulders) else np.full([1, 2], np.nan)


def _fill_around(image: np.ndarray, joints: np.ndarray, radius: np.ndarray) -> None:
    """Fill the convex hull of discs around the joints [n, 2]; for two joints this is a capsule.

    radius: [2], of the discs along x and y, in pixels.
    """
    if len(joints):
        outline = (joints[:, None] + DISC * radius).reshape(-1, 2)
        hull = cv2.convexHull(np.rint(outline * 2**SUBPIXEL).astype(np.int32))
        cv2.fillConvexPoly(image, hull, 1, shift=SUBPIXEL)


def region_error(truth: np.ndarray, prediction: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Root mean square error of each frame inside a region, in grey levels (0..255).

    Args: truth, prediction: uint8 [T, H, W, C]. region: bool [T, H, W].
    Returns: [T] float64; NaN where the region is empty.
    """
    check_frames(truth, prediction)
    if region.shape != truth.shape[:3] or region.dtype != bool:
        raise ValueError(f"expected a region bool {list(truth.shape[:3])}, not {region.dtype} {list(region.shape)}")
    errors = np.full(len(truth), np.nan)
    for i in np.flatnonzero(region.any(axis=(1, 2))):
        inside = region[i]
        errors[i] = np.sqrt(np.square(truth[i][inside] - prediction[i][inside].astype(np.float64)).mean())
    return errors


def ghosting(truth: np.ndarray, prediction: np.ndarray, old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Error where the body was in the reference frame and no longer is. It is large where a ghost of the body remains.

    Args:
        truth, prediction: uint8 [T, H, W, C].
        old, new: bool [T, H, W], the body's area in the reference frame and in the true frame.

    Returns: [T] float64 in grey levels; NaN where the new area covers the whole old one.
    """
    return region_error(truth, prediction, old & ~new)


def pose_following(truth: np.ndarray, prediction: np.ndarray, old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Error where the body is in the true frame. It is large where the prediction shows no body there, or a wrong one.

    Args and returns: as for `ghosting`; NaN where the new area is empty.
    """
    return region_error(truth, prediction, new)


def background(truth: np.ndarray, prediction: np.ndarray, old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Error where the body neither was nor is. It counts what the prediction spoils there, and what moves there by itself.

    A margin around the body is left out, because hair, clothes and shadows reach beyond its limbs.

    Args and returns: as for `ghosting`; NaN where the body and its margin fill the picture.
    """
    side = 2 * round(MARGIN * max(truth.shape[1:3])) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    body = [cv2.dilate(area.astype(np.uint8), disc) for area in old | new]
    return region_error(truth, prediction, ~np.array(body, bool).reshape(old.shape))
