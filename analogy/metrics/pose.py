"""How far predicted joints are from the true ones.

All measures look only at joints that are visible in every frame of the clip ("surviving" joints), as the original does, so that
every method is judged on the same ones; a clip without any has no measures. Lengths are relative to the clip's box.
"""

from __future__ import annotations

import numpy as np

THRESHOLDS = {"pck_05": 0.05, "pck_10": 0.1}


def measure_poses(
    truth: np.ndarray, prediction: np.ndarray, survives: np.ndarray, box: np.ndarray, valid: np.ndarray
) -> dict[str, np.ndarray]:
    """metric -> [N, T].

    Args:
        truth, prediction: [N, T, 13, 2] in pixels, x then y.
        survives: [13], 1 or 0. box: [4], x_min, y_min, x_max, y_max. valid: [N, T]; where it is 0 there is no truth: NaN.

    Returns:
        pose_mse, the mean of 26 squared errors in units of the box's width and height, other joints counting as 0 (spec 1.2);
        joint_error, the mean distance in percent of the box's longer side; pck_05, pck_10, the share of joints within so much
        of it; and the same with the suffix _start0, [1, T], of the first window alone.
    """
    extent = np.asarray(box[2:] - box[:2], np.float64)
    error = np.where(survives[:, None] > 0, prediction.astype(np.float64) - truth, 0.0)
    distance = np.linalg.norm(error, axis=-1) / extent.max()  # [N, T, 13]
    measured = {}
    if survives.any():
        of = survives > 0
        measured["pose_mse"] = np.square(error / extent).mean(axis=(2, 3))
        measured["joint_error"] = 100.0 * distance[..., of].mean(-1)
        measured |= {name: (distance[..., of] <= most).mean(-1) for name, most in THRESHOLDS.items()}
    measured = {name: np.where(valid > 0, values, np.nan) for name, values in measured.items()}
    return measured | {f"{name}_start0": values[:1] for name, values in measured.items()}


def measure_joints(truth: np.ndarray, prediction: np.ndarray, visibility: np.ndarray) -> dict[str, np.ndarray]:
    """metric -> [T], NaN for frames with fewer than two visible joints: pck_10, pck_20 and joint_error as above, of the visible
    joints of each frame, relative to the longer side of the box around them.

    Args: truth, prediction [T, 13, 2] in source pixels; visibility [T, 13].
    """
    seen = visibility > 0
    low = np.where(seen[..., None], truth, np.inf).min(1)
    high = np.where(seen[..., None], truth, -np.inf).max(1)
    usable = seen.sum(1) >= 2
    side = np.where(usable, (high - low).max(-1), np.nan)
    distance = np.where(seen, np.linalg.norm(prediction - truth, axis=-1), 0.0) / side[:, None]  # [T, 13]
    count = np.maximum(seen.sum(1), 1)
    measured = {"joint_error": 100.0 * distance.sum(1) / count}
    measured |= {f"pck_{round(100 * most)}": ((distance <= most) & seen).sum(1) / count for most in (0.1, 0.2)}
    return {name: np.where(usable, values, np.nan) for name, values in measured.items()}
