"""Movies out of files, prepared once: small frames that are mapped into memory, and what was seen while they were made."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from tokenize import TokenError
from typing import NamedTuple

import numpy as np
from rich.progress import track

from analogy.data.doubts import Look, some
from analogy.data.movies import Movie
from analogy.errors import UserError
from analogy.files import remove_leftovers, replacing

AN_HOUR = 3600.0  # no other process takes so long to write one file
# What opening kept files raises where they are missing, cut short, or not what they were.
NOT_KEPT = (FileNotFoundError, ValueError, TypeError, KeyError, EOFError, SyntaxError, TokenError)
Read = Callable[[Path], tuple[list[Movie], list[str]]]


class Opened(NamedTuple):
    """movies, and the look of each; doubts: what is wrong with the files."""

    movies: list[Movie]
    looks: list[Look]
    doubts: list[str]


def open_movies(files: Sequence[Path], folder: Path, read: Read, *, enough: int | None = None) -> Opened:
    """The movies of all files, or of the first ones that hold `enough`. Those that cannot be read are left out and said.

    Args:
        folder: where what is prepared is kept.
        read: file -> its movies, all of one shape, and notes of what is wrong with it.

    Raises:
        UserError: none of the files can be read.
    """
    remove_leftovers(folder, older_than=AN_HOUR)
    movies, looks, broken, noted = [], [], [], []
    for file in track(files, f"opening {folder.name}", disable=not sys.stdout.isatty()):
        try:
            opened = _open_or_prepare(file, folder, read)
        except UserError as error:
            broken.append(str(error))
            continue
        movies += opened.movies
        looks += opened.looks
        noted += [f"{file}: {'; '.join(opened.doubts)}"] if opened.doubts else []
        if enough is not None and len(movies) >= enough:
            break
    if broken and not movies:
        raise UserError(broken[0])
    doubts = [f"{len(broken)} of {len(files)} files are left out: {some(broken)}"] if broken else []
    doubts += [f"{len(noted)} of {len(files)} files are not as they should be: {some(noted)}"] if noted else []
    return Opened(movies, looks, doubts)


def _open_or_prepare(file: Path, folder: Path, read: Read) -> Opened:
    """Another file of the same name, known by its size and time, is prepared anew, and so is what is damaged."""
    with file.open("rb") as opened:  # a file that may not be read is not a broken one
        status = os.fstat(opened.fileno())
    of = [file.name, status.st_size, status.st_mtime_ns]
    prepared = folder / f"{file.stem}.npy"
    facts = prepared.with_suffix(".json")
    try:
        return _open(prepared, facts, of)
    except NOT_KEPT:
        movies, notes = read(file)
    facts.unlink(missing_ok=True)  # it must not be taken for one of the new frames
    frames = io.BytesIO()  # of its own, NumPy does not say which file it could not write
    np.save(frames, np.stack([movie.frames for movie in movies]))
    with replacing(prepared) as partial:
        partial.write_bytes(frames.getbuffer())
    # Looks are kept: to take them again is to read nearly all frames.
    content = {"of": of, "notes": notes, "looks": [asdict(movie.look) for movie in movies]}
    with replacing(facts) as partial:
        partial.write_text(json.dumps(content), encoding="utf-8")
    return _open(prepared, facts, of)


def _open(prepared: Path, facts: Path, of: list) -> Opened:
    content = json.loads(facts.read_text(encoding="utf-8"))
    if content["of"] != of:
        raise ValueError("of another file")
    looks = [Look(**look) for look in content["looks"]]
    frames = np.load(prepared, mmap_mode="r")
    movies = [Movie(look.id, look.action, of_one) for look, of_one in zip(looks, frames, strict=True)]
    return Opened(movies, looks, content["notes"])
