"""KTH actions (Schuldt, Laptev & Caputo 2004): the official avi files and list of sequences, as small grey frames."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np

from analogy.data.doubts import doubts_about, some
from analogy.data.movies import MovieDataset, chosen_movies, long_enough
from analogy.data.prepared import Clip, FrameFormat, PreparedClips
from analogy.data.windows import StoredMovie, WindowPlan
from analogy.errors import UserError
from analogy.files.reading import read_regular
from analogy.random_streams import DatasetStream, generator
from analogy.settings.sections import MovieDataSettings
from data_prep.frame_store import prepare_frames
from data_prep.video_source import VideoFiles

NAME = re.compile(r"person(\d\d)_([a-z]+)_d(\d)_uncomp\.avi")
ACTIONS = ("boxing", "handclapping", "handwaving", "jogging", "running", "walking")  # published as one archive each
SEQUENCES = "00sequences.txt"
LISTED = re.compile(r"(person\d\d_[a-z]+_d\d)\s+frames\s+(.+)")
# The last person of the training set: in the split of the published code, and in the split that most papers use.
LAST_TRAINED = {"published": 20, "standard": 16}
log = logging.getLogger("analogy")


def read_sequences(path: Path) -> dict[str, list[tuple[int, int]]]:
    """Read the official list of sequences.

    Returns:
        personNN_ACTION_dK -> the (first, last) frames of each part of the clip in which the person is in view, counted from 1.

    Raises:
        UserError: the file cannot be read, or lists nothing.
    """
    try:
        lines = read_regular(path).decode("latin-1").splitlines()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); the split `standard` needs this official list") from error
    sequences = {}
    for line in lines:
        if match := LISTED.match(line.strip()):
            sequences[match[1]] = [(int(a), int(b)) for a, b in re.findall(r"(\d+)\s*-\s*(\d+)", match[2])]
    if not sequences:
        raise UserError(f"{path}: there is no line `personNN_ACTION_dK  frames  1-95, ...` in it")
    return sequences


class KthSource(VideoFiles):
    """KTH in its official layout, as a source of the frame store: small grey frames, stored without loss."""

    dataset = "kth"
    layout = "ACTION/personNN_ACTION_dK_uncomp.avi"
    format = FrameFormat("raw", channels=1)

    def items(self) -> dict[str, list[Path]]:
        files = sorted(path for path in self.folder.glob("*/*.avi") if NAME.fullmatch(path.name))
        if not files:
            raise UserError(f"{self.folder}: there is no {self.layout} in this folder (data.folder)")
        return {f"{path.parent.name}/{path.name}": [path] for path in files}

    def describe(self, item: str) -> Clip:
        file = Path(item)
        person, action, _ = NAME.fullmatch(file.name).groups()
        return Clip(file.stem.removesuffix("_uncomp"), action, person=person, length=0, height=0, width=0)


def open_kth(source: Path, cache: Path, settings) -> MovieDataset:
    """Open KTH as training movies and test windows.

    The split (`data.split`) is by person. "published": persons 1 to 20 are for training and 21 to 25 for testing, with all
    frames of their clips. "standard": 1 to 16 and 17 to 25, with only those frames in which the person is in view. The setting
    `data.test_persons` names other test persons; all others are then for training. Test windows begin at random frames.

    Args:
        source: the folder of the raw dataset.
        cache: the folder of prepared data.
        settings: with `data` (a MovieDataSettings) and seed.

    Raises:
        UserError: the training or the test set is empty, or the list of sequences is missing.
    """
    data, plan = settings.data, WindowPlan.from_settings(settings.data)
    listed = read_sequences(source / SEQUENCES) if data.split == "standard" else {}
    prepared = PreparedClips.open(prepare_frames(KthSource(source, data.size, data.fit), cache))
    clips = sorted(prepared.clips, key=lambda clip: clip.first_record)  # training windows are drawn in this order
    halves = {half: [clip for clip in clips if _tests(clip, data) == (half == "tests")] for half in ("tests", "trains")}
    unlisted = [clip.id for clip in clips if listed and clip.id not in listed]
    left_out = [f"{source / SEQUENCES} does not list {some(unlisted)}: left out"] if unlisted else []
    movies, short = {}, 0
    for half, clips_of_half in halves.items():
        parts = [part for clip in clips_of_half for part in _in_view(prepared, clip, listed)]
        movies[half], reasons = long_enough(parts, plan)
        short += len(parts) - len(movies[half])
        if not movies[half]:
            raise UserError(
                f"{source}: no clip of {plan.length} frames {half} with data.split {data.split}; "
                + "; ".join([*left_out, *reasons, "add persons, or name those who test with data.test_persons=[...]"])
            )
    random = generator(settings.seed, DatasetStream.KTH_TEST_WINDOWS)
    test = [_window(movies["tests"], random, plan, index) for index in range(data.test_count)]
    train = chosen_movies(movies["trains"], data, settings.seed)
    message = "kth: %d training and %d test movies, %d test windows; %d too short for %d frames are not used"
    log.info(message, len(train), len(movies["tests"]), len(test), short, plan.length)
    inspections = ([clip.inspection for clip in halves[half]] for half in ("trains", "tests"))
    doubts = prepared.doubts + left_out + doubts_about(*inspections, user_selection=data.test_persons is not None)
    if missing := sorted(set(ACTIONS) - {clip.action for clip in clips}):
        doubts.append(f"{source} has no clip of: {', '.join(missing)}")
    return MovieDataset("kth", train, test, plan=plan, seed=settings.seed, doubts=doubts, classes=ACTIONS)


def _tests(clip: Clip, data: MovieDataSettings) -> bool:
    """Whether the person of a clip is one of those who test."""
    person = int(clip.person)
    return person > LAST_TRAINED[data.split] if data.test_persons is None else person in data.test_persons


def _in_view(prepared: PreparedClips, clip: Clip, listed: dict[str, list[tuple[int, int]]]) -> list[StoredMovie]:
    """The parts of a clip in which the person is in view. listed: what `read_sequences` gives; where it is empty, all is."""
    parts = listed.get(clip.id, []) if listed else [(1, clip.length)]
    frames = [(first, range(first - 1, min(last, clip.length))) for first, last in parts]
    return [StoredMovie(f"{clip.id}_{first}", prepared, clip, numbers) for first, numbers in frames]


def _window(movies: list[StoredMovie], random: np.random.Generator, plan: WindowPlan, index: int) -> StoredMovie:
    movie = movies[random.integers(len(movies))]
    starts = movie.starts(plan)
    start = starts[random.integers(len(starts))]
    first = plan.numbers(start, movie.clip.fps)[0]
    return movie.window(plan, start, f"{index:04d}_{movie.id}_{first}")
