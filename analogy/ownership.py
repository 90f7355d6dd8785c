"""Which folders are ours: what we write into a place that a user names carries a mark, and what has none is never replaced.

The mark is a small file `.analogy` in the folder, whose first line says what the folder is.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from analogy.errors import UserError
from analogy.files import MARK, check_writable, partial_name, remove_leftovers

AN_HOUR = 3600.0  # no other process takes so long to write one folder
# What a folder of ours is.
RUN, EVALUATION, SAVED_MODEL, PREDICTION, COMPARISON, PREPARED = (
    "a run", "an evaluation", "a SavedModel", "a prediction", "a comparison", "prepared data",
)  # fmt: skip
# By which a folder of an earlier version, which set no mark, is known. It may be a user's all the same.
_EARLIER = {SAVED_MODEL: "saved_model.pb", PREDICTION: "joints.json", COMPARISON: "comparison.md"}
_PARTS_OF_AN_EARLIER_RUN = ("summary.json", "log.txt", "checkpoints", "samples", "plots")


def mark_folder(folder: Path, kind: str) -> None:
    """Say in a folder that we made it, and what it is."""
    text = f"{kind}\nThis folder was made by analogy. Its commands may replace it; keep files of your own elsewhere.\n"
    (folder / MARK).write_text(text, encoding="utf-8")


def kind_of(folder: Path) -> str | None:
    """What a folder of ours is, such as "a run"; None where there is no mark in it that can be read."""
    try:
        return (folder / MARK).read_text(encoding="utf-8", errors="replace").partition("\n")[0]
    except OSError:
        return None


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run or an evaluation, also one of an earlier version."""
    if kind := kind_of(folder):
        return kind in (RUN, EVALUATION)
    return all(os.path.exists(folder / part) for part in _PARTS_OF_AN_EARLIER_RUN)


def refuse_foreign(folder: Path, kind: str) -> None:
    """Raise a UserError where a folder that is about to be written is there already and is not of this kind, made by us."""
    if os.path.islink(folder):
        raise UserError(f"{folder}: is a link; name the folder itself, or one that does not exist yet")
    if not os.path.exists(folder):
        return
    if not os.path.isdir(folder):
        raise UserError(f"{folder}: is a file; name a folder that does not exist yet")
    found = kind_of(folder)
    if found == kind or not any(folder.iterdir()):
        return
    if found:
        raise UserError(f"{folder}: holds {found}, not {kind}; name a folder that does not exist yet")
    mend = "name a folder that does not exist yet"
    if kind in _EARLIER and (folder / _EARLIER[kind]).is_file():
        mend += f", or delete this one yourself if it is {kind} of an earlier version, which set no mark"
    raise UserError(f"{folder}: holds something without our mark, so it is not replaced; {mend}")


@contextmanager
def replacing_folder(folder: Path, kind: str, *, within_run: bool = False) -> Iterator[Path]:
    """`analogy.files.replacing` for a whole folder: yield an empty sibling to fill, which is marked as ours.

    within_run: the folder is part of a run that this process holds, and so is ours without a mark.

    Raises:
        UserError: the folder is there already and is not of this kind, made by us.
    """
    folder = folder.absolute()
    if not within_run:
        refuse_foreign(folder, kind)
    folder.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder.parent, older_than=AN_HOUR, recursive=False)
    partial, before = (folder.with_name(partial_name()) for _ in range(2))
    partial.mkdir()
    try:
        mark_folder(partial, kind)
        yield partial
        if folder.exists():
            os.replace(folder, before)
        os.replace(partial, folder)
    finally:
        for leftover in (partial, before):
            shutil.rmtree(leftover, ignore_errors=True)


def check_output(folder: Path, kind: str, inputs: Iterable[Path | None] = ()) -> None:
    """Refuse a folder for the output of a command, before anything is loaded.

    Args:
        kind: what will be written: SAVED_MODEL, PREDICTION, COMPARISON ...
        inputs: what the command reads, and its other outputs.

    Raises:
        UserError: the folder is in use, is not ours, or cannot be written.
    """
    place = Path(os.path.realpath(folder))
    for given in inputs:
        if given is not None and place in (real := Path(os.path.realpath(given)), *real.parents):
            raise UserError(f"{folder}: this command uses {given}, which would be replaced; name another folder")
    _refuse_inside_run(folder)
    refuse_foreign(folder, kind)
    check_writable(folder, "choose another folder")


def check_results_dir(results: Path) -> None:
    """Refuse a folder for runs that lies in a run, or cannot be written. Raises UserError."""
    _refuse_inside_run(results)
    check_writable(results, "choose another --results-dir")


def _refuse_inside_run(folder: Path) -> None:
    place = Path(os.path.realpath(folder))
    if run := next((parent for parent in (place, *place.parents) if is_run(parent)), None):
        raise UserError(f"{folder}: lies in the run {run}, whose files stay as they are; name a folder outside of it")
