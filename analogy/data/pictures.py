"""Reading pictures. All pictures of users are read here, so that one rule holds for them."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from analogy.errors import UserError

SHORTEST_STRIP = 4  # frames: a single picture is hardly ever four times as wide as high, and a video hardly ever shorter


def read_picture(path: Path) -> np.ndarray:
    """Read a picture as people see it: uint8 RGB [H, W, 3].

    It is turned as its EXIF orientation says. What is transparent is laid over white. Values of 16 bits become 8 bits. Of an
    animation the first frame is read. The content decides the format, not the name.

    Raises:
        UserError: the file is no picture, or a damaged one.
        OSError: the file cannot be read now.
    """
    try:
        with Image.open(path) as picture:
            return as_rgb(ImageOps.exif_transpose(picture))
    except (OSError, ValueError, SyntaxError, EOFError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = "no known format" if isinstance(error, UnidentifiedImageError) else str(error).splitlines()[0]
        raise UserError(f"{path}: this picture cannot be read ({reason}); replace it or take it out of the folder") from error


def picture_size(path: Path) -> tuple[int, int] | None:
    """(height, width) of a picture in pixels, from the head of its file; None where it is no picture or cannot be read."""
    with suppress(OSError, ValueError, SyntaxError, Image.DecompressionBombError), Image.open(path) as picture:
        return picture.size[1], picture.size[0]
    return None


def frames_in_strip(height: int, width: int) -> int:
    """The number of frames in a strip, a picture of square frames side by side from left to right, as Siarohin et al. publish
    videos (2019, arXiv:1812.08861). 1 for every other picture."""
    frames = width // height
    return frames if width == frames * height and frames >= SHORTEST_STRIP else 1


def as_rgb(picture: Image.Image) -> np.ndarray:
    """A picture of Pillow in any mode -> uint8 RGB [H, W, 3]; what is transparent is laid over white."""
    if picture.mode.startswith("I"):  # 16 bits, which Pillow would clip instead of scale
        values = np.asarray(picture).astype(np.uint32)
        gray = (values >> 8 if values.max(initial=0) > 255 or picture.mode != "I" else values).astype(np.uint8)
        return np.repeat(gray[..., None], 3, -1)
    if "A" in picture.getbands() or "transparency" in picture.info:
        return over_white(np.asarray(picture.convert("RGBA")))
    return np.asarray(picture.convert("RGB"))


def over_white(rgba: np.ndarray) -> np.ndarray:
    """uint8 RGBA [H, W, 4] over a white ground: uint8 RGB [H, W, 3]."""
    rgb, alpha = rgba[..., :3], rgba[..., 3:]
    if alpha.min(initial=255) == 255:
        return np.ascontiguousarray(rgb)
    alpha = alpha.astype(np.uint16)
    return ((rgb * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def upright_jpeg(data: bytes) -> bytes:
    """A JPEG file turned as its EXIF orientation says, for readers that ignore it; unchanged where there is nothing to turn."""
    if b"Exif" not in data[:65536]:
        return data
    with Image.open(io.BytesIO(data)) as picture:
        if picture.getexif().get(ExifTags.Base.Orientation, 1) == 1:
            return data
        turned = io.BytesIO()
        ImageOps.exif_transpose(picture).save(turned, "JPEG", quality=95, subsampling=0)
        return turned.getvalue()
