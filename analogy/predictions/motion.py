"""A baseline: the motion between the last two observed frames goes on."""

from __future__ import annotations

import cv2
import numpy as np

SMALLEST_SIDE = 12  # of a frame in pixels: OpenCV's DIS raises an error for smaller ones


def motion_continued(observed_frames: np.ndarray, horizon: int, *, damping: float = 0.5) -> np.ndarray:
    """Predict frames by moving the last observed frame along its optical flow.

    The flow (OpenCV's DIS, preset medium, of the gray frames) says for each pixel of the last frame how far it is from the
    frame before. Frame t after the last one reads each pixel at `damping` x t times that flow, bilinearly; beyond the border
    the nearest pixel is repeated. Motion is often wrong or ends, so half of it (the default) is the better guess.

    Args:
        observed_frames: uint8 [k, H, W, 1|3].
        horizon: T, the number of frames to predict.
        damping: the share of the motion that goes on: 1 for all of it, 0 for none.

    Returns:
        uint8 [T, H, W, C]. With one observed frame, or a side below `SMALLEST_SIDE`, the last frame is copied.
    """
    last = observed_frames[-1]
    flow = damping * optical_flow(observed_frames)
    height, width = last.shape[:2]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    moved = [
        cv2.remap(
            last, columns + t * flow[..., 0], rows + t * flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ).reshape(last.shape)  # OpenCV drops a single channel
        for t in range(1, horizon + 1)
    ]
    return np.stack(moved)


def optical_flow(observed_frames: np.ndarray) -> np.ndarray:
    """Where the last frame's pixels are in the frame before: OpenCV's DIS flow, preset medium (Kroeger et al. 2016).

    Args:
        observed_frames: uint8 [k, H, W, 1|3].

    Returns:
        float32 [H, W, 2] in pixels, right then down; zero with one frame, or where a side is below `SMALLEST_SIDE`.
    """
    height, width = observed_frames.shape[1:3]
    if len(observed_frames) < 2 or min(height, width) < SMALLEST_SIDE:
        return np.zeros((height, width, 2), np.float32)
    before, last = (_gray(frame) for frame in observed_frames[-2:])
    return cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(last, before, None)


def _gray(frame: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) if frame.shape[-1] == 3 else np.ascontiguousarray(frame[..., 0])
