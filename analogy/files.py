"""Files that appear whole or not at all: a browser may reload a page while the run is still writing it."""

import fcntl
import logging
import os
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from analogy.errors import UserError

log = logging.getLogger("analogy")
MARK = ".analogy"  # a file in every folder that we made in a place which a user named; see analogy.ownership


# The names of what is not finished; those of earlier versions did not say `analogy`.
_LEFTOVER = re.compile(r"\.(analogy-)?[0-9a-f]{32}\.partial(\..*)?")


def partial_name(suffix: str = "") -> str:
    """A name for what is not finished yet, which no other process and no user gives to a file."""
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
    """Let an OSError from within name the file that is written: that of a full disk names none."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:  # else it is a library's own, with a text
            error.filename = str(path)
        raise


@contextmanager
def without_wildcards(folder: Path) -> Iterator[Path]:
    """Yield a path of this folder that TensorFlow takes as it is: it reads the name of a checkpoint as a pattern, in which
    `[b]`, `*`, `?` and a backslash stand for other names. A path without them is yielded itself, any other as a link to it."""
    folder = Path(folder).absolute()
    if not re.search(r"[\[\]*?\\]", str(folder)):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="analogy-") as place:
        link = Path(place, "folder")
        link.symlink_to(folder, target_is_directory=True)
        yield link


def try_lock(file: IO) -> bool:
    """Lock an open file until it is closed. False where another process holds the lock; a disk that knows no locks is said."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # a network disk without locks
        log.warning("%s: cannot be locked (%s): see to it that no other process works there", file.name, error.strerror)
    return True


@contextmanager
def making(target: Path) -> Iterator[bool]:
    """Let one process make what all need: yield whether `target` is still to be made, and is this process's to make.

    The first process gets True and holds the lock TARGET.lock until the block ends; the others wait for it, say so in one line,
    and get False once `target` is there. A lock ends with its process, so one that is killed stands in nobody's way: the next
    gets True. The block must make `target` appear complete, by a rename.
    """
    if target.exists():
        yield False
        return
    with locked(target):
        yield not target.exists()


@contextmanager
def locked(target: Path) -> Iterator[None]:
    """Hold the lock TARGET.lock until the block ends; where another process holds it, say so in one line and wait."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # The lock file is never deleted: another process may be waiting for this very file.
    with target.with_name(f"{target.name}.lock").open("w") as lock:
        if not try_lock(lock):
            log.warning("another process prepares %s; waiting for it", target)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def check_writable(folder: Path, mend: str) -> None:
    """Raise a UserError where a folder cannot be made or written to; nothing is made. `mend` ends the message."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise UserError(f"{folder}: cannot be made: {place} is a file; {mend}")
    if not os.access(place, os.W_OK | os.X_OK):
        raise UserError(f"{folder}: cannot be written: {place} is not yours to write to; {mend}")


def remove_leftovers(folder: Path, *, older_than: float = 0.0, recursive: bool = True) -> None:
    """Remove what was not finished by a process that was killed: known by names of their own, and folders by our mark too.

    older_than: seconds, for a folder that other processes may be writing to.
    """
    for leftover in (folder.rglob if recursive else folder.glob)(".*.partial*"):
        if not _LEFTOVER.fullmatch(leftover.name) or leftover.is_symlink():
            continue
        with suppress(FileNotFoundError):  # another process has just ended it
            if time.time() - leftover.stat().st_mtime < older_than:
                continue
            if not leftover.is_dir():
                leftover.unlink()
            elif (leftover / MARK).is_file():
                shutil.rmtree(leftover, ignore_errors=True)
