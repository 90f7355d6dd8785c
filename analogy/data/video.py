"""Reading the frames of a video, from a video file or a folder of pictures; writing pictures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from analogy.errors import UserError

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
USUAL_RATE = 25.0  # frames per second, assumed where a file gives no rate
# The longest over the shortest time between frames, above which frames are unevenly spaced. Rounded times differ by less.
UNEVEN = 1.5


class Video(NamedTuple):
    """frames: uint8 RGB [H, W, 3], all of one size. rate: frames per second. notes: what the user should know of the video."""

    frames: list[np.ndarray]
    rate: float
    notes: list[str]


def read_video(path: Path, *, start: int = 0, count: int | None = None) -> Video:
    """Read at most `count` frames from number `start` on (0 is the first); None reads all.

    Raises:
        UserError: the path is missing, is no video, or has no frame at `start`.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path}: there is no such file or folder")
    if start < 0 or (count is not None and count < 1):
        raise UserError(f"{path}: frames {start} to {start} + {count}: choose a start of 0 or more and at least one frame")
    frames, rate, notes = (_read_folder if path.is_dir() else _read_file)(path, start, count)
    if not frames:
        raise UserError(f"{path}: it has no frame number {start} that can be read")
    height, width = frames[0].shape[:2]
    if any(frame.shape != frames[0].shape for frame in frames):
        notes.append(f"its frames differ in size; all are brought to that of the first, {width} x {height}")
        frames = [cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in frames]
    return Video(frames, rate, notes)


def _read_file(path: Path, start: int, count: int | None) -> tuple[list[np.ndarray], float, list[str]]:
    capture = cv2.VideoCapture(str(path))
    try:
        if not capture.isOpened():
            raise UserError(
                f"{path}: this is not a video that OpenCV can read; convert it to MP4, or give a folder of its frames"
            )
        rate, promised = capture.get(cv2.CAP_PROP_FPS), int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        frames, times, notes = [], [], []
        for _ in range(start):  # seeking is not exact in every container
            if not capture.grab():
                break
        while count is None or len(frames) < count:
            fine, frame = capture.read()
            if not fine:
                break
            frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
            times.append(capture.get(cv2.CAP_PROP_POS_MSEC))
    finally:
        capture.release()
    expected = promised - start if count is None else min(count, promised - start)
    if len(frames) < expected:
        notes.append(f"of {promised} frames, those from number {start + len(frames)} on cannot be read")
    steps = np.diff(times)
    if len(steps) > 1 and steps.max() > UNEVEN * steps.min() > 0:
        notes.append(
            f"its frames are {steps.min():.0f} to {steps.max():.0f} ms apart, and are taken as if they were evenly spaced; "
            "convert it to a constant frame rate where that matters"
        )
    if not 1.0 <= rate <= 1000.0:  # missing (0 or NaN), or the rate of a clock instead of the frames
        notes.append(f"it does not say its frames per second; {USUAL_RATE:g} are assumed")
        rate = USUAL_RATE
    return frames, rate, notes


def _read_folder(path: Path, start: int, count: int | None) -> tuple[list[np.ndarray], float, list[str]]:
    files = sorted((file for file in path.iterdir() if file.suffix.lower() in PICTURES), key=_natural)
    if not files:
        raise UserError(f"{path}: there are no pictures in this folder ({', '.join(PICTURES)})")
    selected = files[start:] if count is None else files[start : start + count]
    frames = []
    for file in selected:
        frame = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR) if file.stat().st_size else None
        if frame is None:
            raise UserError(f"{file}: this picture cannot be read; replace it or take it out of the folder")
        frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    return frames, USUAL_RATE, []


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
