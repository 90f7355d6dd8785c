"""A folder of anybody's videos: files and folders of pictures, as small JPEG frames."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

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
    """A folder of videos, as a source of the frame store. A folder with pictures in it is a video too."""

    dataset = "videos"
    layout = (
        "train/ and test/, or one folder, with videos or folders of pictures, in a sub-folder for each class if there are any"
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
    """Open a folder of videos. Its sub-folders are the classes.

    With both train/ and test/, those are the halves. Otherwise a fifth of the videos, drawn from the seed, tests: whole videos,
    never frames of one that also trains.

    Args:
        source: the folder.
        cache: the folder of prepared data.
        settings: with `data` (a MovieDataSettings) and seed.

    Raises:
        UserError: there are fewer than two videos, train/ or test/ is empty, or no video of a half can be used.
    """
    data = settings.data
    videos = VideosSource(source, data.size, data.fit)
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
        drawn = set(generator(settings.seed, DatasetStream.TEST_FILES).permutation(len(clips))[:count].tolist())
        train = [clip for index, clip in enumerate(clips) if index not in drawn]
        test = [clip for index, clip in enumerate(clips) if index in drawn]
        how = f"split by file from seed {settings.seed}"
    notes = [f"{len(train)} training and {len(test)} test videos, {how}"]
    log.info("videos: %s", notes[0])
    classes = sorted({clip.action for clip in (*train, *test)})
    return whole_clips_dataset(
        prepared, train, test, settings, source=source, doubts=prepared.doubts, notes=notes, classes=classes
    )
