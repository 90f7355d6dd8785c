"""Change: sequence collapse, a video whose frames are all the same picture, and errors where pixels move."""

from __future__ import annotations

import numpy as np

from analogy.metrics.image import psnr

MOVED = 25  # grey levels, a tenth of the range: a pixel that changes by more has moved


def collapse_index(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """The squared change from each predicted frame to the next, over the mean of these changes in the truth: [T].

    Its mean over the frames is the collapse index: 0 where one picture is repeated, 1 where frames change as much as in truth,
    above 1 where they flicker.

    Args:
        truth, prediction: uint8 [T, H, W, C].

    Returns:
        NaN for the first frame, which has none before it; NaN everywhere where the truth does not change.
    """
    true, ours = (_changes(frames) for frames in (truth, prediction))
    scale = true.mean() if len(true) else 0.0
    return np.concatenate([[np.nan], ours / scale if scale else np.full(len(ours), np.nan)])


def moving_psnr(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """The PSNR of those pixels alone that moved since the true frame before: [T], in dB. Fine detail of what stands still is
    easily kept; this is that of what moves.

    Args:
        truth, prediction: uint8 [T, H, W, C].

    Returns:
        NaN for the first frame, which has none before it, and for frames in which nothing moves.
    """
    moved = np.zeros(truth.shape[:-1], bool)
    moved[1:] = np.abs(np.diff(truth.astype(np.float64), axis=0)).mean(-1) > MOVED
    return psnr(truth, prediction, moved)


def changed_psnr(truth: np.ndarray, prediction: np.ndarray, *, first: np.ndarray) -> np.ndarray:
    """The PSNR of those pixels alone in which the true frame differs from the frame that a prediction starts from: [T], in dB.
    What stands still is copied for nothing; this is what has to be predicted.

    Args:
        truth, prediction: uint8 [T, H, W, C]. first: uint8 [H, W, C].

    Returns:
        NaN for frames in which nothing differs.
    """
    changed = np.abs(truth.astype(np.float64) - first).mean(-1) > MOVED
    return psnr(truth, prediction, changed)


def _changes(frames: np.ndarray) -> np.ndarray:
    """The mean squared difference of each frame from the one before it: [T - 1]."""
    return np.square(np.diff(frames.astype(np.float64), axis=0)).mean((1, 2, 3))
