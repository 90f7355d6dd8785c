"""Every per-frame measure of predicted frames, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from analogy.metrics.detail import checkerboard_ratio, sharpness_ratio
from analogy.metrics.image import mae, mae_sum, mse, mse_sum, psnr, ssim
from analogy.metrics.regions import background, ghosting, pose_following

METRICS = {"psnr": psnr, "ssim": ssim, "sharpness_ratio": sharpness_ratio, "checkerboard_ratio": checkerboard_ratio}
# On request: another reading of the same errors.
ERRORS = {"mse": mse, "mae": mae, "mse_sum": mse_sum, "mae_sum": mae_sum}
REGION_METRICS = {"ghosting": ghosting, "pose_following": pose_following, "background": background}


def measure_frames(
    truth: np.ndarray,
    prediction: np.ndarray,
    regions: Mapping[str, np.ndarray],
    metrics: Mapping[str, Callable] = METRICS,
) -> dict[str, np.ndarray]:
    """metric -> [T], NaN where it is undefined.

    Args:
        truth, prediction: uint8 [T, H, W, C].
        regions: bool [T, H, W] by name: "old" and "new", the body's area in the reference frame and in the true frame.
            Without them the metrics of regions are missing.
        metrics: name -> function of (truth, prediction) that gives [T].
    """
    values = {name: metric(truth, prediction) for name, metric in metrics.items()}
    if regions:
        areas = regions["old"], regions["new"]
        values |= {name: metric(truth, prediction, *areas) for name, metric in REGION_METRICS.items()}
    return values
