"""Evaluation of predicted videos from files, whatever produced them, against the true videos."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from analogy.data.doubts import some
from analogy.data.video import read_video, stream_video, videos_below
from analogy.errors import UserError
from analogy.files.listing import files_below
from analogy.files.names import VIDEOS, distinct_name
from analogy.files.paths import no_folder
from analogy.metrics.frames import FRAME_METRICS
from analogy.one_line import printable, say
from analogy.predictions.base import parts_of
from analogy.predictions.frames import PredictedFrames, mean_and_best

SMALLEST = 11  # pixels a side: SSIM's window
GRAY = 4  # of 255: the channels of a grey video differ by no more, however it is stored
# Codecs, and suffixes of pictures, that keep every pixel. Others cost a prediction some decibels.
LOSSLESS = ("png", "bmp", "tif", "tiff", "ffv1", "huffyuv", "ffvhuff", "utvideo", "qtrle", "rawvideo")


class Video(NamedTuple):
    """A true video and the videos that were predicted for it. All of them begin with the observed frames."""

    name: str
    truth: Path
    samples: list[Path]


class Videos:
    """A `Predictor` that reads its predictions from video files.

    Args:
        context: number of observed frames at the start of every true video. Predicted videos begin with them too, or hold the
            future frames alone.
    """

    pooled, paints = False, True
    published = ()

    def __init__(self, context: int):
        self.context = context
        self.notes: list[str] = []  # about faults in the videos, for the protocol
        self.codecs: set[str] = set()  # how the predicted videos are stored
        self.future_alone: list[str] = []  # the predicted videos that lack the observed frames
        self.gray: list[str] = []  # the predicted videos that are grey where the true ones are coloured
        self.equal: list[str] = []  # the predicted videos that equal the true ones, as copies do and predictions do not

    def protocol(self, dataset: Sequence[Video]) -> str:
        samples = len(dataset[0].samples)
        several = f", {samples} samples of each (means, and the best for each metric and video; FVD of the first)"
        parts = [
            f"{len(dataset)} videos{several if samples > 1 else ''}",
            f"the first {self.context} frames were given and are not measured",
            "figures per frame (SSIM with an 11 x 11 Gaussian, sigma 1.5, range 255), averaged over frames, then over videos",
            "baseline: the last given frame copied",
        ]
        parts += [f"predictions stored as {', '.join(sorted(self.codecs))}"] if self.codecs else []
        parts += [f"the future frames alone are predicted in {some(self.future_alone)}"] if self.future_alone else []
        parts += [f"GREY predictions of coloured videos: {some(self.gray)}"] if self.gray else []
        parts += [f"EQUAL to the truth in every pixel, as a copy is: {some(self.equal)}"] if self.equal else []
        return "; ".join(parts + self.notes)

    def predict_clips(self, dataset: Sequence[Video]) -> Iterator[PredictedFrames]:
        for video in dataset:
            yield from self._parts(video)

    def _parts(self, video: Video) -> Iterator[PredictedFrames]:
        """Read a video and its predictions twice: first to check them, then to hand them on in parts. Raises UserError."""
        k, truth = self.context, self._look(video.truth)
        length = truth.length - k
        if length < 1:
            raise UserError(
                f"{video.truth}: {truth.length} frames, of which --context {k} were given: nothing is left to measure"
            )
        if min(truth.size) < SMALLEST:
            raise UserError(
                f"{video.truth}: {truth.size[1]} x {truth.size[0]} pixels: choose videos of at least {SMALLEST} a side"
            )
        looks = [self._look(path) for path in video.samples]
        passed = [self._check(path, look, video, truth) for path, look in zip(video.samples, looks, strict=True)]
        self.codecs |= {look.codec if look.codec in LOSSLESS else f"{look.codec} (lossy)" for look in looks}
        true_frames = stream_video(video.truth)
        samples = [islice(stream_video(path), count, None) for path, count in zip(video.samples, passed, strict=True)]
        observed, equal = _next(true_frames, k, video.truth), [True] * len(samples)
        for numbers in parts_of(length):
            count = len(numbers)
            predictions = [_next(frames, count, path) for frames, path in zip(samples, video.samples, strict=True)]
            true = _next(true_frames, count, video.truth)
            equal = [still and np.array_equal(sample, true) for still, sample in zip(equal, predictions, strict=True)]
            part = dict(
                clip=video.name,
                action="videos",
                distance=numbers + 1,
                observed_frames=observed if numbers[0] == 0 else observed[:0],
                truth=true,
                prediction=predictions[0],
                baseline=np.broadcast_to(observed[-1:], (count, *observed.shape[1:])),
                baseline_name="copy_last_frame",
            )
            yield PartOfSamples(**part, samples=np.stack(predictions)) if len(samples) > 1 else PredictedFrames(**part)
        if any(equal):
            self.equal.append(video.name)
        for path in (path for path, copied in zip(video.samples, equal, strict=True) if copied):
            say(f"{path}: its future frames equal those of {video.truth} in every pixel: is it a copy?")

    def _check(self, path: Path, look: _Look, video: Video, truth: _Look) -> int:
        """Compare a predicted video with the true one. Returns how many of its frames are observed ones. Raises UserError."""
        alone = look.size == truth.size and look.length == truth.length - self.context
        if alone:
            self.future_alone.append(video.name)
        elif (look.length, look.size) != (truth.length, truth.size):
            raise UserError(_difference(path, look, video.truth, truth, self.context))
        passed = 0 if alone else self.context
        if all(look.gray[passed:]) and not all(truth.gray[self.context :]):
            self.gray.append(video.name)
            say(f"{path}: its frames are grey, but those of {video.truth} are coloured")
        return passed

    def _look(self, path: Path) -> _Look:
        """Read a video without keeping its frames. Faults that reading could mend are printed and noted. Raises UserError."""
        video = read_video(path, transform=_facts)
        self.notes += [printable(f"{path.name}: {note}") for note in video.notes]
        say(*(f"{path}: {note}" for note in video.notes))
        height, width, _ = video.frames[0].ravel().tolist()
        return _Look(len(video.frames), (height, width), [bool(facts[..., 2]) for facts in video.frames], video.codec)


class _Look(NamedTuple):
    """What a video is. size: (height, width). gray: of each frame, whether its channels nearly equal one another."""

    length: int
    size: tuple[int, int]
    gray: list[bool]
    codec: str


def _facts(frame: np.ndarray) -> np.ndarray:
    """What `_Look` needs of a frame uint8 [H, W, 3]: [1, 1, 3], its height and width, and whether it is grey."""
    gray = _is_gray(frame[::8, ::8]) and _is_gray(frame)  # a few pixels of most coloured frames tell it
    return np.array([[[*frame.shape[:2], gray]]])


def _is_gray(frame: np.ndarray) -> bool:
    red, green, blue = (frame[..., channel].astype(np.int16) for channel in range(3))
    return all(int(np.abs(a - b).max()) <= GRAY for a, b in ((red, green), (green, blue), (red, blue)))


def _next(frames: Iterator[np.ndarray], count: int, path: Path) -> np.ndarray:
    """The next frames [count, H, W, 3] of the video at a path. Raises UserError where it has become shorter."""
    taken = list(islice(frames, count))
    if len(taken) < count:
        raise UserError(f"{path}: it has changed while it was measured; begin again when it is finished")
    return np.stack(taken)


@dataclass(frozen=True, kw_only=True)
class PartOfSamples(PredictedFrames):
    """A part of several predictions of one video. The best is that of the whole video: it is chosen at the end."""

    def measure(self, metrics=FRAME_METRICS):
        """As `PredictedFrames.measure`, but the figures of the prediction are [N, T], those of each sample."""
        samples = [self._measure_frames(sample, metrics) for sample in self.samples]
        others = {name: frames for name, frames in self.videos()[1].items() if name != "prediction"}
        return {
            "prediction": {name: np.stack([figures[name] for figures in samples]) for name in samples[0]},
            **{name: self._measure_frames(frames, metrics) for name, frames in others.items()},
        }

    def joined(self, parts):
        whole = super().joined(parts)
        samples = [
            {name: values[number] for name, values in whole["prediction"].items()} for number in range(len(self.samples))
        ]
        return {**whole, "prediction": mean_and_best(samples)}


def _difference(path: Path, look: _Look, truth: Path, true_look: _Look, context: int) -> str:
    """A message about a predicted video of another length or size than its true one."""
    (frames, size, *_), (true_frames, true_size, *_) = look, true_look
    said = (
        f"{path} has {frames} frames of {size[1]} x {size[0]}, but {truth} has {true_frames} of {true_size[1]} x {true_size[0]}"
    )
    if size != true_size:
        return f"{said}: bring both to one size, which must be named with the figures"
    if frames < true_frames and context == 1:
        mend = f"if it holds the future frames alone, say how many were given: --context {true_frames - frames}"
        return f"{said}: {mend}"
    return f"{said}: cut both to the same frames, which begin with the {context} given ones (--context)"


def find_videos(folder: Path) -> dict[str, Path]:
    """Find the videos below a folder; a subfolder of pictures counts as a video too, and so does the folder itself.

    Returns:
        Path relative to the folder, without suffix -> the video file or the folder of pictures. A folder that holds pictures is
        itself its only video, ".".

    Raises:
        UserError: there is no such folder, no video in it, or two of one name.
    """
    if why := no_folder(folder):
        raise UserError(f"{folder}: {why}")
    videos: dict[str, Path] = {}
    for item in videos_below(folder, predictions=True):
        path = folder / item
        name = item if path.is_dir() else str(Path(item).with_suffix(""))
        if name in videos:
            raise UserError(f"{videos[name]} and {path} have the same name: keep the one that is to be measured")
        videos[name] = path
    if not videos:
        there = next((f", but {path.name}" for path in files_below(folder)), "")
        raise UserError(f"{folder}: there is neither a video ({', '.join(VIDEOS)}) nor a folder of pictures in it{there}")
    return videos


def pair_videos(predictions: Sequence[Path], truth: Path, names: Sequence[str] = ()) -> tuple[list[Video], int]:
    """Pair every predicted video with the true video of the same name.

    Args:
        predictions: folders of predicted videos. Several folders hold several samples of the same videos.
        truth: the folder of true videos.
        names: of the videos to take; if empty, all videos of the first folder.

    Returns:
        The pairs, and the number of further true videos.

    Raises:
        UserError: a folder is missing or empty, or lacks one of the videos.
    """
    true_videos, samples = find_videos(truth), [find_videos(folder) for folder in predictions]
    names = names or list(samples[0])
    alone = [folder for folder, videos in zip((truth, *predictions), (true_videos, *samples), strict=True) if "." in videos]
    if alone and len(alone) <= len(predictions):
        mend = "put them into a folder of their own in it, of the same name as in the other folders"
        raise UserError(f"{alone[0]}: its pictures are one video; {mend}")
    for folder, videos in zip((truth, *predictions), (true_videos, *samples), strict=True):
        if missing := [name for name in names if name not in videos]:
            raise UserError(
                f"{folder}: there is no {missing[0]} in it ({len(missing)} of {len(names)} videos are missing), but "
                f"{some(list(videos))}; give a prediction and its true video the same name in both folders"
            )
    pairs: dict[str, Video] = {}
    for name in names:
        shown = distinct_name((truth.resolve().name if name == "." else name).replace("/", "_"), pairs)
        pairs[shown] = Video(shown, true_videos[name], [videos[name] for videos in samples])
    return list(pairs.values()), len(true_videos) - len(pairs)
