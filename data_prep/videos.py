"""A folder of anybody's videos: files and folders of pictures, as small JPEG frames."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path

from analogy.data.clips import ClipDataset
from analogy.data.movies import MovieDataset
from analogy.data.prepared import Clip, FrameFormat, PreparedClips
from analogy.data.video import videos_below
from analogy.errors import UserError
from analogy.random_streams import DatasetStream, generator
from data_prep.frame_store import prepare_frames
from data_prep.video_source import VideoFiles, whole_clips_dataset

HALVES = ("train", "test")
TEST_SHARE = 0.2  # of the videos, where the folder is not divided into train/ and test/
NO_CLASS = "videos"  # the class of videos that lie in no sub-folder
log = logging.getLogger("analogy")


class VideosSource(VideoFiles):
    """A folder of videos, as a source of the frame store. A folder with pictures in it is a video too, and so is a strip, a
    picture of frames side by side."""

    dataset = "videos"
    layout = (
        "train/ and test/, or one folder, with videos, strips or folders of pictures, in a sub-folder for each class if any"
    )
    format = FrameFormat("jpeg", channels=3)

    def items(self) -> dict[str, list[Path]]:
        if not (files := videos_below(self.folder)):
            raise UserError(f"{self.folder}: there is no video and no folder of pictures in it; expected {self.layout}")
        return files

    def describe(self, item: str) -> Clip:
        half, action = place_of(item)
        return Clip(item.replace("/", "_"), action, split=half, length=0, height=0, width=0)


def place_of(item: str) -> tuple[str, str]:
    """The half ("train", "test", or "" for neither) and the class of a video, from its path below the dataset's folder."""
    parts = Path(item).parts
    half = parts[0].lower() if parts and parts[0].lower() in HALVES else ""
    below = parts[1:] if half else parts
    return half, below[0] if len(below) > 1 else NO_CLASS


def open_videos(source: Path, cache: Path, settings) -> MovieDataset:
    """Open a folder of videos as windows. Its sub-folders are the classes; its halves: see `divided_videos`.

    Args:
        source: the folder.
        cache: the folder of prepared data.
        settings: with `data` (a MovieDataSettings) and seed.

    Raises:
        UserError: as `divided_videos`; or no video of a half can be used.
    """
    data = settings.data
    prepared, train, test, note = divided_videos(VideosSource(source, data.size, data.fit), cache, settings.seed)
    classes = sorted({clip.action for clip in (*train, *test)})
    return whole_clips_dataset(
        prepared, train, test, settings, source=source, doubts=prepared.doubts, notes=[note], classes=classes
    )


def open_pairs(source: Path, cache: Path, settings) -> ClipDataset:
    """Open a folder of videos as pairs of frames and whole clips, without joints. Arguments and errors: see `open_videos`.

    With crop centre, frames keep their ratio: the shorter side becomes the larger one of `data.image_size`, and squares can be
    cut out anywhere along the longer side. Otherwise they are stored in that size, squeezed.
    """
    data, size = settings.data, tuple(settings.data.image_size)
    videos = VideosSource(source, max(size), "cover") if data.crop == "centre" else VideosSource(source, size)
    prepared, *halves, note = divided_videos(videos, cache, settings.seed)
    clips = [replace(clip, split=half) for half, part in zip(HALVES, halves, strict=True) for clip in part]
    dataset = ClipDataset(prepared, data, seed=settings.seed, clips=clips)
    dataset.notes = note
    return dataset


def divided_videos(videos: VideosSource, cache: Path, seed: int) -> tuple[PreparedClips, list[Clip], list[Clip], str]:
    """Prepare a folder of videos and divide it: the prepared dataset, training clips, test clips, and a note.

    With both train/ and test/, those are the halves. Otherwise a fifth of the videos, drawn from the seed, tests: whole videos,
    never frames of one that also trains.

    Raises:
        UserError: there are fewer than two videos, or train/ or test/ is empty.
    """
    source = videos.folder
    halves = Counter(place_of(item)[0] for item in videos.items())
    divided = bool(halves["train"] or halves["test"])
    if divided and not (halves["train"] and halves["test"]):
        empty = "test" if halves["train"] else "train"
        raise UserError(f"{source}: there is no video in {empty}/; give it some, or put all videos into one folder")
    one_video = "one video cannot both train and test: give at least two, or a train/ and a test/ folder"
    if not divided and halves[""] < 2:
        raise UserError(f"{source}: {one_video}")
    prepared = PreparedClips.open(prepare_frames(videos, cache))
    clips = sorted(prepared.clips, key=lambda clip: clip.id)
    if not divided and len(clips) < 2:
        raise UserError(f"{source}: only {clips[0].id} can be used, and {one_video}; {'; '.join(prepared.doubts)}")
    if divided:
        train, test = ([clip for clip in clips if clip.split == half] for half in HALVES)
        how = "halves by the folders train and test"
        if unused := len(clips) - len(train) - len(test):
            how += f" ({unused} videos beside them not used)"
    else:
        count = max(1, round(TEST_SHARE * len(clips)))
        drawn = set(generator(seed, DatasetStream.TEST_FILES).permutation(len(clips))[:count].tolist())
        train = [clip for index, clip in enumerate(clips) if index not in drawn]
        test = [clip for index, clip in enumerate(clips) if index in drawn]
        how = f"split by file from seed {seed}"
    note = f"{len(train)} training and {len(test)} test videos, {how}"
    log.info("videos: %s", note)
    return prepared, train, test, note
