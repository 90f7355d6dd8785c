"""Folders whose names TensorFlow would take for patterns."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from analogy.errors import UserError

USUAL_TEMPORARY_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108  (only where a folder of its own is made)


def has_wildcards(path: Path) -> bool:
    """Whether a path holds a sign that has a special meaning in patterns."""
    return bool(re.search(r"[\[\]*?{}\\]", str(path)))


@contextmanager
def without_wildcards(folder: Path) -> Iterator[Path]:
    """Yield a path to this folder that TensorFlow can read and write.

    TensorFlow treats the path of a checkpoint as a pattern, in which `*`, `?`, `[...]` and a backslash have a special meaning.
    A path with such characters is replaced by a temporary link to the folder. Any other path is yielded unchanged. Raises
    UserError where there is no temporary folder without them.
    """
    folder = Path(folder).absolute()
    if not has_wildcards(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="analogy-", dir=_plain_temporary_folder()) as place:
        link = Path(place, "folder")
        link.symlink_to(folder, target_is_directory=True)
        yield link


def _plain_temporary_folder() -> str:
    """A folder for temporary files whose path has no sign of patterns, also where that of $TMPDIR has one. Raises UserError."""
    usual = tempfile.gettempdir()
    for place in (usual, *USUAL_TEMPORARY_FOLDERS):
        if not has_wildcards(Path(place)) and os.access(place, os.W_OK | os.X_OK):
            return place
    raise UserError(f"{usual}: TensorFlow takes [ ] * ? {{ }} \\ in a path for a pattern: set TMPDIR to a folder without them")
