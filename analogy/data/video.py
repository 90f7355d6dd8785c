"""Reading the frames of a video, from a video file or a folder of pictures; writing pictures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from analogy.data.decoding import Decoded, decode_file
from analogy.data.doubts import DARKEST
from analogy.data.pictures import PICTURES, read_picture
from analogy.errors import UserError

USUAL_RATE = 25.0  # frames per second, assumed where a file gives no rate
# The longest over the shortest time between frames, above which frames are unevenly spaced. Rounded times differ by less.
UNEVEN = 1.5
MOST_REPEATED = 4  # how many times as many frames even times may make, in a video with long pauses


class Video(NamedTuple):
    """A video as people see it.

    frames: uint8 RGB [H, W, 3], all of one size, upright, with square pixels; interlaced ones are de-interlaced.
    rate: frames per second. notes: what the user should know of the video.
    times: of each frame, in seconds, as the file gives them; where it does not, evenly spaced by `rate`.
    codec: how the frames are stored, such as "h264"; of a folder, the suffixes of its pictures, such as "png".
    """

    frames: list[np.ndarray]
    rate: float
    notes: list[str]
    times: list[float]
    codec: str


def read_video(path: Path, *, start: int = 0, count: int | None = None, even: bool = False) -> Video:
    """Read at most `count` frames from number `start` on (0 is the first); None reads all.

    even: where the frames are unevenly spaced in time, take those nearest to even times: some come twice, others never.

    Raises:
        UserError: the path is missing, is no video, or has no frame at `start`.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path}: there is no such file or folder")
    if start < 0 or (count is not None and count < 1):
        raise UserError(f"{path}: frames {start} to {start} + {count}: choose a start of 0 or more and at least one frame")
    is_picture = path.suffix.lower() in PICTURES and path.is_file()
    read = _read_one_picture if is_picture else _read_folder if path.is_dir() else _read_file
    frames, times, rate, codec, notes = read(path, start, count)
    if not frames:
        raise UserError(f"{path}: it has no frame number {start} that can be read")
    steps = np.diff(times)
    if len(steps) > 1 and steps.max() > UNEVEN * steps.min():
        apart = f"its frames are {1000 * steps.min():.0f} to {1000 * steps.max():.0f} ms apart"
        if even:
            frames, times, rate = _evenly(frames, times)
            notes.append(f"{apart}; the nearest to every {1000 / rate:.0f} ms are taken, which makes {len(frames)} frames")
        else:
            mend = "convert it to a constant frame rate where that matters"
            notes.append(f"{apart}, and are taken as if they were evenly spaced; {mend}")
    height, width = frames[0].shape[:2]
    if any(frame.shape != frames[0].shape for frame in frames):
        notes.append(f"its frames differ in size; all are brought to that of the first, {width} x {height}")
        frames = [cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in frames]
    if all(int(frame.max()) < DARKEST for frame in frames):
        notes.append("all its frames are black")
    elif len(frames) > 1 and all(np.array_equal(frame, frames[0]) for frame in frames[1:]):
        notes.append(f"all its {len(frames)} frames are equal")
    return Video(frames, rate, notes, times, codec)


def _read_file(path: Path, start: int, count: int | None) -> Decoded:
    decoded = decode_file(path, start, count)
    rate, times, notes = decoded.rate, decoded.times, decoded.notes
    if not 1.0 <= rate <= 1000.0:  # missing, or the rate of a clock instead of the frames
        notes.append(f"it does not say its frames per second; {USUAL_RATE:g} are assumed")
        rate = USUAL_RATE
    if any(time is None for time in times) or any(np.diff(times) <= 0):
        times = [(start + number) / rate for number in range(len(times))]
    return decoded._replace(rate=rate, times=times)


def _evenly(frames: list[np.ndarray], times: list[float]) -> tuple[list[np.ndarray], list[float], float]:
    """The frames that are nearest to even times, as far apart as most neighbours are; those times; and their rate."""
    step = max(float(np.median(np.diff(times))), (times[-1] - times[0]) / (MOST_REPEATED * len(frames)))
    even = np.arange(times[0], times[-1] + step / 2, step)
    after = np.clip(np.searchsorted(times, even), 1, len(times) - 1)
    before_is_nearer = even - np.take(times, after - 1) <= np.take(times, after) - even
    return [frames[number] for number in after - before_is_nearer], even.tolist(), 1 / step


def _read_folder(path: Path, start: int, count: int | None) -> Decoded:
    files = sorted((file for file in path.iterdir() if file.suffix.lower() in PICTURES), key=_natural)
    if not files:
        raise UserError(f"{path}: there are no pictures in this folder ({', '.join(PICTURES)})")
    selected = files[start:] if count is None else files[start : start + count]
    times = [(start + number) / USUAL_RATE for number in range(len(selected))]
    kinds = sorted({file.suffix.lower().removeprefix(".") for file in selected})
    return Decoded([read_picture(file) for file in selected], times, USUAL_RATE, ", ".join(kinds), [])


def _read_one_picture(path: Path, start: int, count: int | None) -> Decoded:
    del count
    return Decoded([read_picture(path)] * (start == 0), [0.0] * (start == 0), USUAL_RATE, path.suffix.lower()[1:], [])


def _natural(path: Path) -> list:
    """A sort key that puts frame2 before frame10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", path.name)]


def write_pictures(folder: Path, frames: np.ndarray) -> None:
    """Write frames uint8 RGB [T, H, W, 3] as 000001.png, 000002.png, ... into a new folder. Raises UserError."""
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames, start=1):
        file = folder / f"{number:06d}.png"
        if not cv2.imwrite(str(file), cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2BGR)):
            raise UserError(f"{file}: cannot be written; is the disk full?")
