"""Marks: in each folder that a command makes lies a small file `.analogy`, whose first line says what kind of folder it is."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from analogy.files.reading import read_regular

MARK = ".analogy"
# The kinds of folders.
RUN = "a run"
EVALUATION = "an evaluation"
SHARES = "the shares of an evaluation"
SAVED_MODEL = "a SavedModel"
PREDICTION = "a prediction"
COMPARISON = "a comparison"
PREPARED = "prepared data"
RECOGNISED = "a table of recognised actions"
EXPORT = "an export"
_FILES = "files: "  # the line of a mark that lists them
# What file managers and network disks leave behind, and what a killed process of ours does.
_NOBODYS = re.compile(r"Thumbs\.db|desktop\.ini|\.DS_Store|\.directory|\._.*|\.nfs[0-9a-f]+|\.analogy(-\w+\.partial.*)?")


def mark_folder(folder: Path, kind: str, files: Sequence[str] | None = None) -> None:
    """Write the mark into a folder.

    kind: one of the kinds above. files: the paths of all that we wrote in it, relative to it, where the folder is complete.
    """
    text = f"{kind}\nThis folder was made by analogy. Its commands may replace it; keep files of your own elsewhere.\n"
    listed = "" if files is None else _FILES + json.dumps(files) + "\n"
    (folder / MARK).write_text(text + listed, encoding="utf-8")


def files_of_others(folder: Path) -> list[str]:
    """The paths of files in a marked folder that we did not write, relative to it; empty where the mark does not list ours.

    What file managers leave behind does not count; hidden files do.
    """
    try:
        line = read_regular(folder / MARK).decode("utf-8").splitlines()[-1]
        ours = set(json.loads(line.removeprefix(_FILES))) if line.startswith(_FILES) else None
    except (OSError, ValueError, TypeError, IndexError):
        return []
    return [] if ours is None else [name for name in files_in(folder) if name not in ours]


def files_in(folder: Path) -> list[str]:
    """The paths of the files and links in a folder, relative to it, without those that are nobody's."""
    paths = (
        os.path.relpath(os.path.join(place, name), folder)
        for place, folders, names in os.walk(folder)
        for name in (*names, *(name for name in folders if os.path.islink(os.path.join(place, name))))
        if not _NOBODYS.fullmatch(name)
    )
    return sorted(paths)


def kind_of(folder: Path) -> str | None:
    """The kind in the mark of a folder, such as "a run"; None if it has no readable mark."""
    try:
        return read_regular(folder / MARK).decode("utf-8", errors="replace").partition("\n")[0]
    except OSError:
        return None
