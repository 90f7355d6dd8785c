"""What all commands share: one clear line for each mistake, messages on the console, and where results go."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from analogy.errors import UserError
from analogy.training.stop import Stopped

RESULTS = Path("results")  # in the folder where the command is given
# What a user can do about a file that cannot be used.
MENDS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room there; a run that has begun goes on with --resume"),
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOENT), "name another file or folder"),
    **dict.fromkeys((errno.EACCES, errno.EROFS, errno.EPERM), "allow it, or choose another folder"),
    **dict.fromkeys((errno.EIO, errno.ESTALE), "look at that disk; a run that has begun goes on with --resume"),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "raise the limit of open files (ulimit -n)"),
}


def app_of(command: Callable) -> typer.Typer:
    """A program of this one command: what the scripts in experiments/ are."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(help=command.__doc__ or sys.modules[command.__module__].__doc__)(command)
    return app


@contextmanager
def clear_errors(place: Path | None = None) -> Iterator[None]:
    """Turn what a user can mend into lines `error: ...` and exit status 2; anything else keeps its stack trace.

    place: what an error of the disk is about that names no file itself.
    """
    try:
        yield
    except UserError as error:
        for line in str(error).splitlines():
            typer.echo(f"error: {line}", err=True)
        raise typer.Exit(2) from error
    except Stopped as stop:
        typer.echo(str(stop), err=True)
        raise typer.Exit(128 + stop.signal) from stop
    except OSError as error:
        where = error.filename or place
        if error.errno not in MENDS or where is None:
            raise
        typer.echo(f"error: {where}: cannot be read or written: {error.strerror}; {MENDS[error.errno]}", err=True)
        raise typer.Exit(2) from error
