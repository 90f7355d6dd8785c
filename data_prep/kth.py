"""KTH actions (Schuldt, Laptev & Caputo 2004): the official avi tree and its list of sequences, as small grey frames."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import cv2
import numpy as np

from analogy.data.doubts import Look, doubts_about, some
from analogy.data.movie_files import open_movies
from analogy.data.movies import Movie, MovieDataset
from analogy.data.video import read_video
from analogy.errors import UserError

NAME = re.compile(r"person(\d\d)_([a-z]+)_d(\d)_uncomp\.avi")
ACTIONS = ("boxing", "handclapping", "handwaving", "jogging", "running", "walking")  # each is an archive of its own
SEQUENCES = "00sequences.txt"
LISTED = re.compile(r"(person\d\d_[a-z]+_d\d)\s+frames\s+(.+)")
# The last person whose clips train: the code's split, and the one most papers use.
LAST_TRAINED = {"published": 20, "standard": 16}
log = logging.getLogger("analogy")


def read_sequences(path: Path) -> dict[str, list[tuple[int, int]]]:
    """personNN_ACTION_dK -> frames in which the person is in view, (first, last) from 1 on. Raises UserError."""
    try:
        lines = path.read_text(encoding="latin-1").splitlines()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); the split `standard` needs this official list") from error
    found = {}
    for line in lines:
        if match := LISTED.match(line.strip()):
            found[match[1]] = [(int(a), int(b)) for a, b in re.findall(r"(\d+)\s*-\s*(\d+)", match[2])]
    if not found:
        raise UserError(f"{path}: there is no line `personNN_ACTION_dK  frames  1-95, ...` in it")
    return found


def open_kth(source: Path, cache: Path, settings) -> MovieDataset:
    """Training movies and test windows.

    published: whole clips of persons 1 to 20 train; test windows of persons 21 to 25 lie anywhere. standard: 1 to 16 and 17 to
    25, and only where the person is in view. `test_persons` names others for the test, all the rest training.

    Args:
        settings: with `data` (a MovieDataSettings) and seed.

    Raises:
        UserError: a half is empty, or the list is missing.
    """
    data, length = settings.data, settings.data.context + settings.data.horizon
    listed = read_sequences(source / SEQUENCES) if data.split == "standard" else {}
    clips = sorted(path for path in source.glob("*/*.avi") if NAME.fullmatch(path.name))
    if not clips:
        raise UserError(f"{source}: there is no ACTION/personNN_ACTION_dK_uncomp.avi in this folder (data.folder)")
    opened = open_movies(clips, cache / f"kth-{data.image_size}", lambda clip: _read(clip, data.image_size))
    halves: dict[bool, list[Movie]] = {True: [], False: []}
    looks: dict[bool, list[Look]] = {True: [], False: []}
    short = 0
    for movie, look in zip(opened.movies, opened.looks, strict=True):
        person = int(movie.id.removeprefix("person")[:2])
        trains = person <= LAST_TRAINED[data.split] if data.test_persons is None else person not in data.test_persons
        looks[trains].append(look)
        in_view = listed.get(movie.id, []) if listed else [(1, len(movie.frames))]
        parts = [(first, movie.frames[first - 1 : last]) for first, last in in_view]
        halves[trains] += [Movie(f"{movie.id}_{first}", movie.action, part) for first, part in parts if len(part) >= length]
        short += sum(len(part) < length for _, part in parts)
    unlisted = [movie.id for movie in opened.movies if listed and movie.id not in listed]
    left_out = [f"{source / SEQUENCES} does not list {some(unlisted)}: left out"] if unlisted else []
    for trains, half in halves.items():
        if not half:
            raise UserError(
                f"{source}: no clip of {length} frames {'trains' if trains else 'tests'} with data.split {data.split}; "
                + "; ".join([*left_out, "add persons, or name those who test with data.test_persons=[...]"])
            )
    random = np.random.default_rng([settings.seed, 3])
    test = [_window(halves[False], random, length, index) for index in range(data.test_count)]
    said = "kth: %d training and %d test movies, %d test windows; %d of fewer than %d frames are not used"
    log.info(said, len(halves[True]), len(halves[False]), len(test), short, length)
    doubts = opened.doubts + left_out + doubts_about(looks[True], looks[False], chosen=data.test_persons is not None)
    if missing := sorted(set(ACTIONS) - {look.action for half in looks.values() for look in half}):
        doubts.append(f"{source} has no clip of: {', '.join(missing)}")
    return MovieDataset("kth", halves[True], test, length=length, seed=settings.seed, doubts=doubts)


def _read(clip: Path, side: int) -> tuple[list[Movie], list[str]]:
    video = read_video(clip)
    frames = [cv2.resize(frame[..., 0], (side, side), interpolation=cv2.INTER_AREA) for frame in video.frames]
    action = NAME.fullmatch(clip.name)[2]
    return [Movie(clip.stem.removesuffix("_uncomp"), action, np.stack(frames)[..., None])], video.notes


def _window(movies: list[Movie], random: np.random.Generator, length: int, index: int) -> Movie:
    movie = movies[random.integers(len(movies))]
    start = random.integers(len(movie.frames) - length + 1)
    return Movie(f"{index:04d}_{movie.id}_{start}", movie.action, movie.frames[start : start + length])
