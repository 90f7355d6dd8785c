"""Reading the frames of a video, from a video file, an animation or a folder of pictures; writing pictures."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from analogy.data.decoding import Decoded, decode_file, stream_file
from analogy.data.doubts import DARKEST, some
from analogy.data.pictures import frames_in_strip, is_animation, picture_size, read_animation, read_picture
from analogy.errors import UserError
from analogy.files.listing import files_below
from analogy.files.names import NAMED_PICTURES, PICTURES, PREDICTIONS, UNREAD_PICTURES, VIDEOS, by_number, last_number, visible
from analogy.files.reading import check_regular
from analogy.one_line import counted
from analogy.ownership import unused_folder

USUAL_RATE = 25.0  # frames per second, assumed where a file gives no rate
# The longest over the shortest time between frames, above which frames are unevenly spaced. Rounded times differ by less.
UNEVEN = 1.5
MOST_FRAMES = 2**31
MOST_REPEATED = 4  # how many times as many frames even times may make, in a video with long pauses


class Video(NamedTuple):
    """A video as people see it.

    frames: uint8 RGB [H, W, 3], all of one size, upright, with square pixels; interlaced ones are de-interlaced. Or what a
        transform made of them.
    rate: frames per second. notes: what the user should know of the video.
    times: of each frame, in seconds, as the file gives them; where it does not, evenly spaced by `rate`.
    codec: how the frames are stored, such as "h264"; of a folder, the suffixes of its pictures, such as "png".
    """

    frames: list[np.ndarray]
    rate: float
    notes: list[str]
    times: list[float]
    codec: str


def read_video(
    path: Path,
    *,
    start: int = 0,
    count: int | None = None,
    even: bool = False,
    transform: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Video:
    """Read at most `count` frames from number `start` on (0 is the first); None reads all.

    even: where the frames are unevenly spaced in time, take those nearest to even times: some come twice, others never.
    transform: what to keep of a frame uint8 RGB [H, W, 3], such as a smaller one. It is called as soon as a frame is decoded,
        so that a long video of large frames needs no more memory than what is kept of it.

    Raises:
        UserError: the path is missing, is no video, or has no frame at `start`.
    """
    path = Path(path)
    _check_readable(path)
    if not 0 <= start < MOST_FRAMES or (count is not None and not 1 <= count < MOST_FRAMES):
        raise UserError(
            f"{path}: frames {start} to {start} + {count}: choose a start of 0 or more and at least one frame, fewer than 2^31"
        )
    is_picture = path.suffix.lower() in NAMED_PICTURES and path.is_file()
    read = _read_pictures if is_picture else _read_folder if path.is_dir() else _read_file
    keep = _Keeper(transform)
    frames, times, rate, codec, notes = read(path, start, count, keep)
    if not frames:
        mend = "choose a smaller start, or " if start else ""
        raise UserError(
            f"{path}: it has no frame number {start} that can be read; {mend}copy it anew if it is cut off or damaged"
        )
    steps = np.diff(times)
    if len(steps) > 1 and steps.max() > UNEVEN * steps.min():
        apart = f"its frames are {1000 * steps.min():.0f} to {1000 * steps.max():.0f} ms apart"
        if even:
            frames, times, rate = _evenly(frames, times)
            notes.append(f"{apart}; the nearest to every {1000 / rate:.0f} ms are taken, which makes {len(frames)} frames")
        else:
            mend = "convert it to a constant frame rate where that matters"
            notes.append(f"{apart}, and are taken as if they were evenly spaced; {mend}")
    return Video(frames, rate, notes + keep.notes(frames), times, codec)


def _check_readable(path: Path) -> None:
    """Raise a UserError for what is neither a folder nor a file, or may not be read."""
    if not path.exists():
        raise UserError(f"{path}: there is no such file or folder")
    if not os.access(path, os.R_OK):
        raise UserError(f"{path}: this may not be read; allow it")
    if not path.is_dir():
        try:
            check_regular(path, largest=None)
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}; name a video, or a folder of its frames") from error


def stream_video(path: Path) -> Iterator[np.ndarray]:
    """The frames that `read_video` has read of the whole of this path, one by one: no more than one is held.

    Raises as `read_video`, which checks what is unusual in a video, and says it.
    """
    if path.is_dir():
        frames = map(read_picture, _pictures_of(path))
    elif path.suffix.lower() in NAMED_PICTURES:
        frames = (frame for frame, _ in _pictures_in(path))
    else:
        frames = stream_file(path)
    return map(_Keeper(None), frames)


class _Keeper:
    """Looks at the frames of a video as they come, brings them to the size of the first, and keeps what `transform` makes."""

    def __init__(self, transform: Callable[[np.ndarray], np.ndarray] | None):
        self._transform = transform
        self._first: np.ndarray | None = None
        self._resized, self._black, self._equal = False, True, True

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        first = self._first = frame if self._first is None else self._first
        if frame.shape != first.shape:
            self._resized = True
            frame = cv2.resize(frame, first.shape[1::-1], interpolation=cv2.INTER_AREA)
        self._black = self._black and int(frame.max()) < DARKEST
        self._equal = self._equal and (frame is first or np.array_equal(frame, first))
        return self._transform(frame) if self._transform else frame

    def notes(self, kept: list[np.ndarray]) -> list[str]:
        """What the user should know of the frames. kept: what was kept of them."""
        notes, (height, width), (rows, columns) = [], self._first.shape[:2], kept[0].shape[:2]
        if self._resized:
            notes.append(f"its frames differ in size; all are brought to that of the first, {width} x {height}")
        if height < rows and width < columns:
            notes.append(f"its frames of {width} x {height} pixels are enlarged to {columns} x {rows}")
        if self._black:
            notes.append("all its frames are black")
        elif len(kept) > 1 and self._equal:
            notes.append(f"all its {len(kept)} frames are equal")
        return notes


def _read_file(path: Path, start: int, count: int | None, keep: _Keeper) -> Decoded:
    decoded = decode_file(path, start, count, keep)
    rate, times, notes = decoded.rate, decoded.times, decoded.notes
    timed = not any(time is None for time in times) and all(np.diff(times) > 0)
    if not 1.0 <= rate <= 1000.0 and timed and len(times) > 1:  # missing, or the rate of a clock instead of the frames
        rate = 1 / float(np.median(np.diff(times)))
    if not 1.0 <= rate <= 1000.0:
        said = f"says {rate:,.6g} frames per second, which is not believed" if rate else "does not say its frames per second"
        notes.append(f"it {said}; {USUAL_RATE:g} are assumed")
        rate = USUAL_RATE
    if not timed:
        times = [(start + number) / rate for number in range(len(times))]
    return decoded._replace(rate=rate, times=times)


def _evenly(frames: list[np.ndarray], times: list[float]) -> tuple[list[np.ndarray], list[float], float]:
    """The frames that are nearest to even times, as far apart as neighbours usually are; those times; and their rate."""
    # Of neighbours but one: a clock that is read too early and too late in turn puts no two neighbours the right time apart.
    usual = float(np.median(np.subtract(times[2:], times[:-2]))) / 2
    step = max(usual, (times[-1] - times[0]) / (MOST_REPEATED * len(frames)))
    even = np.arange(times[0], times[-1] + step / 2, step)
    after = np.clip(np.searchsorted(times, even), 1, len(times) - 1)
    before_is_nearer = even - np.take(times, after - 1) <= np.take(times, after) - even
    return [frames[number] for number in after - before_is_nearer], even.tolist(), 1 / step


def _read_folder(path: Path, start: int, count: int | None, keep: _Keeper) -> Decoded:
    files = _pictures_of(path)
    selected = files[start:] if count is None else files[start : start + count]
    times = [(start + number) / USUAL_RATE for number in range(len(selected))]
    kinds = sorted({file.suffix.lower().removeprefix(".") for file in selected})
    frames = [keep(read_picture(file)) for file in selected]
    animations = [file.name for file in selected if is_animation(file)]
    notes = [f"{len(animations)} of its pictures are animations, of which the first frame is read: {some(animations)}"]
    notes = notes if animations else []
    if videos := _files_in(path, VIDEOS):
        others = f"{len(videos)} videos too, which are" if len(videos) > 1 else "a video too, which is"
        notes.append(f"it holds {others} not read; its pictures are taken for the frames of one video")
    numbers = [last_number(file) for file in selected]
    steps = [] if None in numbers else [after - before for before, after in pairwise(numbers)]
    if len(set(steps)) > 1 and min(steps) > 0:
        odd = steps.index(max(steps))
        gap = f"{selected[odd].name} is followed by {selected[odd + 1].name}"
        notes.append(
            f"the numbers of its pictures have gaps ({gap}); if pictures are missing, their neighbours are taken for them"
        )
    if len(kinds) > 1 and (twice := [name for name, count in Counter(file.stem for file in selected).items() if count > 1]):
        notes.append(f"it holds {len(twice)} pictures in several formats ({' and '.join(kinds)}), each of which is a frame")
    return Decoded(frames, times, USUAL_RATE, ", ".join(kinds), notes)


def _pictures_of(folder: Path) -> list[Path]:
    """The pictures of a folder that is a video, in the order of their numbers. Raises UserError where there are none."""
    files = sorted(_files_in(folder, PICTURES), key=by_number)
    if not files:
        if videos := _files_in(folder, VIDEOS):
            raise UserError(f"{folder}: this folder holds videos and no pictures: name one of them, such as {videos[0].name}")
        raise UserError(f"{folder}: there are no pictures in this folder ({', '.join(PICTURES)})")
    return files


def _files_in(folder: Path, suffixes: Collection[str]) -> list[Path]:
    return [path for path in visible(folder.iterdir()) if path.suffix.lower() in suffixes and not path.is_dir()]


def _pictures_in(path: Path) -> Iterator[tuple[np.ndarray, float]]:
    """The frames of one file of pictures, and for how many seconds each is shown (0: unknown): of an animation, a strip of
    frames (`frames_in_strip`), or a single picture."""
    if is_animation(path):
        return read_animation(path)
    picture = read_picture(path)
    frames = np.split(picture, frames_in_strip(*picture.shape[:2]), axis=1)
    return ((np.ascontiguousarray(frame), 0.0) for frame in frames)


def _read_pictures(path: Path, start: int, count: int | None, keep: _Keeper) -> Decoded:
    selected = islice(_pictures_in(path), start, None if count is None else start + count)
    shown = [(keep(frame), seconds or 1 / USUAL_RATE) for frame, seconds in selected]
    seconds = [duration for _, duration in shown]
    times = (start / USUAL_RATE + np.cumsum([0.0, *seconds[:-1]])).tolist()[: len(shown)]
    rate = 1 / float(np.median(seconds)) if len(shown) > 1 else USUAL_RATE
    return Decoded([frame for frame, _ in shown], times, rate, path.suffix.lower().removeprefix("."), [])


def check_video(path: Path) -> None:
    """Raise a UserError where there is no such video or picture, or one of a kind that is not read. Nothing is read."""
    if not path.exists():
        raise UserError(f"{path}: there is no such video or picture; name a video file, a folder of pictures, or a picture")
    if (kind := path.suffix.lower()) in UNREAD_PICTURES and not path.is_dir():
        raise UserError(f"{path}: pictures of this kind ({kind}) are not read; save it as JPEG or PNG")


def too_short(source: Path | str, frames: int, start: int, observed: int, apart: str = "") -> str:
    """A message about a video that has only so many frames from number `start` on. apart: words behind the observed ones."""
    found = f"{source}: it has {counted(frames, 'frame')} from number {start} on, and {observed} are observed{apart}"
    if frames == 1 and not start:
        return f"{found}: give a longer video; to predict from one picture, name it, as .png or .jpg, with --action"
    return f"{found}: give a longer video{', or a smaller --start' * (start > 0)}"


def sole_picture(path: Path) -> Path:
    """The picture of a folder that holds one alone and no video; any other path unchanged."""
    if not (path.is_dir() and os.access(path, os.R_OK)):
        return path
    files = _files_in(path, {*PICTURES, *VIDEOS})
    return files[0] if len(files) == 1 and is_single_picture(files[0]) else path


def is_single_picture(path: Path) -> bool:
    """Whether a file is a picture of one frame, a GIF of one too: neither an animation nor a strip of frames."""
    return path.suffix.lower() in (*NAMED_PICTURES, ".gif") and not is_animation(path) and not _is_strip(path)


def prediction_folder(results: Path, source: str, start: int = 0) -> Path:
    """A new folder for what is predicted of a video from frame number `start` on. For a folder of pictures its name contains
    the parent's name too, because many are named "frames"."""
    path = Path(source).resolve() if Path(source).exists() else Path(source)
    name = f"{path.parent.name}_{path.name}" if path.is_dir() else path.stem
    return unused_folder(results / PREDICTIONS / (f"{name}_from_{start}" if start else name))


def videos_below(folder: Path, *, predictions: bool = False) -> dict[str, list[Path]]:
    """The videos below a folder: path relative to it -> the video file, or the pictures of a folder of pictures. predictions:
    see `files_below`.

    An animated WebP or AVIF file is a video. Where the first picture of a folder is a strip of frames (`frames_in_strip`), each
    of its pictures is a video. In a folder that has videos below it only strips are: its other pictures are none.
    """
    found: dict[str, list[Path]] = {}
    for path in files_below(folder, predictions=predictions):
        suffix = path.suffix.lower()
        if suffix in VIDEOS or (suffix in (".webp", ".avif") and is_animation(path)):
            found[str(path.relative_to(folder))] = [path]
        elif suffix in PICTURES:
            found.setdefault(str(path.parent.relative_to(folder)), []).append(path)
    above = {str(parent) for item in found for parent in Path(item).parents if item != "."}
    for item, pictures in list(found.items()):
        if item in above:
            strips = [path for path in pictures if _is_strip(path)]
        elif _is_strip(pictures[0]):
            strips = pictures
        else:
            continue
        del found[item]
        found |= {str(path.relative_to(folder)): [path] for path in strips}
    return dict(sorted(found.items()))


def _is_strip(path: Path) -> bool:
    size = picture_size(path) if path.suffix.lower() in NAMED_PICTURES else None
    return size is not None and frames_in_strip(*size) > 1


def write_pictures(folder: Path, frames: np.ndarray) -> None:
    """Write frames uint8 RGB [T, H, W, 3] as 000001.png, 000002.png, ... into a new folder. Raises UserError."""
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames, start=1):
        file = folder / f"{number:06d}.png"
        if not cv2.imwrite(str(file), cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2BGR)):
            raise UserError(f"{file}: cannot be written; is the disk full?")
