"""Still pictures: the panels of a sample in one row, and the future frames of a video in rows."""

import colorsys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from analogy.files.writing import replacing
from analogy.visualise.canvas import (
    GAP,
    LETTERS,
    absolute_difference,
    common_height,
    picture_row,
    scale_to_height,
    scaled_width,
    title_row,
    title_width,
    to_rgb,
)

LETTERS_PER_WIDTH = 1 / 50  # of a picture of rows and columns: pages show it smaller than it is
SMALLEST_ROW = 48  # pixels in height


def heatmap_picture(heatmaps: np.ndarray) -> np.ndarray:
    """Joint heatmaps as one colour picture. Every joint has its own hue; where joints overlap, the brightest is shown.

    Args:
        heatmaps: float [H, W, J] in 0..1; values outside are clipped, NaN counts as 0.

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


def coloured(image: np.ndarray) -> np.ndarray:
    """The image itself where it is uint8 [H, W, 1 or 3]; the picture of joint heatmaps where it is float [H, W, J] in 0..1."""
    return image if image.dtype == np.uint8 else heatmap_picture(image)


def movie_rows(
    observed_frames: np.ndarray, truth: np.ndarray, prediction: np.ndarray, further: Mapping[str, np.ndarray] | None = None
) -> np.ndarray:
    """A predicted video as one picture.

    Its rows are truth, prediction, absolute difference, and further ones. Its columns are up to ten of the future frames; the
    last observed ones, three at most, stand before the true ones.

    Args:
        observed_frames: uint8 [k, H, W, 1 or 3]; small frames are enlarged, so that a title fits beside them.
        truth, prediction: uint8 [T, H, W, 1 or 3].
        further: label -> pictures uint8 [T, H, W, 1 or 3], of which each is a row.

    Returns:
        uint8 [H', W', 3].
    """
    given = observed_frames[-3:]
    times = np.unique(np.linspace(0, len(truth) - 1, 10).round().astype(int))
    blank = np.full_like(given, 255)
    titles = [
        *(f"{before}" for before in range(1 - len(given), 0)),
        *(["last observed"] if len(given) else []),
        *(f"+{time + 1}" for time in times),
    ]
    rows = {"prediction": prediction, "|difference|": absolute_difference(truth, prediction), **(further or {})}
    rows = {"truth": [*given, *truth[times]], **{name: [*blank, *frames[times]] for name, frames in rows.items()}}
    return picture_grid(rows, titles)


def picture_grid(rows: Mapping[str, Sequence[np.ndarray]], titles: Sequence[str]) -> np.ndarray:
    """Pictures in rows and columns. The letters of the labels are as large as those of the titles, and larger in wide pictures.

    Args:
        rows: label on the left -> pictures of equal size, uint8 [H, W, 1 or 3]; small ones are enlarged, so that a title fits.
        titles: of the columns.

    Returns:
        uint8 [H', W', 3].
    """
    first = next(iter(rows.values()))[0]
    height = max(SMALLEST_ROW, first.shape[0])
    width = scaled_width(*first.shape[:2], height)
    columns = len(titles) * (width + GAP)
    letters = min(max(LETTERS, round(columns * LETTERS_PER_WIDTH)), height // 2)
    beside = min(max(title_width(name, letters) for name in rows) + 2 * GAP, columns)  # the width of the labels
    parts = [title_row(["", *titles], [beside] + [width] * len(titles), letters)]
    for name, pictures in rows.items():
        label, words = np.full([height, beside, 3], 255, np.uint8), title_row([name], [beside], letters)
        label[(height - len(words)) // 2 :][: len(words)] = words
        parts.append(picture_row([label, *map(to_rgb, pictures)], height))
    gap = np.full([GAP, parts[0].shape[1], 3], 255, np.uint8)
    return np.concatenate([part for row in parts for part in (row, gap)][:-1])


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
    pictures = [_checked(picture) for _, picture in columns]
    height = common_height([picture.shape[:2] for picture in pictures])
    pictures = [scale_to_height(picture, height) for picture in pictures]
    titles = title_row([title for title, _ in columns], [picture.shape[1] for picture in pictures])
    write_picture(path, np.concatenate([titles, picture_row(pictures, height)]))


def write_picture(path: str | Path, picture: np.ndarray) -> None:
    """Write a PNG; the file appears only when it is complete. picture: uint8 [H, W, 3]."""
    with replacing(path) as temporary:
        Image.fromarray(picture).save(temporary, "PNG")


def _checked(picture: np.ndarray) -> np.ndarray:
    picture = to_rgb(picture)
    if picture.ndim != 3:
        raise ValueError(f"expected one picture [H, W, 1 or 3], not {list(picture.shape)}")
    return picture
