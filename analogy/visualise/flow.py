"""Optical flow as colours."""

from __future__ import annotations

import cv2
import numpy as np


def flow_colours(flow: np.ndarray, longest: float | None = None) -> np.ndarray:
    """Draw flow as colours: the hue is the direction, and the longer the motion the stronger the colour; still is white.

    Args:
        flow: float [T, H, W, 2] in pixels, right then down.
        longest: the length in pixels with the strongest colour; None: that of the 99th percentile, and at least a pixel.

    Returns:
        uint8 [T, H, W, 3].
    """
    right, down = flow[..., 0].astype(np.float32), flow[..., 1].astype(np.float32)
    length = np.hypot(right, down)
    longest = longest or max(1.0, float(np.percentile(length, 99)))
    hue = np.degrees(np.arctan2(down, right)) % 360.0
    colours = np.stack([hue, np.clip(length / longest, 0, 1), np.ones_like(hue)], -1).astype(np.float32)
    return np.stack([np.rint(255 * cv2.cvtColor(frame, cv2.COLOR_HSV2RGB)).astype(np.uint8) for frame in colours])
