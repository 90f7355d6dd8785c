"""One person through a video: found once, then followed, smoothed in time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from analogy.errors import UserError
from analogy.joints import MIRRORED

LOST = 4  # with fewer visible joints the person is looked for anew
WINDOW = 2  # frames on either side that smoothing looks at


class Track(NamedTuple):
    """joints [T, 13, 2] in pixels of the frames; visibility [T, 13]; people: the most that were seen in a frame that was
    searched; missing: how many frames show nobody."""

    joints: np.ndarray
    visibility: np.ndarray
    people: int
    missing: int


def track_person(frames: Iterable[np.ndarray], estimator) -> Track:
    """Follow the surest person.

    Args:
        frames: uint8 RGB [H, W, 3]. estimator: see `analogy.systems.hierarchical.estimation.tflite`.

    Raises:
        UserError: nobody is seen in any frame.
    """
    region, people, missing, joints, scores = None, 0, 0, [], []
    for frame in frames:
        if region is None:
            found = estimator.detect(frame)
            people = max(people, len(found))
            region = found[0] if found else None
            if region is not None:
                pose = estimator.estimate(frame, region)
                if (pose.scores > estimator.visible_from).sum() >= LOST:  # a second look, from where the first led, is surer
                    region = pose.following
        if region is None:
            pose, seen = np.zeros([13, 2], np.float32), np.zeros(13, np.float32)
        else:
            pose, seen, region = estimator.estimate(frame, region)
        if (seen > estimator.visible_from).sum() < LOST:
            missing, region, seen = missing + 1, None, np.zeros(13, np.float32)
        joints.append(pose)
        scores.append(seen)
    joints, scores = np.stack(joints), np.stack(scores)
    if missing == len(joints):
        raise UserError(
            f"{estimator.name} sees nobody in {len(joints)} frames: give a video of one person in full view, or your own poses"
        )
    return Track(smooth(joints, scores), (scores > estimator.visible_from).astype(np.float32), people, missing)


def smooth(joints: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Each joint's place as the mean of its neighbours in time, weighted by nearness and score.

    joints [T, 13, 2], scores [T, 13]; a joint that no neighbour shows stays where it is.
    """
    total, weight = np.zeros_like(joints), np.zeros_like(scores)
    count = len(joints)
    for shift in range(-WINDOW, WINDOW + 1):
        near = float(np.exp(-0.5 * shift**2))
        to = slice(max(0, -shift), min(count, count - shift))
        of = slice(max(0, shift), min(count, count + shift))
        total[to] += near * scores[of, :, None] * joints[of]
        weight[to] += near * scores[of]
    return np.where(weight[..., None] > 1e-6, total / np.maximum(weight, 1e-6)[..., None], joints)


def name_sides_by_image(joints: np.ndarray, visibility: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Let "left" be the image's left, as Penn Action mostly does, by where shoulders and hips lie on the whole: the estimators
    name the person's own sides."""
    both = visibility[:, (1, 7)] * visibility[:, (2, 8)]
    if (both * (joints[:, (1, 7), 0] - joints[:, (2, 8), 0])).sum() > 0:
        return joints[:, list(MIRRORED)], visibility[:, list(MIRRORED)]
    return joints, visibility
