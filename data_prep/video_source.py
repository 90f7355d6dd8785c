"""Helpers for sources of the frame store whose clips are video files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from analogy.data.doubts import count_black, doubts_about, fingerprint
from analogy.data.movies import MovieDataset, chosen_movies, long_enough, spread_windows
from analogy.data.pictures import is_animation
from analogy.data.prepared import Clip, FrameFormat, PreparedClips
from analogy.data.video import read_video
from analogy.data.windows import StoredMovie, WindowPlan
from analogy.errors import UserError
from analogy.files.names import PICTURES
from data_prep.frame_store.builder import encode_frame
from data_prep.frame_store.source import Checked, Problem

BAD_VIDEO = "unreadable video"
# A frame repeats the one before where its values, 0..255, differ from it by less than this in the mean. Videos that were
# brought from a lower frame rate to a higher one have such frames, which differ by the loss of the codec alone.
REPEAT = 0.5
MEASURED = 16  # of so many frames, one is encoded to know how many bytes they take


def fit_frame(frame: np.ndarray, size: int | tuple[int, int], fit: str) -> np.ndarray:
    """Bring a frame uint8 [H, W, C] to a size without aliasing (OpenCV's INTER_AREA): uint8 [height, width, C].

    size: (height, width), or the side of a square, in pixels.
    fit: "squeeze" changes the aspect ratio; "crop" keeps the largest part around the centre with the ratio of `size`;
        "letterbox" keeps the whole frame, between black borders; "cover" keeps the whole frame and its ratio, so that one side
        may come out longer than in `size`.
    """
    (height, width), (from_height, from_width) = _sides(size), frame.shape[:2]
    if fit == "crop":
        part = min(from_height / height, from_width / width)
        rows, columns = max(1, round(height * part)), max(1, round(width * part))
        top, left = (from_height - rows) // 2, (from_width - columns) // 2
        frame = frame[top : top + rows, left : left + columns]
    if fit == "cover":
        scale = max(height / from_height, width / from_width)
        height, width = max(height, round(from_height * scale)), max(width, round(from_width * scale))
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


@dataclass(frozen=True)
class VideoFiles:
    """The base of sources of the frame store whose items are video files, and which store small frames.

    A subclass has `dataset`, with which the prepared folder's name begins, `layout`, `format`, `items` and `describe`.

    folder: of the dataset. size: (height, width) of the stored frames, or the side, in pixels. fit: see `fit_frame`.
    """

    folder: Path
    size: int | tuple[int, int]
    fit: str = "squeeze"

    @property
    def name(self) -> str:
        """For example kth-64, kth-64x96, kth-64x96-crop."""
        height, width = _sides(self.size)
        sides = f"{height}" if height == width else f"{height}x{width}"
        return "-".join([self.dataset, sides, *([self.fit] if self.fit != "squeeze" else [])])

    def describe(self, item: str) -> Clip:
        """What the item's name says about its clip; length, height, width and frame rate are not known yet."""
        raise NotImplementedError

    def check(self, item: str) -> Checked:
        """See `Source.check`: the video is decoded whole."""
        file, clip = self.folder / item, self.describe(item)
        try:
            video = read_video(file, even=True, transform=self._small)
        except (UserError, PermissionError) as error:
            denied = isinstance(error, PermissionError)
            detail = f"{error.filename}: may not be read; allow it" if denied else error.without(file)
            return Checked(item, problems=(Problem(clip.id, BAD_VIDEO, item, detail),))
        described = replace(clip, fps=video.rate if _says_times(file) else 0.0, notes="; ".join(video.notes))
        return check_frames(item, [(described, video.frames)], self.format)

    def read(self, item: str) -> Iterator[dict]:
        """See `Source.read`."""
        for frame in read_video(self.folder / item, even=True, transform=self._small).frames:
            yield {"image": frame}

    def _small(self, frame: np.ndarray) -> np.ndarray:
        """uint8 RGB [H, W, 3] -> the frame to store. One channel is stored where the frames are grey, with equal channels."""
        return fit_frame(frame[..., : self.format.channels], self.size, self.fit)


def _says_times(file: Path) -> bool:
    """Whether a video says when its frames are shown. Folders of pictures, strips and pages of a TIFF file do not."""
    suffix = file.suffix.lower()
    animated = suffix in PICTURES and suffix not in (".tif", ".tiff") and is_animation(file)
    return file.is_file() and (suffix not in PICTURES or animated)


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
        described.append(replace(clip, **size, fingerprint=look, black_frames=black, repeats=near_repeats(frames)))
    image_bytes = sum(_stored_bytes(frames, stored) for _, frames in clips)
    return Checked(item, tuple(described), image_bytes)


def near_repeats(frames: Sequence[np.ndarray]) -> tuple[int, ...]:
    """The numbers of the frames, from 0 on, that nearly equal the one before: see REPEAT. frames: uint8 [H, W, C] each."""
    neighbours = enumerate(pairwise(frames), start=1)
    return tuple(number for number, (before, frame) in neighbours if cv2.absdiff(frame, before).mean() < REPEAT)


def _stored_bytes(frames: Sequence[np.ndarray], stored: FrameFormat) -> int:
    """About how many bytes these frames take. Some are encoded, and stand for the others."""
    if stored.encoding == "raw":
        return sum(frame.nbytes for frame in frames)
    return MEASURED * sum(len(encode_frame(frame, stored)) for frame in frames[::MEASURED])


def whole_clips_dataset(
    prepared: PreparedClips,
    train: Sequence[Clip],
    test: Sequence[Clip],
    settings,
    *,
    source: Path,
    doubts: Sequence[str],
    notes: Sequence[str],
    classes: Sequence[str],
) -> MovieDataset:
    """A dataset of whole videos, cut into windows as the settings say.

    Training windows come from a share of the training clips; test windows are spread over all test clips.

    Args:
        train, test: the clips of each half.
        settings: with `data` (a MovieDataSettings) and seed.
        source: the folder of the raw dataset, for messages.
        doubts, notes, classes: see `MovieDataset`.

    Raises:
        UserError: no clip of a half is long enough.
    """
    data, plan = settings.data, WindowPlan.from_settings(settings.data)
    halves, doubts, notes = {}, [*doubts], [*notes]
    for half, clips in (("trains", train), ("tests", test)):
        movies = [StoredMovie(clip.id, prepared, clip, range(clip.length)) for clip in clips]
        halves[half], left_out = long_enough(movies, plan)
        doubts += left_out
        if not halves[half]:
            why = "; ".join([*left_out, *prepared.doubts]) or f"none of its {len(prepared.clips)} usable videos does"
            raise UserError(f"{source}: no video {half}: {why}")
    used = chosen_movies(halves["trains"], data, settings.seed)
    test_plan = replace(plan, stride=data.test_stride or data.stride)
    windows = spread_windows(halves["tests"], test_plan, data.test_count, settings.seed)
    doubts += doubts_about([clip.inspection for clip in train], [clip.inspection for clip in test], user_selection=True)
    how = {"squeeze": "squeezed", "crop": "cropped", "letterbox": "letterboxed"}[data.fit]
    notes.append(f"frames {how} to {data.size[0]} x {data.size[1]} (height x width) without aliasing")
    if data.fps:
        notes.append(f"{data.fps:g} frames per second")
    if len(used) < len(halves["trains"]):
        notes.append(f"{len(used)} of {len(halves['trains'])} training videos used")
    repeated, successive = sum(len(clip.repeats) for clip in (*train, *test)), sum(clip.length - 1 for clip in (*train, *test))
    left_out = ", windows with them left out" if data.leave_out_repeats else ""
    notes.append(f"{repeated} of {successive} successive stored frames nearly equal the one before{left_out}")
    return MovieDataset(
        data.dataset, used, windows, plan=plan, seed=settings.seed, doubts=doubts, notes="; ".join(notes), classes=classes
    )
