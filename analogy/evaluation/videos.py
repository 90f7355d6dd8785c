"""Evaluation of predicted videos from files, whatever produced them, against the true videos."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from analogy.data.doubts import some
from analogy.data.video import read_video, videos_below
from analogy.errors import UserError
from analogy.files import VIDEOS, distinct_name, files_below
from analogy.predictions.base import parts_of
from analogy.predictions.frames import PredictedFrames

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
        return "; ".join(parts + self.notes)

    def predict_clips(self, dataset: Sequence[Video]) -> Iterator[PredictedFrames]:
        for video in dataset:
            whole = self._predicted(video)
            # The best of several samples is chosen by the whole video.
            yield from [whole] if whole.samples is not None else map(whole.part, parts_of(whole.length))

    def _predicted(self, video: Video) -> PredictedFrames:
        k, (truth, _) = self.context, self._read(video.truth)
        if len(truth) <= k:
            raise UserError(
                f"{video.truth}: {len(truth)} frames, of which --context {k} were given: nothing is left to measure"
            )
        if min(truth.shape[1:3]) < SMALLEST:
            raise UserError(
                f"{video.truth}: {truth.shape[2]} x {truth.shape[1]} pixels: choose videos of at least {SMALLEST} a side"
            )
        samples, codecs = zip(*(self._future(path, video, truth) for path in video.samples), strict=True)
        self.codecs |= {codec if codec in LOSSLESS else f"{codec} (lossy)" for codec in codecs}
        return PredictedFrames(
            clip=video.name,
            action="videos",
            distance=np.arange(1, len(truth) - k + 1),
            observed_frames=truth[:k],
            truth=truth[k:],
            prediction=samples[0],
            baseline=np.broadcast_to(truth[k - 1 : k], truth[k:].shape),
            baseline_name="copy_last_frame",
            samples=np.stack(samples) if len(samples) > 1 else None,
        )

    def _future(self, path: Path, video: Video, truth: np.ndarray) -> tuple[np.ndarray, str]:
        """The future frames of a predicted video, uint8 [T, H, W, 3], and its codec. Raises UserError. truth: with the observed
        frames."""
        sample, codec = self._read(path)
        if len(sample) == len(truth) - self.context and sample.shape[1:] == truth.shape[1:]:
            self.future_alone.append(video.name)
            sample = np.concatenate([truth[: self.context], sample])
        if sample.shape != truth.shape:
            raise UserError(_difference(path, sample.shape, video.truth, truth.shape, self.context))
        future = sample[self.context :]
        if _is_gray(future) and not _is_gray(truth):
            self.gray.append(video.name)
            print(f"{path}: its frames are grey, but those of {video.truth} are coloured")
        return future, codec

    def _read(self, path: Path) -> tuple[np.ndarray, str]:
        """Read a video: uint8 [T, H, W, C], and its codec. Faults that reading could mend are printed and noted."""
        video = read_video(path)
        self.notes += [f"{path.name}: {note}" for note in video.notes]
        for note in video.notes:
            print(f"{path}: {note}")
        return np.stack(video.frames), video.codec


def _difference(path: Path, shape: tuple[int, ...], truth: Path, true_shape: tuple[int, ...], context: int) -> str:
    """A message about a predicted video of another shape [T, H, W, C] than its true one."""
    (frames, *size, _), (true_frames, *true_size, _) = shape, true_shape
    said = (
        f"{path} has {frames} frames of {size[1]} x {size[0]}, but {truth} has {true_frames} of {true_size[1]} x {true_size[0]}"
    )
    if size != true_size:
        return f"{said}: bring both to one size, which must be named with the figures"
    if frames < true_frames and context == 1:
        mend = f"if it holds the future frames alone, say how many were given: --context {true_frames - frames}"
        return f"{said}: {mend}"
    return f"{said}: cut both to the same frames, which begin with the {context} given ones (--context)"


def _is_gray(frames: np.ndarray) -> bool:
    """Whether the channels of all frames [T, H, W, 3] nearly equal one another."""
    return all(int(np.ptp(frame.astype(np.int16), axis=-1).max()) <= GRAY for frame in frames[:: max(1, len(frames) // 8)])


def find_videos(folder: Path) -> dict[str, Path]:
    """Find the videos below a folder; a subfolder of pictures counts as a video too, and so does the folder itself.

    Returns:
        Path relative to the folder, without suffix -> the video file or the folder of pictures. A folder that holds pictures is
        itself its only video, ".".

    Raises:
        UserError: there is no such folder, no video in it, or two of one name.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder")
    videos: dict[str, Path] = {}
    for item in videos_below(folder):
        path = folder / item
        name = item if path.is_dir() else str(Path(item).with_suffix(""))
        if name in videos:
            raise UserError(f"{videos[name]} and {path} have the same name: keep the one that is to be measured")
        videos[name] = path
    if not videos:
        there = next((f", but {path.name}" for path in files_below(folder)), "")
        raise UserError(f"{folder}: there is neither a video ({', '.join(VIDEOS)}) nor a folder of pictures in it{there}")
    return videos


def pair_videos(predictions: Sequence[Path], truth: Path, names: Sequence[str] = ()) -> list[Video]:
    """Pair every predicted video with the true video of the same name.

    Args:
        predictions: folders of predicted videos. Several folders hold several samples of the same videos.
        truth: the folder of true videos.
        names: of the videos to take; if empty, all videos of the first folder.

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
            raise UserError(f"{folder}: there is no {missing[0]} in it ({len(missing)} of {len(names)} videos are missing)")
    pairs: dict[str, Video] = {}
    for name in names:
        shown = distinct_name((truth.resolve().name if name == "." else name).replace("/", "_"), pairs)
        pairs[shown] = Video(shown, true_videos[name], [videos[name] for videos in samples])
    return list(pairs.values())
