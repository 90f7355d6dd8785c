"""Tracking of one person through a video, and smoothing of the estimated joints in time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from analogy.errors import UserError
from analogy.joints import MIRRORED

LOST = 4  # with fewer visible joints the person is lost, and the next frame is searched again
WINDOW = 2  # number of frames before and after a frame that smoothing uses


class Track(NamedTuple):
    """One person's poses.

    joints: [T, 13, 2] in pixels of the frames. visibility: [T, 13]. people: the largest number of people in a frame that was
    searched. missing: number of frames without a person.
    """

    joints: np.ndarray
    visibility: np.ndarray
    people: int
    missing: int


def track_person(frames: Iterable[np.ndarray], estimator) -> Track:
    """Track the person that the estimator detects with the highest score.

    Args:
        frames: uint8 RGB [H, W, 3] each.
        estimator: see `analogy.systems.hierarchical.estimation.tflite`.

    Raises:
        UserError: nobody is seen in any frame.
    """
    region, people, missing, joints, scores = None, 0, 0, [], []
    for frame in frames:
        if region is None:
            regions = estimator.detect(frame)
            people = max(people, len(regions))
            region = regions[0] if regions else None
            if region is not None:
                pose = estimator.estimate(frame, region)
                # The second estimate below, in the region that this one suggests, is more reliable.
                if (pose.scores > estimator.visible_from).sum() >= LOST:
                    region = pose.next_region
        if region is None:
            frame_joints, frame_scores = np.zeros([13, 2], np.float32), np.zeros(13, np.float32)
        else:
            frame_joints, frame_scores, region = estimator.estimate(frame, region)
        if (frame_scores > estimator.visible_from).sum() < LOST:
            missing, region, frame_scores = missing + 1, None, np.zeros(13, np.float32)
        joints.append(frame_joints)
        scores.append(frame_scores)
    joints, scores = np.stack(joints), np.stack(scores)
    if missing == len(joints):
        raise UserError(
            f"{estimator.name} sees nobody in {len(joints)} frames: give a video of one person in full view, or your own poses"
        )
    return Track(smooth(joints, scores), (scores > estimator.visible_from).astype(np.float32), people, missing)


def smooth(joints: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Smooth the place of each joint in time: [T, 13, 2].

    The new place is the mean over the frames from t - WINDOW to t + WINDOW, weighted by a Gaussian of the distance in time and
    by the joint's score. If all these scores are 0, the place does not change.

    Args:
        joints: [T, 13, 2]. scores: [T, 13].
    """
    total, weight = np.zeros_like(joints), np.zeros_like(scores)
    count = len(joints)
    for shift in range(-WINDOW, WINDOW + 1):
        near = float(np.exp(-0.5 * shift**2))
        target = slice(max(0, -shift), min(count, count - shift))
        source = slice(max(0, shift), min(count, count + shift))
        total[target] += near * scores[source, :, None] * joints[source]
        weight[target] += near * scores[source]
    return np.where(weight[..., None] > 1e-6, total / np.maximum(weight, 1e-6)[..., None], joints)


def name_sides_by_image(joints: np.ndarray, visibility: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rename left and right joints so that "left" is the left side of the image, as in most labels of Penn Action.

    Estimators name the person's own sides. The sides of the whole track are exchanged if left shoulders and hips lie to the
    right of the right ones on average.

    Args:
        joints: [T, 13, 2]. visibility: [T, 13].
    """
    visible_pairs = visibility[:, (1, 7)] * visibility[:, (2, 8)]
    if (visible_pairs * (joints[:, (1, 7), 0] - joints[:, (2, 8), 0])).sum() > 0:
        return joints[:, list(MIRRORED)], visibility[:, list(MIRRORED)]
    return joints, visibility
