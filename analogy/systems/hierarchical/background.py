"""The background behind the body, where the observed frames have shown it: painted frames show it again when the body is gone.

A painter in-paints what the body leaves free from one frame. In earlier frames the body stood elsewhere, and what it hides now
was seen. Such a pixel is taken where at least SIGHTINGS frames agree on it; docs/masked.md says what that gains.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from analogy.metrics.regions import pose_region

MOST_FRAMES = 60  # observed frames that are looked at, spread evenly
LIMB = 0.05  # half the thickness of a limb, as a share of the person's height
# Thickness of the body, in limbs: where earlier frames are not trusted, where the background may be shown, where it may not.
DISTRUSTED, LEFT_FREE, COVERED = 1.6, 1.2, 1.5
SIGHTINGS = 3  # frames that show a pixel of the background
AGREEMENT = 6.0  # grey levels; the median distance of these frames from their median
DIFFERENT = 12.0  # grey levels from the last frame; what differs less is no ghost
CORNERS, FEWEST_CORNERS, FOLLOWED = 400, 12, 0.4  # that are followed for the camera's motion; the share that must agree


class Background(NamedTuple):
    """picture: uint8 [H, W, 3], the last observed frame with the background where it was seen. seen: bool [H, W], where."""

    picture: np.ndarray
    seen: np.ndarray


def observed_background(frames: Sequence[np.ndarray], joints: np.ndarray, visibility: np.ndarray) -> Background:
    """The background behind the body of the last of these frames, as far as the frames before it have shown it.

    The camera may move: frames are aligned to the last one by an affine map of the background's corners. A frame that cannot be
    aligned is left out.

    Args:
        frames: k of uint8 RGB [H, W, 3]. joints: [k, 13, 2] in their pixels. visibility: [k, 13].
    """
    last, size = frames[-1], frames[-1].shape[:2]
    body = pose_region(joints[-1:], visibility[-1:], size, radius=LEFT_FREE * LIMB)[0]
    numbers = np.unique(np.linspace(0, len(frames) - 2, min(MOST_FRAMES, len(frames) - 1)).round().astype(int))
    distrusted = pose_region(joints, visibility, size, radius=DISTRUSTED * LIMB)
    colours, trusted = [], []  # of the pixels of the body
    for number in numbers:
        aligned = _aligned(frames[number], last, distrusted[number], distrusted[-1])
        if aligned is not None:
            colours.append(aligned[0][body])
            trusted.append(aligned[1][body])
    picture, seen = last.copy(), np.zeros(size, bool)
    if len(colours) >= SIGHTINGS and body.any():
        found, values = _agreed(np.stack(colours), np.stack(trusted))
        changed = np.abs(_blurred(np.where(found[:, None], values, last[body]), last, body)).max(-1) > DIFFERENT
        seen[body] = found & changed
        picture[seen] = np.rint(values[found & changed]).astype(np.uint8)
    return Background(picture, seen)


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


def _blurred(values: np.ndarray, last: np.ndarray, body: np.ndarray) -> np.ndarray:
    """The difference of these colours [n, 3] of the body's pixels from the last frame, averaged over 5 x 5 pixels: [n, 3]."""
    difference = np.zeros(last.shape, np.float32)
    difference[body] = values - last[body]
    return cv2.blur(difference, (5, 5))[body]


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


def uncovered(
    painted: np.ndarray, picture: np.ndarray, seen: np.ndarray, box: np.ndarray, joints: np.ndarray, visibility: np.ndarray
) -> np.ndarray:
    """Painted frames with the observed background where the body was in the reference frame, and is no longer.

    Args:
        painted: uint8 [T, h, w, C], which show the area `box` (x_min, y_min, x_max, y_max) of the video.
        picture: uint8 [h, w, C], the background in that area, as the painter sees it. seen: bool [H, W], of the whole frame.
        joints: [T, 13, 2], those of the painted frames, in pixels of the video. visibility: [T, 13].
    """
    x_min, y_min, x_max, y_max = box
    height, width = painted.shape[1:3]
    shown = cv2.resize(seen[y_min:y_max, x_min:x_max].astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) > 0.99
    if not shown.any():
        return painted
    crop = np.array([x_max - x_min, y_max - y_min], np.float32)
    joints = (joints - np.array([x_min, y_min])) * (np.array([width, height]) / crop)
    crops = np.repeat(crop[None], len(joints), 0)
    covered = pose_region(joints, visibility, (height, width), crops, radius=COVERED * LIMB)
    edge = max(height, width) / 150  # of soft borders, in pixels
    share = cv2.GaussianBlur(shown.astype(np.float32), (0, 0), edge) * shown
    frames = np.empty_like(painted)
    for frame, result, body in zip(painted, frames, covered, strict=True):
        part = (share * (1.0 - cv2.GaussianBlur(body.astype(np.float32), (0, 0), edge)))[..., None]
        result[:] = np.rint(frame * (1.0 - part) + picture * part)
    return frames
