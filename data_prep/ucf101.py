"""UCF101 (Soomro, Zamir & Shah 2012): the official avi files and lists, as small JPEG frames."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from analogy.data.doubts import some
from analogy.data.movies import MovieDataset
from analogy.data.prepared import Clip, FrameFormat, PreparedClips
from analogy.errors import UserError
from analogy.files.reading import read_regular
from data_prep.frame_store import prepare_frames
from data_prep.video_source import VideoFiles, whole_clips_dataset

NAME = re.compile(r"v_(\w+)_g(\d\d)_c\d\d\.(?i:avi)")
LISTS = "ucfTrainTestlist"
LISTED = re.compile(r"(\w+)/(v_\w+_g\d\d_c\d\d)\.avi(\s+\d+)?")
# The classes of the detection task, which is split as the first recognition split.
DETECTION = (
    "Basketball", "BasketballDunk", "Biking", "CliffDiving", "CricketBowling", "Diving", "Fencing", "FloorGymnastics",
    "GolfSwing", "HorseRiding", "IceDancing", "LongJump", "PoleVault", "RopeClimbing", "SalsaSpin", "SkateBoarding", "Skiing",
    "Skijet", "SoccerJuggling", "Surfing", "TennisSwing", "TrampolineJumping", "VolleyballSpiking", "WalkingWithDog",
)  # fmt: skip
NUMBERS = {"rec1": 1, "rec2": 2, "rec3": 3, "det24": 1}
log = logging.getLogger("analogy")


class Lists(NamedTuple):
    """The official lists.

    classes: of all videos. used: those of the split. train, test: names of its videos, in lower case, without suffix.
    The lists write some names in other letters than the files (HandStandPushups), so names are compared in lower case.
    """

    classes: list[str]
    used: list[str]
    train: set[str]
    test: set[str]


def read_lists(source: Path, split: str) -> Lists:
    """Read the lists of a split from ucfTrainTestlist/, inside the folder of the videos or beside it.

    Raises:
        UserError: a list is missing or damaged, or is not of UCF101.
    """
    folder = next((place for place in (source / LISTS, source.absolute().parent / LISTS) if place.is_dir()), source / LISTS)
    classes = [line.split()[-1] for line in _lines(folder / "classInd.txt")]
    known = {name.lower() for name in classes}
    if len(known) < len(classes):
        raise UserError(f"{folder / 'classInd.txt'}: it names a class twice; fetch it again")
    used = [name for name in classes if split != "det24" or name in DETECTION]
    wanted, halves = {name.lower() for name in used}, []
    for half in ("train", "test"):
        file, names = folder / f"{half}list{NUMBERS[split]:02d}.txt", set()
        for line in _lines(file):
            match = LISTED.fullmatch(line.replace("\\", "/"))
            if not match or match[1].lower() not in known:
                raise UserError(
                    f"{file}: `{line[:60]}` is no video of UCF101 (of classInd.txt); take the lists of its recognition task"
                )
            if match[1].lower() in wanted:
                names.add(match[2].lower())
        halves.append(names)
    return Lists(classes, used, *halves)


def _lines(file: Path) -> list[str]:
    try:
        lines = [line.strip() for line in read_regular(file).decode("utf-8-sig", errors="replace").splitlines()]
    except OSError as error:
        raise UserError(
            f"{file}: cannot be read ({error.strerror}); it is one of the lists of UCF101's recognition task"
        ) from error
    if not any(lines):
        raise UserError(f"{file}: it is empty; fetch it again")
    return [line for line in lines if line]


@dataclass(frozen=True)
class Ucf101Source(VideoFiles):
    """UCF101 in its official layout, as a source of the frame store.

    detection: whether only the 24 classes of the detection task are stored.
    """

    detection: bool = False
    layout = "ACTION/v_ACTION_gXX_cYY.avi"
    format = FrameFormat("jpeg", channels=3)

    @property
    def dataset(self) -> str:
        return "ucf101-det24" if self.detection else "ucf101"

    def items(self) -> dict[str, list[Path]]:
        wanted = {name.lower() for name in DETECTION}
        files = [
            path
            for path in sorted(self.folder.glob("*/*.[aA][vV][iI]"))
            if NAME.fullmatch(path.name) and (not self.detection or path.parent.name.lower() in wanted)
        ]
        if not files:
            which = " of the 24 classes of the detection task" if self.detection else ""
            raise UserError(f"{self.folder}: there is no {self.layout}{which} in this folder (data.folder)")
        return {f"{path.parent.name}/{path.name}": [path] for path in files}

    def describe(self, item: str) -> Clip:
        file = Path(item)
        return Clip(file.stem, file.parent.name, person=NAME.fullmatch(file.name)[2], length=0, height=0, width=0)


def open_ucf101(source: Path, cache: Path, settings) -> MovieDataset:
    """Open UCF101: the recognition splits rec1, rec2, rec3, and det24 (`data.split`). Labels are numbers of all classes.

    What the lists name and the folder lacks, and the other way round, is counted and said.

    Args:
        source: the folder of the classes.
        cache: the folder of prepared data.
        settings: with `data` (a MovieDataSettings) and seed.

    Raises:
        UserError: a list is missing or of another dataset; or no video of the split trains, or none tests.
    """
    split, data = settings.data.split, settings.data
    lists = read_lists(source, split)
    videos = Ucf101Source(source, data.size, data.fit, detection=split == "det24")
    present = {Path(item).stem.lower() for item in videos.items()}
    for half, names in (("trains", lists.train), ("tests", lists.test)):
        if not names & present:
            raise UserError(
                f"{source}: no video {half} with data.split {split}: none of the {len(names)} that its list names is in this "
                f"folder of {len(present)}; choose another split, or --set data.dataset=videos, which splits any folder by file"
            )
    prepared = PreparedClips.open(prepare_frames(videos, cache))
    names = {name.lower(): name for name in lists.classes}
    clips = [
        replace(clip, action=names.get(NAME.fullmatch(f"{clip.id}.avi")[1].lower(), clip.action))
        for clip in sorted(prepared.clips, key=lambda clip: clip.first_record)  # training windows are drawn in this order
    ]
    train = [clip for clip in clips if clip.id.lower() in lists.train]
    test = [clip for clip in clips if clip.id.lower() in lists.test]
    doubts = [*prepared.doubts, *_differences(source, lists, present)]
    notes = [f"split {split}, {len(train)} of {len(lists.train)} training and {len(test)} of {len(lists.test)} test videos"]
    log.info("ucf101: %s", notes[0])
    return whole_clips_dataset(
        prepared, train, test, settings, source=source, doubts=doubts, notes=notes, classes=lists.classes
    )


def _differences(source: Path, lists: Lists, present: set[str]) -> list[str]:
    """Lines about what the lists name and the folder lacks, and the other way round."""
    listed = lists.train | lists.test
    folders = {path.name.lower() for path in source.iterdir() if path.is_dir()}
    counts = (
        (sorted(listed - present), "videos of the lists are not in the folder"),
        (sorted(present - listed), "videos of the folder are in no list of this split, and are not used"),
        ([name for name in lists.used if name.lower() not in folders], "classes have no folder"),
    )
    return [f"{source}: {len(names)} {what}: {some(names)}" for names, what in counts if names]
