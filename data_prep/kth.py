"""KTH actions (Schuldt, Laptev & Caputo 2004): the official avi tree and its list of sequences, as small grey frames."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

from analogy.data.doubts import Look, doubts_about
from analogy.data.movies import Movie, MovieDataset, kept_looks
from analogy.data.video import read_video
from analogy.errors import UserError
from analogy.files import remove_leftovers, replacing

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


def prepare_kth(source: Path, cache: Path, side: int) -> list[tuple[Path, Path]]:
    """(avi, prepared .npy of uint8 [T, side, side, 1]) of every clip; what is prepared already stays.

    Raises:
        UserError: there is no clip, or one that cannot be read.
    """
    clips = sorted(path for path in source.glob("*/*.avi") if NAME.fullmatch(path.name))
    if not clips:
        raise UserError(f"{source}: there is no ACTION/personNN_ACTION_dK_uncomp.avi in this folder (data.folder)")
    folder = cache / f"kth-{side}"
    remove_leftovers(folder, older_than=3600)
    pairs = [(clip, folder / f"{clip.stem}.npy") for clip in clips]
    missing = [pair for pair in pairs if not _is_newer(pair[1], pair[0])]
    for clip, prepared in track(missing, "preparing KTH", disable=not missing or not sys.stdout.isatty()):
        frames = [cv2.resize(frame[..., 0], (side, side), interpolation=cv2.INTER_AREA) for frame in read_video(clip).frames]
        with replacing(prepared) as partial, open(partial, "wb") as file:
            np.save(file, np.stack(frames)[..., None])
    return pairs


def _is_newer(file: Path, source: Path) -> bool:
    return file.is_file() and file.stat().st_mtime >= source.stat().st_mtime


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
    halves: dict[bool, list[Movie]] = {True: [], False: []}
    looks: dict[bool, list[Look]] = {True: [], False: []}
    for clip, prepared in prepare_kth(source, cache, data.image_size):
        person, action, _ = NAME.fullmatch(clip.name).groups()
        trains = int(person) <= LAST_TRAINED[data.split] if data.test_persons is None else int(person) not in data.test_persons
        frames, name = np.load(prepared, mmap_mode="r"), clip.stem.removesuffix("_uncomp")
        looks[trains] += kept_looks(prepared, [Movie(name, action, frames)])
        for first, last in listed.get(name, [(1, len(frames))]):
            if len(part := frames[first - 1 : last]) >= length:
                halves[trains].append(Movie(f"{name}_{first}", action, part))
    for trains, half in halves.items():
        if not half:
            raise UserError(
                f"{source}: no clip {'trains' if trains else 'tests'} with data.split {data.split}; add persons, or name those "
                "who test with data.test_persons=[...]"
            )
    random = np.random.default_rng([settings.seed, 3])
    test = [_window(halves[False], random, length, index) for index in range(data.test_count)]
    log.info("kth: %d training and %d test movies, %d test windows", len(halves[True]), len(halves[False]), len(test))
    doubts = doubts_about(looks[True], looks[False], chosen=data.test_persons is not None)
    if missing := sorted(set(ACTIONS) - {look.action for half in looks.values() for look in half}):
        doubts.append(f"{source} has no clip of: {', '.join(missing)}")
    return MovieDataset("kth", halves[True], test, length=length, seed=settings.seed, doubts=doubts)


def _window(movies: list[Movie], random: np.random.Generator, length: int, index: int) -> Movie:
    movie = movies[random.integers(len(movies))]
    start = random.integers(len(movie.frames) - length + 1)
    return Movie(f"{index:04d}_{movie.id}_{start}", movie.action, movie.frames[start : start + length])
