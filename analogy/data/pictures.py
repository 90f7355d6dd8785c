"""Reading pictures. All pictures of users are read here, so that one rule holds for them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

from analogy.errors import UserError
from analogy.files.reading import NO_FILE, check_regular

MOST_PIXELS = 100_000_000  # of a picture or a frame; a small file can unpack to any size
# Pillow's own reader of TIFF without compression takes YCbCr for RGBX, and then calls it truncated; libtiff reads all of them.
TiffImagePlugin.READ_LIBTIFF = True

PLANAR = 284  # tag of TIFF; 2: each channel lies by itself
SHORTEST_STRIP = 4  # frames: a single picture is hardly ever four times as wide as high, and a video hardly ever shorter
# Formats in which several pictures are frames of an animation. A photograph (MPO, a kind of JPEG) may hold a smaller copy.
ANIMATED = ("WEBP", "PNG", "TIFF", "GIF", "AVIF")
DAMAGED = (OSError, ValueError, SyntaxError, EOFError, UnidentifiedImageError, Image.DecompressionBombError)


def read_picture(path: Path) -> np.ndarray:
    """Read a picture as people see it: uint8 RGB [H, W, 3].

    It is turned as its EXIF orientation says. What is transparent is laid over white. Values of 16 bits become 8 bits. Of an
    animation the first frame is read. The content decides the format, not the name.

    Raises:
        UserError: the file is no picture, or a damaged one.
        OSError: the file cannot be read now.
    """
    with _opened(path) as picture:
        return as_rgb(_upright(picture))


def is_animation(path: Path) -> bool:
    """Whether a file of pictures has several frames. A file that cannot be read has none."""
    try:
        check_regular(path)
        with Image.open(path) as picture:
            return picture.format in ANIMATED and getattr(picture, "is_animated", False)
    except DAMAGED:
        return False


def read_animation(path: Path) -> Iterator[tuple[np.ndarray, float]]:
    """The frames of an animation, each as `read_picture` gives it, and for how many seconds each is shown.

    0 seconds: the file does not say it. Raises as `read_picture`.
    """
    with _opened(path) as picture:
        # The first picture of an animated PNG may be one for programs that know no animations.
        for number in range(int(picture.info.get("default_image", False)), picture.n_frames):
            picture.seek(number)
            frame = as_rgb(_upright(picture))  # first, because some formats say the duration only then
            yield frame, picture.info.get("duration", 0) / 1000


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """A context with a picture. What Pillow raises for damaged pictures becomes a UserError that names the file."""
    try:
        check_regular(path)
        with Image.open(path) as picture:
            check_pixels(*picture.size)
            if picture.mode == "LA" and getattr(picture, "tag_v2", {}).get(PLANAR) == 2:
                raise ValueError("Pillow mixes its planes of grey and transparency: save it as PNG")
            yield picture
    except DAMAGED as error:
        if isinstance(error, OSError) and error.errno not in (None, *NO_FILE):
            raise
        text = getattr(error, "strerror", None) or str(error).partition("\n")[0] or type(error).__name__
        reason = "no known format" if isinstance(error, UnidentifiedImageError) else text
        raise UserError(f"{path}: this picture cannot be read ({reason}); replace it or take it out of the folder") from error


def picture_size(path: Path) -> tuple[int, int] | None:
    """(height, width) of a picture in pixels, from the head of its file; None where it is no picture or cannot be read."""
    with suppress(*DAMAGED):
        check_regular(path)
        with Image.open(path) as picture:
            return picture.size[1], picture.size[0]
    return None


def frames_in_strip(height: int, width: int) -> int:
    """The number of frames in a strip, a picture of square frames side by side from left to right, as Siarohin et al. publish
    videos (2019, arXiv:1812.08861). 1 for every other picture."""
    frames = width // height
    return frames if width == frames * height and frames >= SHORTEST_STRIP else 1


def check_pixels(width: int, height: int) -> None:
    """Raise ValueError for a picture that would fill the memory."""
    if width * height > MOST_PIXELS:
        raise ValueError(f"its {width} x {height} pixels are more than {MOST_PIXELS // 1_000_000} million")


def _orientation(picture: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none that can be read."""
    try:
        value = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except DAMAGED:
        return 1
    return value if value in range(1, 9) else 1


def _upright(picture: Image.Image) -> Image.Image:
    """The picture turned and mirrored as its EXIF orientation says."""
    return picture if _orientation(picture) == 1 else ImageOps.exif_transpose(picture)


def orientation(data: bytes) -> int:
    """The EXIF orientation, 1 to 8, of a picture file; 1 where it says none. Raises as `plain_jpeg`."""
    with Image.open(io.BytesIO(data)) as picture:
        return _orientation(picture)


def as_rgb(picture: Image.Image) -> np.ndarray:
    """A picture of Pillow in any mode -> uint8 RGB [H, W, 3]; what is transparent is laid over white. Raises ValueError."""
    if picture.mode == "F":
        raise ValueError("it holds fractions, whose range nobody knows: save it with 8 or 16 bits")
    if picture.mode.startswith("I"):  # 16 bits, which Pillow would clip instead of scale
        values = np.asarray(picture)
        if values.max(initial=0) > 65535 or values.min(initial=0) < 0:
            raise ValueError("it holds numbers beyond 16 bits, whose range nobody knows: save it with 8 or 16 bits")
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


def plain_jpeg(data: bytes) -> bytes:
    """A picture file as a JPEG file that every decoder shows as `read_picture` does.

    A JPEG file of grey or RGB pixels without anything to turn stays as it is. Any other is encoded anew (quality 95, colours in
    full resolution). Raises OSError or ValueError for what is no picture.
    """
    with Image.open(io.BytesIO(data)) as picture:
        check_pixels(*picture.size)
        if picture.format in ("JPEG", "MPO") and picture.mode in ("L", "RGB") and _orientation(picture) == 1:
            return data
        encoded = io.BytesIO()
        Image.fromarray(as_rgb(_upright(picture))).save(encoded, "JPEG", quality=95, subsampling=0)
        return encoded.getvalue()
