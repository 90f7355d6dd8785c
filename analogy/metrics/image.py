"""Per-frame image metrics. They take predictions and know nothing of training."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

SSIM_WINDOW = 11


def check_frames(truth: np.ndarray, prediction: np.ndarray) -> None:
    """Raise ValueError unless both are uint8 [T, H, W, C] of one shape."""
    if truth.shape != prediction.shape or truth.dtype != np.uint8 or prediction.dtype != np.uint8:
        raise ValueError(
            "truth and prediction must be uint8 [T, H, W, C] of one shape, got "
            f"{truth.dtype} {truth.shape} and {prediction.dtype} {prediction.shape}"
        )


def psnr(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio of each frame in dB, peak 255.

    Args: uint8 [T, H, W, C]. Returns: [T] float64; identical frames count as 100 dB, so that means stay finite.
    """
    check_frames(truth, prediction)
    error = np.square(truth.astype(np.float64) - prediction.astype(np.float64)).mean(axis=(1, 2, 3))
    with np.errstate(divide="ignore"):
        return np.minimum(10.0 * np.log10(255.0**2 / error), 100.0)


def ssim(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Structural similarity of each frame: 11 x 11 Gaussian window, sigma 1.5, range 255, mean over channels.

    Args: uint8 [T, H, W, C], H and W at least 11. Returns: [T] float64.
    """
    check_frames(truth, prediction)
    if min(truth.shape[1:3]) < SSIM_WINDOW:
        raise ValueError(f"SSIM needs frames of at least {SSIM_WINDOW} pixels a side, got {truth.shape[1:3]}")
    # In chunks: a long clip would need a gigabyte of window sums.
    chunks = [tf.image.ssim(truth[i : i + 32], prediction[i : i + 32], 255).numpy() for i in range(0, len(truth), 32)]
    return np.concatenate(chunks).astype(np.float64)
