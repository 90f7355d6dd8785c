"""Rows of pictures with titles above them. Sample panels and videos are made of these."""

import re
from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO
from math import ceil
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from analogy.one_line import printable

SMALLEST_HEIGHT = 160  # pixels; smaller pictures are enlarged, so that details can be recognised
MOST_WIDTH = 8192  # pixels of a row of columns; encoders and browsers refuse much wider videos
GAP = 4  # pixels between neighbours
LETTERS = 14  # pixels; the size of the letters of a title
TITLE_HEIGHT = 24  # pixels, with letters of this size
PAPER, INK = (255, 255, 255), (40, 44, 52)
# Titles such as "x_t" and "x_{t+n}" are a symbol with a subscript. "copy_reference" does not match: it is a name.
SYMBOL = re.compile(r"(\w)_(?:\{(.+)\}|(\w))")


def to_rgb(pictures: np.ndarray) -> np.ndarray:
    """Repeat a single grey channel three times: uint8 [..., H, W, 1 or 3] -> uint8 [..., H, W, 3].

    Raises:
        ValueError: the array has another dtype or number of channels, or is empty.
    """
    pictures = np.asarray(pictures)
    if pictures.dtype != np.uint8 or pictures.ndim < 3 or pictures.shape[-1] not in (1, 3) or not pictures.size:
        raise ValueError(f"expected uint8 [..., H, W, 1 or 3], not {pictures.dtype} {list(pictures.shape)}")
    return np.broadcast_to(pictures, (*pictures.shape[:-1], 3))


def absolute_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """|a - b| of two uint8 arrays of the same shape, as uint8."""
    return np.abs(a.astype(np.int16) - b).astype(np.uint8)


def common_height(sizes: Sequence[tuple[int, int]]) -> int:
    """The height to which pictures of these sizes (height, width) are scaled in a row.

    It is the tallest height, multiplied by the smallest whole number that makes it at least `SMALLEST_HEIGHT`. Where the row
    would be wider than `MOST_WIDTH`, as those of panoramas, it is less.
    """
    tallest = max(height for height, _ in sizes)
    height = tallest * ceil(SMALLEST_HEIGHT / tallest)
    widest = MOST_WIDTH - GAP * (len(sizes) - 1)
    return max(1, min(height, int(widest / sum(width / own for own, width in sizes))))


def scaled_width(height: int, width: int, new_height: int) -> int:
    """The width that keeps the aspect ratio of a picture when its height changes."""
    return max(1, round(width * new_height / height))


def scale_to_height(picture: np.ndarray, height: int) -> np.ndarray:
    """Resize a picture, keeping its aspect ratio: uint8 [H, W, 3] -> uint8 [height, W', 3]."""
    factor = height / picture.shape[0]
    if factor == 1:
        return picture
    # A whole factor repeats pixels, so that the picture shows exactly what the model produced.
    interpolation = cv2.INTER_NEAREST if factor.is_integer() else cv2.INTER_LANCZOS4
    size = (scaled_width(*picture.shape[:2], height), height)
    return cv2.resize(np.ascontiguousarray(picture), size, interpolation=interpolation)


def title_row(titles: Sequence[str], widths: Sequence[int], letters: int = LETTERS) -> np.ndarray:
    """A row of titles, uint8 [H, sum(widths) + gaps, 3], with H = TITLE_HEIGHT where letters = LETTERS.

    widths: of the columns below them, in pixels. letters: their size in pixels; where a column is too narrow, it is smaller.
    """
    return _join([_title(title, width, letters) for title, width in zip(titles, widths, strict=True)])


def title_width(title: str, letters: int = LETTERS) -> int:
    """The width in pixels of a title in letters of this size."""
    return ceil(_font(letters).getlength(printable(title)))


def picture_row(pictures: Sequence[np.ndarray], height: int) -> np.ndarray:
    """Pictures side by side with gaps: uint8 [H, W, 3] each -> uint8 [height, W', 3]."""
    return _join([scale_to_height(picture, height) for picture in pictures])


def _join(pieces: Sequence[np.ndarray]) -> np.ndarray:
    gap = np.full((pieces[0].shape[0], GAP, 3), PAPER, np.uint8)
    return np.concatenate([part for piece in pieces for part in (piece, gap)][:-1], axis=1)


def _title(title: str, width: int, letters: int) -> np.ndarray:
    """A centred title, uint8 [H, width, 3]; in a narrow column its letters are smaller."""
    symbol = SYMBOL.fullmatch(title)
    base, index = (symbol[1], symbol[2] or symbol[3]) if symbol else (printable(title), "")
    for size in (letters, letters * 6 // 7, letters * 5 // 7, letters * 4 // 7):
        font, small = _font(size), _font(max(7, size - 3))
        base_width, index_width = font.getlength(base), small.getlength(index)
        if base_width + index_width <= width:
            break
    height = TITLE_HEIGHT * letters // LETTERS
    strip = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(strip)
    left, baseline = max(0, (width - base_width - index_width) / 2), height - height // 3
    draw.text((left, baseline), base, INK, font, anchor="ls")
    draw.text((left + base_width, baseline + 3), index, INK, small, anchor="ls")
    return np.asarray(strip)


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    # Matplotlib ships this font, so that it is there on every machine; it has accents and Greek letters.
    import matplotlib  # half a second that a refused command need not take

    file = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    return ImageFont.truetype(BytesIO(file.read_bytes()), size)  # opened here: FreeType does not say why it cannot
