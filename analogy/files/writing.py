"""Writing files so that they appear complete or not at all, and cleaning up what killed processes have left.

A browser may reload a page while the run is still writing it, so a file is written under a temporary name and then renamed.
"""

import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from analogy.files.marks import MARK

# Names of temporary files and folders. Earlier versions wrote them without `analogy-`.
_LEFTOVER = re.compile(r"\.(analogy-)?[0-9a-f]{32}\.partial(\..*)?")


def partial_name(suffix: str = "") -> str:
    """A unique name for a temporary file or folder: no other process and no user gives it to anything."""
    return f".analogy-{uuid.uuid4().hex}.partial{suffix}"


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path` (same suffix) to write to; it replaces `path` if the block succeeds.

    Missing parent folders are made. If the block raises, `path` is left as it was and the temporary file is removed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays, because encoders choose the format by it; the leading dot hides the file from the pages.
    temporary = path.with_name(partial_name(path.suffix))
    try:
        with naming(path):
            yield temporary
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """A context: an OSError that is raised in it names this file. The OSError of a full disk names no file by itself."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:  # without an errno it is an error of a library, which has its own message
            error.filename = str(path)
        raise


def remove_leftovers(folder: Path, *, older_than: float = 0.0, recursive: bool = True) -> None:
    """Remove temporary files and folders that killed processes left in `folder`.

    They are recognised by their names (`partial_name`), and a folder by our mark in it too.

    older_than: remove only what is older than so many seconds, because other processes may be writing in this folder.
    """
    for leftover in (folder.rglob if recursive else folder.glob)(".*.partial*"):
        if not _LEFTOVER.fullmatch(leftover.name) or leftover.is_symlink():
            continue
        with suppress(FileNotFoundError):  # another process has just finished or removed it
            if time.time() - leftover.stat().st_mtime < older_than:
                continue
            if not leftover.is_dir():
                leftover.unlink()
            elif (leftover / MARK).is_file():
                shutil.rmtree(leftover, ignore_errors=True)
