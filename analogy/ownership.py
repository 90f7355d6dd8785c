"""Only folders that analogy has made are ever replaced or deleted. They are known by their marks (`analogy.files.marks`)."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from analogy.errors import UserError
from analogy.files.marks import (
    COMPARISON,
    EVALUATION,
    PREDICTION,
    RECOGNISED,
    RUN,
    SAVED_MODEL,
    files_in,
    files_of_others,
    kind_of,
    mark_folder,
)
from analogy.files.paths import check_writable
from analogy.files.reading import read_regular
from analogy.files.writing import partial_name, remove_leftovers, replacing

log = logging.getLogger("analogy")

AN_HOUR = 3600.0  # in seconds; no process takes so long to write one folder
# Earlier versions set no mark. This file suggests that a folder is theirs, but it may still belong to a user.
_EARLIER = {SAVED_MODEL: "saved_model.pb", PREDICTION: "joints.json", COMPARISON: "comparison.md", RECOGNISED: "figures.json"}
_PARTS_OF_AN_EARLIER_RUN = ("summary.json", "log.txt", "checkpoints", "samples", "plots")


def is_run(folder: Path) -> bool:
    """Whether a folder is a run or an evaluation; those of earlier versions count too."""
    if kind := kind_of(folder):
        return kind in (RUN, EVALUATION)
    return all(os.path.exists(folder / part) for part in _PARTS_OF_AN_EARLIER_RUN)


def refuse_foreign(folder: Path, kind: str) -> None:
    """Raise a UserError if a folder that is to be written exists already and is not a folder of this kind that we made."""
    if os.path.islink(folder):
        raise UserError(f"{folder}: is a link; name the folder itself, or one that does not exist yet")
    if not os.path.exists(folder):
        return
    if not os.path.isdir(folder):
        raise UserError(f"{folder}: is a file; name a folder that does not exist yet")
    # A folder is replaced as a whole, by another of that name, which these cannot be, even empty.
    for what, is_it in {"a disk": os.path.ismount(folder), "the current folder": os.path.samefile(folder, ".")}.items():
        if is_it:
            raise UserError(f"{folder}: is {what}, which cannot be replaced; name a folder in it that does not exist yet")
    existing_kind = kind_of(folder)
    if existing_kind == kind and (others := files_of_others(folder)):
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise UserError(
            f"{folder}: {others[0]}{more} in it is not ours, and would be lost; move it away, or name another folder"
        )
    if existing_kind == kind or not any(folder.iterdir()):
        return
    if existing_kind:
        raise UserError(f"{folder}: holds {existing_kind}, not {kind}; name a folder that does not exist yet")
    mend = "name a folder that does not exist yet"
    if kind in _EARLIER and (folder / _EARLIER[kind]).is_file():
        mend += f", or delete this one yourself if it is {kind} of an earlier version, which set no mark"
    raise UserError(f"{folder}: holds something without our mark, so it is not replaced; {mend}")


@dataclass
class Replacement:
    """partial: the empty, marked folder to fill. folder: the one that it replaces; at the end, the one where all lies."""

    partial: Path
    folder: Path


@contextmanager
def replacing_folder(folder: Path, kind: str, *, new: bool = False, within_run: bool = False) -> Iterator[Replacement]:
    """`analogy.files.writing.replacing` for a whole folder: yield an empty, marked sibling folder; it replaces `folder`.

    If somebody else makes or fills `folder` meanwhile, theirs is kept, and a warning says under which name ours lies, as the
    replacement's `folder` does.

    Args:
        new: `unused_folder` has chosen the name, so what is there by now is another's.
        within_run: the folder is part of a run whose lock this process holds, so it is ours even without a mark.

    Raises:
        UserError: the folder exists already and is not a folder of this kind that we made.
    """
    named, folder = folder, folder.absolute()
    if not within_run and not new:
        refuse_foreign(folder, kind)
    folder.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder.parent, older_than=AN_HOUR, recursive=False)
    partial, before = (folder.with_name(partial_name()) for _ in range(2))
    there = None if new else _inode(folder)
    replacement = Replacement(partial, named)
    partial.mkdir()
    try:
        mark_folder(partial, kind)
        yield replacement
        mark_folder(partial, kind, files_in(partial))
        if not within_run and (_inode(folder) != there or not _may_replace(folder, kind)):
            taken, folder = folder, unused_folder(folder)
            replacement.folder = folder
            log.warning("%s: was made or filled by somebody else meanwhile, and is kept; this one lies in %s", taken, folder)
        if folder.exists():
            os.replace(folder, before)
        os.replace(partial, folder)
        for name in files_of_others(before):  # of a run, whose parts are never refused
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(before / name, folder / name)
    finally:
        for leftover in (partial, before):
            shutil.rmtree(leftover, ignore_errors=True)


def _inode(folder: Path) -> int | None:
    """The number by which the system knows this very folder; None if there is none."""
    try:
        return os.lstat(folder).st_ino
    except FileNotFoundError:
        return None


def _may_replace(folder: Path, kind: str) -> bool:
    try:
        refuse_foreign(folder, kind)
    except UserError:
        return False
    return True


def is_our_text(path: Path, text: str) -> bool:
    """Whether a text file may be replaced by `text`: there is none yet, or its first line is the same."""
    if not os.path.lexists(path):
        return True
    try:
        there = read_regular(path).decode("utf-8", errors="replace")
    except OSError:
        return False
    return there.split("\n", 1)[0] == text.split("\n", 1)[0]


def check_text_output(path: Path, text: str, what: str, mend: str = "name another with --out") -> None:
    """Check a text file that a command will write, before its long work begins.

    Args:
        text: how it will begin, at least its first line.
        what: ours is, such as "table".

    Raises:
        UserError: the file is not ours (`is_our_text`) and would be lost, lies in a run, or cannot be written.
    """
    refuse_inside_run(path)
    check_writable(path.parent, mend)
    if not is_our_text(path, text):
        raise UserError(f"{path}: this file is no {what}, and is not replaced; {mend}")


def write_our_text(path: Path, text: str) -> None:
    """Write a table or the like. A file that is not ours (`is_our_text`) is kept, and a warning is logged."""
    if not is_our_text(path, text):
        log.warning("%s: this file is not ours, and is kept; move it away to have ours there", path)
        return
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def unused_folder(folder: Path) -> Path:
    """This folder; or, where it is there already, one with a number behind its name: earlier results of one name are kept."""
    names = chain([folder], (folder.with_name(f"{folder.name}_{number}") for number in count(2)))
    return next(name for name in names if not os.path.lexists(name))


def check_output(folder: Path, kind: str, inputs: Iterable[Path | None] = ()) -> None:
    """Check the output folder of a command, before anything is loaded.

    Args:
        kind: the kind of folder that will be written: SAVED_MODEL, PREDICTION, COMPARISON ...
        inputs: the files and folders that the command reads, and its other output folders.

    Raises:
        UserError: the folder is one of `inputs` or holds one, lies in a run, was not made by us, or cannot be written.
    """
    place = Path(os.path.realpath(folder))
    for path in inputs:
        if path is not None and place in (real := Path(os.path.realpath(path)), *real.parents):
            raise UserError(f"{folder}: this command uses {path}, which would be replaced; name another folder")
    refuse_inside_run(folder)
    refuse_foreign(folder, kind)
    check_writable(folder, "choose another folder")


def check_results_dir(results: Path) -> None:
    """Raise a UserError if a folder for runs lies inside of a run, or cannot be written."""
    refuse_inside_run(results)
    check_writable(results, "choose another --results-dir")


def refuse_inside_run(folder: Path) -> None:
    """Raise a UserError if a folder to be written lies in a run."""
    place = Path(os.path.realpath(folder))
    if run := next((parent for parent in (place, *place.parents) if is_run(parent)), None):
        raise UserError(f"{folder}: lies in the run {run}, whose files stay as they are; name a folder outside of it")
