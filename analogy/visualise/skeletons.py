"""Poses as pictures: a person of sticks in its box."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from analogy.joints import LIMBS, NECK

GREEN, ORANGE, GREY = (40, 140, 90), (225, 110, 40), (190, 194, 200)
PAPER = 255
_SHIFT = 3  # binary digits of a pixel: OpenCV then draws between pixels


def draw_skeleton(
    canvas: np.ndarray, joints: np.ndarray, visibility: np.ndarray, colour: Sequence[int], width: int = 2
) -> None:
    """Draw one pose into uint8 [H, W, 3]. joints [13, 2] in pixels of the canvas; hidden ones, and limbs that end in one, are
    left out."""
    seen = (np.asarray(visibility) > 0.5) & np.isfinite(joints).all(-1)
    at = np.clip(np.nan_to_num(joints), -1e4, 1e4)
    lines = [(at[a], at[b]) for a, b in LIMBS if seen[a] and seen[b]]
    if seen[0] and seen[list(NECK)].all():
        lines.append((at[0], at[list(NECK)].mean(0)))
    for start, end in lines:
        cv2.line(canvas, _fixed(start), _fixed(end), tuple(colour), width, cv2.LINE_AA, _SHIFT)
    for point in at[seen]:
        cv2.circle(canvas, _fixed(point), (width + 1) << _SHIFT, tuple(colour), -1, cv2.LINE_AA, _SHIFT)


def skeleton_frames(
    poses: Sequence[tuple[np.ndarray, np.ndarray, Sequence[int]]], box: np.ndarray, height: int = 240
) -> np.ndarray:
    """Poses over one another on white paper, in a box.

    Args:
        poses: (joints [T, 13, 2] in pixels of the source, visibility [T, 13], colour), the first at the bottom.
        box: x_min, y_min, x_max, y_max of what is shown, in pixels of the source; a tenth is added on each side.

    Returns:
        uint8 [T, height, W, 3].
    """
    low, extent = np.asarray(box[:2], np.float64), np.asarray(box[2:], np.float64) - box[:2]
    low, extent = low - 0.1 * extent, 1.2 * extent
    scale = height / extent[1]
    width = int(np.clip(round(extent[0] * scale), height // 3, 3 * height))
    frames = np.full([len(poses[0][0]), height, width, 3], PAPER, np.uint8)
    for joints, visibility, colour in poses:
        for frame, pose, seen in zip(frames, (joints - low) * scale, visibility, strict=True):
            draw_skeleton(frame, pose, seen, colour)
    return frames


def _fixed(point: np.ndarray) -> tuple[int, int]:
    x, y = np.rint(np.asarray(point) * (1 << _SHIFT)).astype(int)
    return int(x), int(y)
