"""Image metrics of each frame: MSE, MAE, PSNR and SSIM."""

from __future__ import annotations

import cv2
import numpy as np

SSIM_WINDOW, SSIM_SIGMA = 11, 1.5


def check_frames(truth: np.ndarray, prediction: np.ndarray) -> None:
    """Raise ValueError unless both are uint8 [T, H, W, C] of one shape."""
    if truth.shape != prediction.shape or truth.dtype != np.uint8 or prediction.dtype != np.uint8:
        raise ValueError(
            "truth and prediction must be uint8 [T, H, W, C] of one shape, got "
            f"{truth.dtype} {truth.shape} and {prediction.dtype} {prediction.shape}"
        )


def mse(truth: np.ndarray, prediction: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Mean squared error of each frame, values in 0..1.

    Args: truth, prediction: uint8 [T, H, W, C]. mask: bool [T, H, W], the pixels to measure; all if it is None.
    Returns: [T] float64; NaN where the mask of a frame is empty.
    """
    return _mean(np.square(_difference(truth, prediction)), mask)


def mae(truth: np.ndarray, prediction: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Mean absolute error of each frame, values in 0..1. Arguments and returned array as of `mse`."""
    return _mean(np.abs(_difference(truth, prediction)), mask)


def mse_sum(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Squared error of each frame summed over pixels and channels, values in 0..1: OpenSTL's convention (arXiv:2306.11249)."""
    return mse(truth, prediction) * truth[0].size


def mae_sum(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Absolute error of each frame summed over pixels and channels, values in 0..1; see `mse_sum`."""
    return mae(truth, prediction) * truth[0].size


def psnr(truth: np.ndarray, prediction: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Peak signal-to-noise ratio of each frame in dB, peak 255.

    Args: as of `mse`. Returns: [T] float64; identical frames count as 100 dB, so that means stay finite.
    """
    with np.errstate(divide="ignore"):
        return np.minimum(-10.0 * np.log10(mse(truth, prediction, mask)), 100.0)


def ssim(truth: np.ndarray, prediction: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Structural similarity of each frame: 11 x 11 Gaussian window, sigma 1.5, range 255, mean over channels.

    Args: as of `mse`; H and W are at least 11. A pixel is measured only where its whole window lies inside the frame.
    """
    check_frames(truth, prediction)
    if min(truth.shape[1:3]) < SSIM_WINDOW:
        raise ValueError(f"SSIM needs frames of at least {SSIM_WINDOW} pixels a side, got {truth.shape[1:3]}")
    edge = SSIM_WINDOW // 2
    inner = [None] * len(truth) if mask is None else mask[:, None, edge:-edge, edge:-edge]
    # Frame by frame: the maps of a long clip would fill gigabytes.
    return np.array([_mean(_ssim_map(a, b)[None], m)[0] for a, b, m in zip(truth, prediction, inner, strict=True)])


def _ssim_map(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """uint8 [H, W, C] twice -> float64 [H - 10, W - 10, C]: equation 13 of Wang et al. 2004 wherever the window fits.

    With OpenCV's separable filter: TensorFlow's own function convolves in two dimensions, ten times as slow on a CPU.
    """
    x, y = truth.astype(np.float64), prediction.astype(np.float64)
    edge, kernel = SSIM_WINDOW // 2, cv2.getGaussianKernel(SSIM_WINDOW, SSIM_SIGMA)

    def window(values):
        filtered = cv2.sepFilter2D(values, -1, kernel, kernel)
        return filtered.reshape(values.shape)[edge:-edge, edge:-edge]  # OpenCV drops a single channel

    mean_x, mean_y = window(x), window(y)
    means, covariance = mean_x * mean_y, window(x * y)
    squares = mean_x**2 + mean_y**2
    variances = window(x**2 + y**2) - squares
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return (2 * means + c1) / (squares + c1) * (2 * (covariance - means) + c2) / (variances + c2)


def _difference(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    check_frames(truth, prediction)
    return (truth.astype(np.float64) - prediction.astype(np.float64)) / 255.0


def _mean(values: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """values [T, H, W, C] -> [T]."""
    if mask is None:
        return values.mean(axis=(1, 2, 3))
    pixels = mask.sum(axis=(1, 2))
    total = (values.mean(-1) * mask).sum(axis=(1, 2))
    return np.divide(total, pixels, out=np.full(len(values), np.nan), where=pixels > 0)
