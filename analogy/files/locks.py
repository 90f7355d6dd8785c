"""Locks between processes: one of them makes what all need, the others wait for it."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from analogy.errors import UserError
from analogy.files.paths import check_writable
from analogy.files.reading import check_regular

log = logging.getLogger("analogy")


def open_lock(path: Path, mode: str = "a") -> IO:
    """Open a lock file. Raises OSError, where something else is there, such as a pipe, which would be waited for."""
    if os.path.lexists(path):
        check_regular(path, None)
    return open(path, mode)


def try_lock(file: IO) -> bool:
    """Lock an open file until it is closed. Returns False where another process holds the lock.

    On a disk that does not support locks, it logs a warning and returns True.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # such as a network disk without locks
        log.warning("%s: cannot be locked (%s): see to it that no other process works there", file.name, error.strerror)
    return True


@contextmanager
def making(target: Path) -> Iterator[bool]:
    """Let one of several processes make a file or folder that all of them need. Yields whether this process has to make it.

    The first process gets True and holds the lock TARGET.lock until the block ends. The others log one line, wait, and get
    False once `target` exists. If the first process is killed, its lock ends with it, and the next process gets True. The block
    must make `target` appear complete, by a rename.
    """
    if target.exists():
        yield False
        return
    with locked(target):
        yield not target.exists()


@contextmanager
def locked(target: Path) -> Iterator[None]:
    """Hold the lock TARGET.lock until the block ends. If another process holds it, log one line and wait. Raises UserError
    where the lock cannot be made."""
    # The lock file is never deleted: another process may be waiting for this very file.
    file = target.with_name(f"{target.name}.lock")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        opened = open_lock(file)
    except OSError as error:
        mend = "choose another folder of prepared data: ANALOGY_CACHE"
        check_writable(target.parent, mend)  # says more
        raise UserError(f"{error.filename or file}: cannot be written ({error.strerror}); allow it, or {mend}") from error
    with opened as lock:
        if not try_lock(lock):
            log.warning("another process prepares %s; waiting for it", target)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
