"""Weizmann actions (Gorelick et al. 2007) as MoCoGAN and Monkey-Net publish them: strips of small frames."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from analogy.data.clips import ClipDataset
from analogy.data.doubts import doubts_about
from analogy.data.movies import MovieDataset, chosen_movies, long_enough, spread_windows
from analogy.data.pictures import read_picture
from analogy.data.prepared import Clip, FrameFormat, PreparedClips
from analogy.data.windows import StoredMovie, WindowPlan
from analogy.errors import UserError
from data_prep.fitted import FittedClips
from data_prep.frame_store import Checked, Problem, prepare_frames
from data_prep.video_source import check_frames

ACTIONS = {"0": "waving_one_hand", "1": "waving_two_hands", "3": "jumping_jack", "4": "bending"}  # name of the folder -> action
STRIP = re.compile(r"\d{8}\.jpg")
SIDE = 64  # of a frame, in pixels
STRIPS = 8  # numbers of a person: four actions, each with its mirror image, which has the odd number
TESTED = 2  # persons that test where the settings name none
BAD_STRIP = "unreadable strip"
log = logging.getLogger("analogy")


@dataclass(frozen=True)
class WeizmannSource:
    """Weizmann in its published layout, as a source of the frame store: RGB frames, stored without loss."""

    folder: Path
    name = "weizmann"
    layout = "actions/CLASS/NNNNNNNN.jpg"
    format = FrameFormat("raw", channels=3)

    def items(self) -> dict[str, list[Path]]:
        files = [path for name in ACTIONS for path in sorted((self.folder / "actions" / name).glob("*.jpg"))]
        files = [path for path in files if STRIP.fullmatch(path.name)]
        if not files:
            raise UserError(f"{self.folder}: there is no {self.layout} in this folder (data.folder)")
        return {str(path.relative_to(self.folder)): [path] for path in files}

    def check(self, item: str) -> Checked:
        file = self.folder / item
        try:
            frames = read_strip(file)
        except UserError as error:
            return Checked(item, problems=(Problem(file.stem, BAD_STRIP, item, error.without(file)),))
        person = str(int(file.stem) // STRIPS)
        clip = Clip(file.stem, ACTIONS[file.parent.name], person=person, length=0, height=0, width=0)
        return check_frames(item, [(clip, frames)], self.format)

    def read(self, item: str) -> Iterator[dict]:
        for frame in read_strip(self.folder / item):
            yield {"image": frame}


def read_strip(path: Path) -> np.ndarray:
    """Read a strip of frames that lie side by side, from left to right: uint8 RGB [T, 64, 64, 3].

    The files are PNG in spite of their name, and have an alpha channel, which says nothing: every pixel is opaque.

    Raises:
        UserError: the file is no picture, or is not 64 pixels high and a multiple of 64 wide.
        OSError: the file cannot be read now.
    """
    strip = read_picture(path)
    height, width = strip.shape[:2]
    if height != SIDE or width % SIDE:
        raise UserError(f"{path}: {width} x {height} pixels, but frames of {SIDE} x {SIDE} lie side by side; fetch it again")
    return strip.reshape(SIDE, -1, SIDE, 3).swapaxes(0, 1)


def tested_persons(clips: Iterable[Clip], chosen: Sequence[int] | None) -> tuple[list[int], list[int]]:
    """The persons that are there, and those that test: the chosen ones, or the last two."""
    persons = sorted({int(clip.person) for clip in clips})
    return persons, list(persons[-TESTED:] if chosen is None else chosen)


def open_pairs(source: Path, cache: Path, settings) -> ClipDataset:
    """Open Weizmann as pairs of frames and whole clips, split by person: see `open_weizmann`. It has no joints.

    settings: with `data` (a KeypointDataSettings) and seed. Raises UserError.
    """
    data = settings.data
    prepared = PreparedClips.open(prepare_frames(WeizmannSource(source), cache))
    persons, tested = tested_persons(prepared.clips, data.test_persons)
    clips = tuple(replace(clip, split="test" if int(clip.person) in tested else "train") for clip in prepared.clips)
    if len({clip.split for clip in clips}) < 2:
        raise UserError(f"data.test_persons: {tested}: persons {persons} are there; name some of them, not all")
    dataset = ClipDataset(prepared, data, seed=settings.seed, clips=clips)
    dataset.notes = f"persons {', '.join(map(str, tested))} test"
    log.info("weizmann: %d train and %d test clips", len(dataset.train), len(dataset.test))
    return dataset


def open_weizmann(source: Path, cache: Path, settings) -> MovieDataset:
    """Open Weizmann, split by person: a clip and its mirror image never lie on different sides.

    The setting `data.test_persons` names the persons that test; all others train. Without it the last two that are there test.

    Args:
        source: the folder of the raw dataset.
        cache: the folder of prepared data.
        settings: with `data` (a MovieDataSettings) and seed.

    Raises:
        UserError: nobody trains or nobody tests, or no clip is long enough.
    """
    data, plan = settings.data, WindowPlan.from_settings(settings.data)
    prepared = FittedClips(PreparedClips.open(prepare_frames(WeizmannSource(source), cache)), data.size, data.fit)
    persons, tested = tested_persons(prepared.clips, data.test_persons)
    movies, lines = long_enough([StoredMovie(clip.id, prepared, clip, range(clip.length)) for clip in prepared.clips], plan)
    train, test = ([m for m in movies if (int(m.clip.person) in tested) is tests] for tests in (False, True))
    for what, movies_of_split in (("trains", train), ("tests", test)):
        if not movies_of_split:
            raise UserError(
                f"{source}: no clip of {plan.length} frames {what} with data.test_persons {tested}: persons {persons} are "
                + "; ".join(["there", *lines, "name some of them, not all"])
            )
    train = chosen_movies(train, data, settings.seed)
    windows = spread_windows(test, plan, data.test_count, settings.seed)
    log.info("weizmann: %d training and %d test movies, %d test windows", len(train), len(test), len(windows))
    inspections = ([movie.clip.inspection for movie in side] for side in (train, test))
    doubts = [*prepared.doubts, *lines, *doubts_about(*inspections, user_selection=data.test_persons is not None)]
    if missing := sorted(set(ACTIONS.values()) - {movie.action for movie in movies}):
        doubts.append(f"{source} has no clip of: {', '.join(missing)}")
    names = (", ".join(str(p) for p in persons if (p in tested) is tests) for tests in (True, False))
    notes = "persons {} test, {} train".format(*names)
    return MovieDataset("weizmann", train, windows, plan=plan, seed=settings.seed, doubts=doubts, notes=notes)
