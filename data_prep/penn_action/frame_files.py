"""Which picture files of a clip's folder are its labelled frames."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

from analogy.files.names import PICTURES, by_number, last_number

TOO_FEW_FRAMES = "fewer frames than labels"
UNCLEAR_NAMES = "frames whose names do not say their order"
OFFICIAL_NAME = re.compile(r"\d{6}\.jpg")


def picture_files(folder: Path) -> list[Path]:
    """The pictures in a folder in the order of their numbers, without hidden ones."""
    files = (path for path in folder.iterdir() if path.suffix.lower() in PICTURES and path.name[0] != ".")
    return sorted(files, key=by_number)


def labelled_frames(folder: Path, files: list[Path], length: int) -> list[Path] | tuple[str, Path, str]:
    """The files of the first `length` frames of a clip, or the problem as (reason, file, detail).

    Official names are 000001.jpg, 000002.jpg, ..., without a 000000.jpg. Where such names begin after 000001.jpg, the first
    frames are lost. Pictures with other names are taken in their order where it is clear: where their numbers count up by one,
    from any number on; or where there are as many as labels, and their numbers count up in equal steps, or they have none.

    folder: of the clip. files: what `picture_files` gives for it, at least one.
    """
    official = official_names(folder, length)
    if set(official) <= set(files) and folder / "000000.jpg" not in files:
        return official
    called = f"its pictures are called {files[0].name} to {files[-1].name}"
    if len(files) < length:
        missing = next(path for path in official if path not in files)
        example = missing if set(official) & set(files) else files[0]
        return TOO_FEW_FRAMES, example, f"{length - len(files)} of {length} labelled frames are missing; {called}"
    if all(OFFICIAL_NAME.fullmatch(path.name) for path in files) and int(files[0].stem) > 1:
        return TOO_FEW_FRAMES, official[0], f"the first of {length} labelled frames is missing; {called}"
    pairs = pairwise(last_number(path) for path in files)
    steps = {None if None in pair else pair[1] - pair[0] for pair in pairs}
    if steps == {1} or (len(files) == length and len(steps) <= 1 and steps != {0}):
        return files[:length]
    detail = f"{len(files)} pictures for {length} labelled frames; {called}, and their numbers have gaps or come twice"
    return UNCLEAR_NAMES, files[0], f"{detail}: name them 000001.jpg, 000002.jpg, ..."


def official_names(folder: Path, length: int) -> list[Path]:
    """The files of a clip's first `length` frames, as the official names count them, from 1 on."""
    return [folder / f"{number:06d}.jpg" for number in range(1, length + 1)]
