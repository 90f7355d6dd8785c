"""Moving pictures of a prediction: MP4 and GIF files, and columns of clips side by side."""

import errno
import os
import subprocess
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from PIL import Image

from analogy.files import replacing
from analogy.visualise.canvas import GAP, TITLE_HEIGHT, common_height, picture_row, scaled_width, title_row, to_rgb

# ffmpeg would convert with one colour matrix and leave the player to guess it; say it, so that colours stay true.
COLOUR = ["-vf", "scale=out_color_matrix=bt709:out_range=tv", "-colorspace", "bt709", "-color_primaries", "bt709"]
COLOUR += ["-color_trc", "bt709", "-color_range", "tv"]
# The index goes to the front of the file, so that a browser starts before it has read the end.
STREAMING = ["-movflags", "+faststart"]
SHORTEST_GIF_FRAME = 20  # milliseconds; browsers slow anything faster down to 100


def write_mp4(path: str | Path, frames: np.ndarray, fps: float) -> None:
    """Write H.264 in yuv420p, which every browser plays.

    Args:
        path: the `.mp4` file; its folder is made if it is missing.
        frames: uint8 [T, H, W, 1 or 3], T >= 1. Odd sizes grow by one repeated row or column, for the codec.
        fps: frames per second, above 0.

    Raises:
        ValueError: another type or shape, or no frames.
        OSError: the disk is full or damaged. RuntimeError: ffmpeg fails.
    """
    frames = _checked(frames, fps)
    odd_rows, odd_columns = frames.shape[1] % 2, frames.shape[2] % 2
    frames = np.pad(frames, [(0, 0), (0, odd_rows), (0, odd_columns), (0, 0)], mode="edge")
    height, width = frames.shape[1:3]
    with replacing(path) as temporary:
        # By ffmpeg itself: imageio_ffmpeg's writer does not say when the disk is full.
        raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(Fraction(fps).limit_denominator())]
        encoded = ["-vcodec", "libx264", "-pix_fmt", "yuv420p", "-crf", "18", *COLOUR, *STREAMING]
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", *raw, "-i", "-", *encoded, f"file:{temporary}"]
        done = subprocess.run(command, input=np.ascontiguousarray(frames).reshape(-1).data, capture_output=True)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip() or f"it ended with {done.returncode}"
            for number in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
                if os.strerror(number) in said:
                    raise OSError(number, os.strerror(number), str(path))
            raise RuntimeError(f"{path}: ffmpeg cannot write this video: {said.splitlines()[-1]}")


def write_gif(path: str | Path, frames: np.ndarray, fps: float) -> None:
    """Write a GIF that loops for ever; equal neighbouring frames become one frame shown for longer.

    Args:
        path: the `.gif` file; its folder is made if it is missing.
        frames: uint8 [T, H, W, 1 or 3], T >= 1.
        fps: frames per second, above 0; the format counts in hundredths of a second and browsers stop at 50.

    Raises:
        ValueError: another type or shape, or no frames.
    """
    frames = _checked(frames, fps)
    # One palette for all: a third of the time of one each, and a quarter of the file, since what stands still stays equal.
    some = frames[:: max(1, len(frames) // 8), ::2, ::2]
    palette = Image.fromarray(np.concatenate(list(some))).quantize(256, method=Image.Quantize.MEDIANCUT)
    pictures = [
        Image.fromarray(np.ascontiguousarray(frame)).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames
    ]
    duration = max(SHORTEST_GIF_FRAME, round(100 / fps) * 10)
    with replacing(path) as temporary:
        pictures[0].save(temporary, "GIF", save_all=True, append_images=pictures[1:], duration=duration, loop=0)


def side_by_side(columns: Sequence[tuple[str, np.ndarray]]) -> np.ndarray:
    """Clips in columns, at least 160 pixels high, each under its title: truth, pose, prediction, difference.

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
    """Where `side_by_side` puts each column's pictures: (left, top, width, height) in pixels of its result."""
    height = common_height([clip.shape[1] for _, clip in columns])
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
    except (OSError, ValueError, StopIteration) as error:  # the reader's own message is the whole log of ffmpeg
        raise OSError(f"{path}: this video cannot be decoded") from error
    finally:
        reader.close()


def _checked(frames: np.ndarray, fps: float = 1) -> np.ndarray:
    frames = to_rgb(frames)
    if frames.ndim != 4:
        raise ValueError(f"expected a clip [T, H, W, 1 or 3], not {list(frames.shape)}")
    if not fps > 0:
        raise ValueError(f"fps must be above 0, not {fps}")
    return frames
