"""Helpers for sources of the frame store whose clips are video files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from analogy.data.doubts import count_black, fingerprint
from analogy.data.prepared import Clip, FrameFormat
from analogy.data.video import Video, read_video
from analogy.errors import UserError
from data_prep.frame_store.builder import encode_frame
from data_prep.frame_store.source import Checked, Problem

BAD_VIDEO = "unreadable video"
Transform = Callable[[np.ndarray], np.ndarray]


def stored_name(dataset: str, size: int | tuple[int, int], fit: str) -> str:
    """The name of a prepared dataset whose frames are stored in one size: kth-64, kth-64x96, kth-64x96-crop."""
    height, width = _sides(size)
    return "-".join([dataset, f"{height}" if height == width else f"{height}x{width}", *([fit] if fit != "squeeze" else [])])


def fit_frame(frame: np.ndarray, size: int | tuple[int, int], fit: str) -> np.ndarray:
    """Bring a frame uint8 [H, W, C] to a size without aliasing (OpenCV's INTER_AREA): uint8 [height, width, C].

    size: (height, width), or the side of a square, in pixels.
    fit: "squeeze" changes the aspect ratio; "crop" keeps the largest part around the centre with the ratio of `size`;
        "letterbox" keeps the whole frame, between black borders.
    """
    (height, width), (from_height, from_width) = _sides(size), frame.shape[:2]
    if fit == "crop":
        part = min(from_height / height, from_width / width)
        rows, columns = max(1, round(height * part)), max(1, round(width * part))
        top, left = (from_height - rows) // 2, (from_width - columns) // 2
        frame = frame[top : top + rows, left : left + columns]
    inner = height, width
    if fit == "letterbox":
        scale = min(height / from_height, width / from_width)
        inner = max(1, round(from_height * scale)), max(1, round(from_width * scale))
    small = cv2.resize(frame, inner[::-1], interpolation=cv2.INTER_AREA).reshape(*inner, -1)
    if inner == (height, width):
        return small
    boxed = np.zeros([height, width, small.shape[-1]], np.uint8)
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    boxed[top : top + inner[0], left : left + inner[1]] = small
    return boxed


def _sides(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def check_video(item: str, file: Path, folder: Path, clip: Clip, transform: Transform, stored: FrameFormat) -> Checked:
    """Check a video file by decoding it whole.

    Args:
        item: the name of the source's item.
        file: the video.
        folder: of the dataset.
        clip: what the file's name says about the clip. Length, height, width and frame rate are filled in here.
        transform: uint8 RGB [H, W, 3] -> the frame to store, uint8 [H, W, C].
        stored: how frames are encoded.

    Returns:
        The clip's description, or the reason why it cannot be used.
    """
    try:
        video = read_video(file)
    except UserError as error:
        detail = str(error).removeprefix(f"{file}: ")
        return Checked(item, problems=(Problem(clip.id, BAD_VIDEO, str(file.relative_to(folder)), detail),))
    return check_frames(
        item, [(replace(clip, fps=video.rate, notes="; ".join(video.notes)), transformed(video, transform))], stored
    )


def read_frames(file: Path, transform: Transform) -> Iterator[dict]:
    """The frames of a video file that passed its check, as `Source.read` yields them."""
    for frame in transformed(read_video(file), transform):
        yield {"image": frame}


def transformed(video: Video, transform: Transform) -> list[np.ndarray]:
    """The frames to store, uint8 [H, W, C] each."""
    return [transform(frame) for frame in video.frames]


def check_frames(item: str, clips: Sequence[tuple[Clip, Sequence[np.ndarray]]], stored: FrameFormat) -> Checked:
    """The outcome for an item whose frames have all been decoded.

    clips: each clip with its frames, uint8 [H, W, C]. Length, size and fingerprint of the clips are filled in here.
    """
    described = []
    for clip, frames in clips:
        height, width = frames[0].shape[:2]
        look = fingerprint(np.ascontiguousarray(frame).tobytes() for frame in frames)
        black = sum(count_black(frame[None]) for frame in frames)
        size = {"length": len(frames), "height": height, "width": width}
        described.append(replace(clip, **size, fingerprint=look, black_frames=black))
    image_bytes = sum(_stored_bytes(frame, stored) for _, frames in clips for frame in frames)
    return Checked(item, tuple(described), image_bytes)


def _stored_bytes(frame: np.ndarray, stored: FrameFormat) -> int:
    return frame.nbytes if stored.encoding == "raw" else len(encode_frame(frame, stored))
