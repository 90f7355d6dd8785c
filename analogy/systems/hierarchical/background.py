"""What the observed frames tell about the last one: the person's outline, and the background behind it where it was seen.

In earlier frames the body stood elsewhere, and what it hides now was seen. Such a pixel is taken where at least SIGHTINGS
frames agree on it. `composition` paints with it; docs/masked.md says what that gains.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from analogy.metrics.regions import pose_region
from analogy.systems.hierarchical.silhouette import FARTHEST, LIMB, silhouette

MOST_FRAMES = 60  # observed frames that are looked at, spread evenly
DISTRUSTED = 1.6  # thickness of the body, in limbs, in earlier frames: what they show there may be the person
SIGHTINGS = 3  # frames that show a pixel of the background
AGREEMENT = 6.0  # grey levels; the median distance of these frames from their median
# Grey levels between the background and the last frame: below the first it is the same, above the second something hides it.
SAME, DIFFERENT = 12.0, 25.0
# Where the picture is smooth, a person who moves may leave the colours as they are: standard deviation in grey levels, and the
# pixels around a pixel where it is taken.
TEXTURE, WINDOW = 12.0, 9
CORNERS, FEWEST_CORNERS, FOLLOWED = 400, 12, 0.4  # that are followed for the camera's motion; the share that must agree


class Observed(NamedTuple):
    """frame: the last observed frame, uint8 [H, W, 3]. person: bool [H, W], the person in it.

    background: uint8 [H, W, 3], the frame with the background around and behind the person where it was seen.
    seen: bool [H, W], where.
    """

    frame: np.ndarray
    person: np.ndarray
    background: np.ndarray
    seen: np.ndarray


def observe(frames: Sequence[np.ndarray], joints: np.ndarray, visibility: np.ndarray) -> Observed:
    """The person in the last of these frames, and the background behind, as far as the frames before it have shown it.

    The camera may move: frames are aligned to the last one by an affine map of the background's corners. A frame that cannot be
    aligned is left out.

    Args:
        frames: k of uint8 RGB [H, W, 3]. joints: [k, 13, 2] in their pixels. visibility: [k, 13].
    """
    last, size = frames[-1], frames[-1].shape[:2]
    near = pose_region(joints[-1:], visibility[-1:], size, radius=FARTHEST * LIMB)[0]
    numbers = np.unique(np.linspace(0, len(frames) - 2, min(MOST_FRAMES, len(frames) - 1)).round().astype(int))
    distrusted = pose_region(joints, visibility, size, radius=DISTRUSTED * LIMB)
    colours, trusted = [], []  # of the pixels near the body
    for number in numbers:
        aligned = _aligned(frames[number], last, distrusted[number], distrusted[-1])
        if aligned is not None:
            colours.append(aligned[0][near])
            trusted.append(aligned[1][near])
    background, seen = last.copy(), np.zeros(size, bool)
    if len(colours) >= SIGHTINGS and near.any():
        seen[near], values = _agreed(np.stack(colours), np.stack(trusted))
        background[seen] = np.rint(values[seen[near]])
    difference = np.abs(cv2.blur(background.astype(np.float32) - last, (3, 3))).max(-1)
    moving, still = seen & (difference > DIFFERENT), seen & (difference < SAME) & _textured(last)
    return Observed(last, silhouette(last, joints[-1], visibility[-1], moving, still), background, seen)


def _textured(frame: np.ndarray) -> np.ndarray:
    """Where the picture would change if it moved: bool [H, W]."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    mean, mean_square = (cv2.blur(values, (WINDOW, WINDOW)) for values in (grey, np.square(grey)))
    return mean_square - np.square(mean) > TEXTURE**2


def _agreed(colours: np.ndarray, trusted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """colours [f, n, 3], trusted bool [f, n] -> where enough frames agree, bool [n], and the median colours float32 [n, 3]."""
    enough = trusted.sum(0) >= SIGHTINGS
    medians = np.zeros(colours.shape[1:], np.float32)
    agree = np.zeros_like(enough)
    if enough.any():
        known = np.where(trusted[:, enough, None], colours[:, enough].astype(np.float32), np.nan)
        medians[enough] = np.nanmedian(known, 0)
        agree[enough] = np.nanmedian(np.abs(known - medians[enough]), 0).max(-1) < AGREEMENT
    return agree, medians


def _aligned(frame: np.ndarray, last: np.ndarray, body: np.ndarray, last_body: np.ndarray):
    """A frame moved onto the last one, and bool [H, W] where it shows the background; None where the camera cannot be followed.

    body, last_body: bool [H, W], the person in the two frames.
    """
    grey, last_grey = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (frame, last))
    corners = cv2.goodFeaturesToTrack(last_grey, CORNERS, 0.01, 5, mask=np.uint8(255) * ~last_body)
    if corners is None or len(corners) < FEWEST_CORNERS:
        return None
    moved, status, _ = cv2.calcOpticalFlowPyrLK(last_grey, grey, corners, None)
    followed = status.ravel() > 0
    if followed.sum() < FEWEST_CORNERS:
        return None
    motion, agreeing = cv2.estimateAffine2D(moved[followed], corners[followed], ransacReprojThreshold=1.0)
    if motion is None or agreeing.sum() < max(FEWEST_CORNERS, FOLLOWED * followed.sum()):
        return None
    size = last.shape[1::-1]
    shown = cv2.warpAffine(np.uint8(255) * ~body, motion, size, flags=cv2.INTER_LINEAR, borderValue=0) > 250
    return cv2.warpAffine(frame, motion, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), shown
