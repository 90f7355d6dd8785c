"""Errors of predicted joints.

Predicted poses are measured only at joints that are visible in every frame of the clip ("surviving" joints), as in the
original, so that all methods are judged on the same joints. A clip without such joints has no figures. Lengths are relative to
the clip's box.
"""

from __future__ import annotations

import numpy as np

THRESHOLDS = {"pck_05": 0.05, "pck_10": 0.1}


def measure_poses(
    truth: np.ndarray, prediction: np.ndarray, survives: np.ndarray, box: np.ndarray, valid: np.ndarray
) -> dict[str, np.ndarray]:
    """Measure predicted poses in the N windows of a clip.

    Args:
        truth, prediction: [N, T, 13, 2] in pixels, x then y.
        survives: [13], 1 for joints that are visible in the whole clip, otherwise 0.
        box: [4], x_min, y_min, x_max, y_max in pixels.
        valid: [N, T], 0 where the clip has ended and there is no truth; the figures are NaN there.

    Returns:
        metric -> [N, T]:
        pose_mse: the mean of the 26 squared coordinate errors, in units of the box's width and height; errors of joints that do
            not survive count as 0.
        joint_error: the mean distance of surviving joints, in percent of the box's longer side.
        pck_05, pck_10: the share of surviving joints within 0.05 and 0.1 of the box's longer side.
        And the same with the suffix _start0, [1, T]: the figures of the first window alone.
    """
    extent = np.asarray(box[2:] - box[:2], np.float64)
    error = np.where(survives[:, None] > 0, prediction.astype(np.float64) - truth, 0.0)
    distance = np.linalg.norm(error, axis=-1) / extent.max()  # [N, T, 13]
    measured = {}
    if survives.any():
        surviving = survives > 0
        measured["pose_mse"] = np.square(error / extent).mean(axis=(2, 3))
        measured["joint_error"] = 100.0 * distance[..., surviving].mean(-1)
        measured |= {name: (distance[..., surviving] <= most).mean(-1) for name, most in THRESHOLDS.items()}
    measured = {name: np.where(valid > 0, values, np.nan) for name, values in measured.items()}
    return measured | {f"{name}_start0": values[:1] for name, values in measured.items()}


def measure_joints(truth: np.ndarray, prediction: np.ndarray, visibility: np.ndarray) -> dict[str, np.ndarray]:
    """Measure the joints that were estimated in each frame of a clip.

    Only the visible joints of a frame count; lengths are relative to the longer side of the box around them.

    Args:
        truth, prediction: [T, 13, 2] in source pixels, x then y.
        visibility: [T, 13], above 0 where the joint is visible.

    Returns:
        metric -> [T]: joint_error, pck_10 and pck_20, as in `measure_poses`; NaN for frames with fewer than two visible joints.
    """
    visible = visibility > 0
    low = np.where(visible[..., None], truth, np.inf).min(1)
    high = np.where(visible[..., None], truth, -np.inf).max(1)
    usable = visible.sum(1) >= 2
    side = np.where(usable, (high - low).max(-1), np.nan)
    distance = np.where(visible, np.linalg.norm(prediction - truth, axis=-1), 0.0) / side[:, None]  # [T, 13]
    count = np.maximum(visible.sum(1), 1)
    measured = {"joint_error": 100.0 * distance.sum(1) / count}
    measured |= {f"pck_{round(100 * most)}": ((distance <= most) & visible).sum(1) / count for most in (0.1, 0.2)}
    return {name: np.where(usable, values, np.nan) for name, values in measured.items()}
