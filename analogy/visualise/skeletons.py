"""Draws poses as skeletons."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from analogy.joints import LIMBS, NECK

GREEN, ORANGE, GREY = (40, 140, 90), (225, 110, 40), (190, 194, 200)
PAPER = 255
HEIGHT = 240  # pixels, of frames of skeletons alone
_SHIFT = 3  # fractional bits of coordinates, so that OpenCV draws with subpixel precision


def draw_skeleton(
    canvas: np.ndarray, joints: np.ndarray, visibility: np.ndarray, colour: Sequence[int], width: int = 2
) -> None:
    """Draw one pose into the canvas. Hidden joints, and limbs with a hidden end, are left out.

    Args:
        canvas: uint8 [H, W, 3], which is changed.
        joints: [13, 2] in pixels of the canvas, x then y.
        visibility: [13], visible above 0.5.
        colour: (red, green, blue) in 0..255.
        width: of the lines, in pixels.
    """
    visible = (np.asarray(visibility) > 0.5) & np.isfinite(joints).all(-1)
    at = np.clip(np.nan_to_num(joints), -1e4, 1e4)
    lines = [(at[a], at[b]) for a, b in LIMBS if visible[a] and visible[b]]
    if visible[0] and visible[list(NECK)].all():
        lines.append((at[0], at[list(NECK)].mean(0)))
    for start, end in lines:
        cv2.line(canvas, _fixed(start), _fixed(end), tuple(colour), width, cv2.LINE_AA, _SHIFT)
    for point in at[visible]:
        cv2.circle(canvas, _fixed(point), (width + 1) << _SHIFT, tuple(colour), -1, cv2.LINE_AA, _SHIFT)


def skeleton_frames(poses: Sequence[tuple[np.ndarray, np.ndarray, Sequence[int]]], box: np.ndarray) -> np.ndarray:
    """Draw sequences of poses over one another on a white ground.

    Args:
        poses: (joints [T, 13, 2] in pixels of the source, visibility [T, 13], colour) of each sequence, in drawing order.
        box: x_min, y_min, x_max, y_max of the area to show, in pixels of the source; a tenth is added on each side.

    Returns:
        uint8 [T, HEIGHT, W, 3].
    """
    low, extent = np.asarray(box[:2], np.float64), np.asarray(box[2:], np.float64) - box[:2]
    low, extent = low - 0.1 * extent, 1.2 * extent
    scale = HEIGHT / extent[1]
    width = int(np.clip(round(extent[0] * scale), HEIGHT // 3, 3 * HEIGHT))
    frames = np.full([len(poses[0][0]), HEIGHT, width, 3], PAPER, np.uint8)
    for joints, visibility, colour in poses:
        for frame, pose, visible in zip(frames, (joints - low) * scale, visibility, strict=True):
            draw_skeleton(frame, pose, visible, colour)
    return frames


def _fixed(point: np.ndarray) -> tuple[int, int]:
    """A point in the fixed-point numbers that OpenCV's drawing functions take."""
    x, y = np.rint(np.asarray(point) * (1 << _SHIFT)).astype(int)
    return int(x), int(y)
