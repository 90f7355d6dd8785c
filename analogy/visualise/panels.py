"""Still pictures of a sample: x_t, p_t, x_{t+n}, p_{t+n} and the prediction in one row."""

import colorsys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from analogy.files import replacing
from analogy.visualise.canvas import common_height, picture_row, scale_to_height, title_row, to_rgb


def heatmap_picture(heatmaps: np.ndarray) -> np.ndarray:
    """Joint heatmaps as one colour picture: a hue per joint, the brightest joint wins, black where there is none.

    Args:
        heatmaps: float [H, W, J] in 0..1; what lies outside is clipped, NaN counts as 0.

    Returns:
        uint8 [H, W, 3].

    Raises:
        ValueError: the array is not [H, W, J].

    Example:
        >>> heatmap_picture(np.ones([2, 3, 1])).shape
        (2, 3, 3)
    """
    heatmaps = np.asarray(heatmaps)
    if heatmaps.ndim != 3:
        raise ValueError(f"expected heatmaps [H, W, J], not {list(heatmaps.shape)}")
    joints = heatmaps.shape[-1]
    picture = np.zeros((*heatmaps.shape[:2], 3), np.float32)
    for joint in range(joints):
        hue = np.float32(colorsys.hsv_to_rgb(joint / joints, 0.8, 1.0))
        strength = np.clip(np.nan_to_num(heatmaps[..., joint].astype(np.float32)), 0.0, 1.0)
        np.maximum(picture, strength[..., None] * hue, out=picture)
    return np.rint(picture * 255).astype(np.uint8)


def write_panels(path: str | Path, columns: Sequence[tuple[str, np.ndarray]]) -> None:
    """Write one PNG: the pictures side by side, at least 160 pixels high, each under its title.

    Args:
        path: the `.png` file; its folder is made if it is missing.
        columns: (title, uint8 [H, W, 1 or 3]); pictures of other heights are scaled to the tallest.

    Raises:
        ValueError: no columns, or an array of another type or shape.
    """
    if not columns:
        raise ValueError("write_panels needs at least one column")
    pictures = [_one_picture(picture) for _, picture in columns]
    height = common_height([len(picture) for picture in pictures])
    pictures = [scale_to_height(picture, height) for picture in pictures]
    titles = title_row([title for title, _ in columns], [picture.shape[1] for picture in pictures])
    write_picture(path, np.concatenate([titles, picture_row(pictures, height)]))


def write_picture(path: str | Path, picture: np.ndarray) -> None:
    """Write a PNG, whole or not at all. picture: uint8 [H, W, 3]."""
    with replacing(path) as temporary:
        Image.fromarray(picture).save(temporary, "PNG")


def _one_picture(picture: np.ndarray) -> np.ndarray:
    picture = to_rgb(picture)
    if picture.ndim != 3:
        raise ValueError(f"expected one picture [H, W, 1 or 3], not {list(picture.shape)}")
    return picture
