"""Sequence collapse: a video whose frames are all the same picture."""

from __future__ import annotations

import numpy as np


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


def _changes(frames: np.ndarray) -> np.ndarray:
    """The mean squared difference of each frame from the one before it: [T - 1]."""
    return np.square(np.diff(frames.astype(np.float64), axis=0)).mean((1, 2, 3))
