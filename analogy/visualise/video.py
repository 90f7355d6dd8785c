"""Videos of predictions: MP4 and GIF files, with several clips side by side in columns."""

import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import IO

import imageio_ffmpeg
import numpy as np
from PIL import Image

from analogy.errors import UserError
from analogy.files.writing import replacing
from analogy.visualise.canvas import GAP, TITLE_HEIGHT, common_height, picture_row, scaled_width, title_row, to_rgb

# By default ffmpeg converts the colours but does not record how, and players guess wrongly. So the conversion is named.
COLOUR = ["-vf", "scale=out_color_matrix=bt709:out_range=tv", "-colorspace", "bt709", "-color_primaries", "bt709"]
COLOUR += ["-color_trc", "bt709", "-color_range", "tv"]
# The index goes to the front of the file, so that a browser can start before it has read the whole file.
STREAMING = ["-movflags", "+faststart"]
OF_FOLDERS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)  # faults of the place of a file
COMMON_COLOURS, FAR_COLOUR = 192, 16  # of the palette of a GIF; see `_palette`
SHORTEST_GIF_FRAME = 20  # milliseconds; browsers show shorter frames for 100


def write_mp4(path: str | Path, frames: np.ndarray, fps: float) -> None:
    """Write H.264 in yuv420p, which every browser plays.

    Args:
        path: the `.mp4` file; its folder is made if it is missing.
        frames: uint8 [T, H, W, 1 or 3], T >= 1. The codec needs even sizes; an odd H or W grows by a repeated row or column.
        fps: frames per second, above 0.

    Raises:
        ValueError: another type or shape, or no frames.
        OSError: the disk is full or damaged. RuntimeError: ffmpeg fails.
    """
    with mp4_writer(path, fps) as append:
        append(frames)


@contextmanager
def mp4_writer(path: str | Path, fps: float) -> Iterator[Callable[[np.ndarray], None]]:
    """`write_mp4` in parts: a context that gives a function, which appends frames uint8 [T, H, W, 1 or 3] of one size."""
    process = None
    with replacing(path) as temporary, tempfile.TemporaryFile() as said:

        def append(frames: np.ndarray) -> None:
            nonlocal process
            frames = _checked(frames, fps)
            odd_rows, odd_columns = frames.shape[1] % 2, frames.shape[2] % 2
            frames = np.pad(frames, [(0, 0), (0, odd_rows), (0, odd_columns), (0, 0)], mode="edge")
            process = process or _start_ffmpeg(temporary, frames.shape[1:3], fps, said)
            with suppress(BrokenPipeError):  # ffmpeg has ended, and has said why
                process.stdin.write(np.ascontiguousarray(frames).reshape(-1).data)

        try:
            yield append
        except BaseException:
            if process:
                process.kill()
                process.communicate()
            raise
        if process is None:
            raise ValueError(f"{path}: a video needs a frame")
        with suppress(BrokenPipeError):
            process.stdin.close()
        if process.wait():
            said.seek(0)
            message = said.read().decode(errors="replace").strip() or f"it ended with {process.returncode}"
            for number in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
                if os.strerror(number) in message:
                    raise OSError(number, os.strerror(number), str(path))
            raise RuntimeError(f"{path}: ffmpeg cannot write this video: {message.splitlines()[-1]}")


def _start_ffmpeg(path: Path, size: tuple[int, int], fps: float, said: IO) -> subprocess.Popen:
    """Start ffmpeg, which takes frames of `size` (height, width) from its standard input, and writes its errors to `said`."""
    # ffmpeg is called directly, because imageio_ffmpeg's writer does not report a full disk.
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[1]}x{size[0]}", "-r", str(Fraction(fps).limit_denominator())]
    encoded = ["-vcodec", "libx264", "-pix_fmt", "yuv420p", "-crf", "18", *COLOUR, *STREAMING]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", *raw, "-i", "-", *encoded, f"file:{path}"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said)


@cache
def check_encoder() -> None:
    """Raise a UserError where no videos can be written: FFmpeg is not there, or has no H.264."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            write_mp4(Path(folder, "test.mp4"), np.zeros([2, 16, 16, 3], np.uint8), 10)
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or str(error).splitlines()[-1]
        mend = "reinstall imageio-ffmpeg, which brings FFmpeg, or name a program in $IMAGEIO_FFMPEG_EXE"
        if tempfile.tempdir is None:  # none of the usual folders can be written
            mend = "name a folder for temporary files in $TMPDIR"
        elif getattr(error, "errno", None) in OF_FOLDERS and shutil.which(imageio_ffmpeg.get_ffmpeg_exe()):
            mend = f"make room in the folder of temporary files ({tempfile.tempdir}) and allow it, or name another in $TMPDIR"
        raise UserError(f"videos of the results cannot be written ({why}): {mend}") from error


def write_gif(path: str | Path, frames: np.ndarray, fps: float) -> None:
    """Write a GIF that loops for ever. Equal neighbouring frames are stored once, with a longer duration.

    Args:
        path: the `.gif` file; its folder is made if it is missing.
        frames: uint8 [T, H, W, 1 or 3], T >= 1.
        fps: frames per second, above 0. Durations are rounded to hundredths of a second; above 50 fps the GIF plays at 50.

    Raises:
        ValueError: another type or shape, or no frames.
    """
    frames = _checked(frames, fps)
    # All frames share one palette. Compared with one palette for each frame this takes a third of the time and makes the file
    # four times smaller, because areas without motion stay exactly equal.
    palette = _palette(np.concatenate(list(frames[:: max(1, len(frames) // 8), ::2, ::2])))
    pictures = [
        Image.fromarray(np.ascontiguousarray(frame)).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames
    ]
    duration = max(SHORTEST_GIF_FRAME, round(100 / fps) * 10)
    with replacing(path) as temporary:
        pictures[0].save(temporary, "GIF", save_all=True, append_images=pictures[1:], duration=duration, loop=0)


def _palette(samples: np.ndarray) -> Image.Image:
    """256 colours for pixels uint8 [H, W, 3]. A median cut counts pixels, and mixes the colours of small dots, such as
    keypoints: where it is far from some pixels, a quarter of the colours is theirs."""
    picture = Image.fromarray(samples)
    usual = picture.quantize(256, method=Image.Quantize.MEDIANCUT)
    if not (far := _far(usual, samples)).any():
        return usual
    common = picture.quantize(COMMON_COLOURS, method=Image.Quantize.MEDIANCUT)
    far |= _far(common, samples)
    rare = Image.fromarray(samples[far][None]).quantize(256 - COMMON_COLOURS, method=Image.Quantize.FASTOCTREE)
    both = Image.new("P", (1, 1))
    both.putpalette([*common.getpalette()[: 3 * COMMON_COLOURS], *rare.getpalette()])
    return both


def _far(picture: Image.Image, pixels: np.ndarray) -> np.ndarray:
    """Where a picture's colours are far from pixels uint8 [H, W, 3]: bool [H, W]."""
    return np.abs(np.asarray(picture.convert("RGB")).astype(int) - pixels).max(-1) > FAR_COLOUR


def side_by_side(columns: Sequence[tuple[str, np.ndarray]]) -> np.ndarray:
    """Join clips into one, as columns side by side, each with its title above. The columns are at least 160 pixels high.

    Args:
        columns: (title, uint8 [T, H, W, 1 or 3]) with the same T; other heights are scaled to the tallest.

    Returns:
        uint8 [T, H', W', 3].

    Raises:
        ValueError: no columns, clips of different lengths, or an array of another type or shape.
    """
    clips = [_checked(clip) for _, clip in columns]
    lengths = {title: len(clip) for (title, _), clip in zip(columns, clips, strict=True)}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"side_by_side needs clips of one length, not {lengths}")
    boxes = column_boxes(columns)
    titles = title_row([title for title, _ in columns], [width for _, _, width, _ in boxes])
    rows = (picture_row(frames, boxes[0][3]) for frames in zip(*clips, strict=True))
    return np.stack([np.concatenate([titles, row]) for row in rows])


def column_boxes(columns: Sequence[tuple[str, np.ndarray]]) -> list[tuple[int, int, int, int]]:
    """The box of each column in the result of `side_by_side`, without its title: (left, top, width, height) in pixels."""
    height = common_height([clip.shape[1:3] for _, clip in columns])
    boxes, left = [], 0
    for _, clip in columns:
        width = scaled_width(clip.shape[1], clip.shape[2], height)
        boxes.append((left, TITLE_HEIGHT, width, height))
        left += width + GAP
    return boxes


def read_mp4(path: str | Path) -> tuple[np.ndarray, float]:
    """Read a video that `write_mp4` wrote: uint8 [T, H, W, 3] and its frames per second.

    Raises:
        OSError: the file cannot be decoded.
    """
    reader = imageio_ffmpeg.read_frames(str(path))
    try:
        facts = next(reader)
        width, height = facts["size"]
        frames = [np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in reader]
        return np.stack(frames), facts["fps"]
    except (OSError, ValueError, StopIteration) as error:  # whose message is the whole log of ffmpeg
        raise OSError(f"{path}: this video cannot be decoded") from error
    finally:
        reader.close()


def _checked(frames: np.ndarray, fps: float = 1) -> np.ndarray:
    """The frames as uint8 [T, H, W, 3]. Raises ValueError for another type or shape, or an fps that is not above 0."""
    frames = to_rgb(frames)
    if frames.ndim != 4:
        raise ValueError(f"expected a clip [T, H, W, 1 or 3], not {list(frames.shape)}")
    if not fps > 0:
        raise ValueError(f"fps must be above 0, not {fps}")
    return frames
