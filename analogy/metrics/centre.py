"""Where the dark object of a frame is, beside where it should be."""

from __future__ import annotations

import numpy as np

FAINT = 0.25  # share of the greatest darkness in a frame that does not count yet


def centre_of_darkness(frames: np.ndarray) -> np.ndarray:
    """The centre of mass of how much darker than the background the pixels of each frame are.

    The background is the median grey level of the frame. What is only faintly darker does not count: over a whole frame, noise
    of two levels would weigh as much as the object. A frame without anything dark shows no object, so its middle counts.

    Args:
        frames: uint8 [T, H, W, C].

    Returns:
        [T, 2] float64, x then y in pixels; the centre of the first pixel is (0, 0).
    """
    grey = frames.astype(np.float64).mean(-1)  # [T, H, W]
    darkness = np.median(grey, axis=(1, 2), keepdims=True) - grey
    greatest = darkness.max(axis=(1, 2), keepdims=True)
    weight = np.where(greatest > 0, np.maximum(darkness - FAINT * greatest, 0.0), 1.0)
    weight /= weight.sum(axis=(1, 2), keepdims=True)
    y, x = np.mgrid[: frames.shape[1], : frames.shape[2]]
    return np.stack([(weight * axis).sum(axis=(1, 2)) for axis in (x, y)], -1)


def centre_error(centres: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Distance in pixels of the predicted object's centre from the true one, in each frame.

    Args:
        centres: [T, 2], the true centres, x then y in pixels.
        prediction: uint8 [T, H, W, C].

    Returns:
        [T] float64.
    """
    return np.linalg.norm(centre_of_darkness(prediction) - centres, axis=-1)
