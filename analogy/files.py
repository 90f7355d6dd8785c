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


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path` (same suffix) to write to; it replaces `path` if the block succeeds.

    Missing parent folders are made. If the block raises, `path` is left as it was and the temporary file is removed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays, because encoders choose the format by it; the leading dot hides the file from the pages.
    temporary = path.with_name(f".{uuid.uuid4().hex}.partial{path.suffix}")
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
    target.parent.mkdir(parents=True, exist_ok=True)
    # The lock file is never deleted: another process may be waiting for this very file.
    with target.with_name(f"{target.name}.lock").open("w") as lock:
        if not try_lock(lock):
            log.warning("another process prepares %s; waiting for it", target)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield not target.exists()


def refuse_other_content(folder: Path, mark: str, what: str) -> None:
    """Raise a UserError where a folder that is about to be replaced holds anything but `what`, known by its file `mark`."""
    if folder.exists() and not (folder / mark).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: holds something that is not {what}; name a folder that does not exist yet")


def check_writable(folder: Path, mend: str) -> None:
    """Raise a UserError where a folder cannot be made or written to; nothing is made. `mend` ends the message."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise UserError(f"{folder}: cannot be made: {place} is a file; {mend}")
    if not os.access(place, os.W_OK | os.X_OK):
        raise UserError(f"{folder}: cannot be written: {place} is not yours to write to; {mend}")


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """`replacing` for a whole folder: yield an empty sibling to fill."""
    folder = folder.absolute()
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def remove_leftovers(folder: Path, *, older_than: float = 0.0) -> None:
    """Remove what `replacing` and `replacing_folder` have left of a process that was killed.

    older_than: seconds, for a folder that other processes may be writing to.
    """
    for leftover in [*folder.rglob(".*.partial"), *folder.rglob(".*.partial.*")]:
        with suppress(FileNotFoundError):  # another process has just ended it
            if time.time() - leftover.stat().st_mtime < older_than:
                continue
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink()
