"""Pictures of keypoints: dots in K colours."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np

from analogy.visualise.canvas import to_rgb

SMALLEST_SIDE = 160  # pixels: smaller frames are enlarged, so that dots do not cover them


def with_keypoints(frames: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """Frames with a dot at each keypoint, each keypoint in a colour of its own.

    Args:
        frames: uint8 [T, H, W, 1 or 3]. keypoints: [T, K, 2], x then y, in -1..1; those outside are not drawn.

    Returns:
        uint8 [T, H', W', 3], enlarged by a whole number where a side is below SMALLEST_SIDE.
    """
    factor = -(-SMALLEST_SIDE // min(frames.shape[1:3]))
    pictures = to_rgb(frames).repeat(factor, 1).repeat(factor, 2).copy()
    count, size = keypoints.shape[1], np.array(frames.shape[2:0:-1])
    colours = [tuple(int(255 * part) for part in colorsys.hsv_to_rgb(k / count, 0.85, 1.0)) for k in range(count)]
    places = ((keypoints + 1.0) / 2.0 * (size - 1) + 0.5) * factor - 0.5  # the centre of the pixel, enlarged
    radius = max(2, round(min(pictures.shape[1:3]) / 64))
    for picture, points in zip(pictures, places, strict=True):
        for (x, y), colour in zip(points, colours, strict=True):
            if np.isfinite([x, y]).all():
                centre = (round(float(x)), round(float(y)))
                cv2.circle(picture, centre, radius + 1, (0, 0, 0), -1, cv2.LINE_AA)
                cv2.circle(picture, centre, radius, colour, -1, cv2.LINE_AA)
    return pictures
