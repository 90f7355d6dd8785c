"""Shared by all commands: one clear line for each mistake, and the default folder of results."""

from __future__ import annotations

import csv
import errno
import io
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Union, get_args, get_origin, get_type_hints

import typer

from analogy.cli.streams import lasting_streams
from analogy.errors import UserError, about
from analogy.files.paths import expanded
from analogy.one_line import OneLine, say
from analogy.training.stop import Stopped

RESULTS = Path("results")  # relative to the current folder
# Error number of the system -> what the user can do.
MENDS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room there; a run that has begun goes on with --resume"),
    **dict.fromkeys(
        (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOENT, errno.ENAMETOOLONG, errno.ELOOP, errno.ENXIO),
        "name another file or folder",
    ),
    errno.EFBIG: "allow larger files (ulimit -f), or choose a disk that takes them; a run that has begun goes on with --resume",
    **dict.fromkeys((errno.EACCES, errno.EROFS, errno.EPERM), "allow it, or choose another folder"),
    **dict.fromkeys((errno.EIO, errno.ESTALE), "look at that disk; a run that has begun goes on with --resume"),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "raise the limit of open files (ulimit -n)"),
}
# The same, where the error names a file: without one they may be of a network, or a fault of ours.
MENDS_OF_FILES = {
    **MENDS,
    errno.EINVAL: MENDS[errno.ENOENT],
    **dict.fromkeys((errno.ENOTCONN, errno.ETIMEDOUT), MENDS[errno.EIO]),
}


class App(typer.Typer):
    """A program whose help and complaints about options, too, may be written to a full disk or a closed pipe."""

    def __call__(self, *args, **options):
        with lasting_streams() as output:
            try:
                return super().__call__(*args, **options)
            except SystemExit as end:
                if output.is_at_fault() and not end.code:
                    say(f"error: standard output: {output.fault.strerror}", err=True)
                    raise SystemExit(2) from output.fault
                raise


def app_of(command: Callable) -> typer.Typer:
    """A program that consists of this command alone, for the scripts in experiments/."""
    set_environment()
    app = App(add_completion=False, pretty_exceptions_enable=False)
    app.command(help=command.__doc__ or sys.modules[command.__module__].__doc__)(with_paths(command))
    return app


def with_paths(command: Callable) -> Callable:
    """The command, whose options of type Path are read as everywhere else: by `analogy.files.paths.expanded`.

    No shell replaces the ~ of `--out=~/runs`, and an empty text would be the current folder.
    """
    hints = get_type_hints(command, include_extras=True)
    for name, hint in hints.items():
        if get_origin(hint) is Union:  # Python 3.10 makes it of every hint whose default is None
            hint = hints[name] = next((part for part in get_args(hint) if get_origin(part) is Annotated), hint)
        if get_origin(hint) is Annotated and {Path, list[Path]} & {(kind := get_args(hint)[0]), *get_args(kind)}:
            hint.__metadata__[0].parser = _path_parser(f"--{name.replace('_', '-')}")
    command.__annotations__ = hints  # else they would be made anew from their texts, without the parsers
    return command


def _path_parser(option: str) -> Callable[[str], Path]:
    def path(text: str) -> Path:  # its name is shown by --help
        with clear_errors(), about(option):
            return expanded(text)

    return path


def set_environment() -> None:
    """What a command asks of logging, and of TensorFlow and Matplotlib before either is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.lastResort.setFormatter(OneLine("%(message)s"))  # for warnings of commands that show no other messages
    os.environ["MPLBACKEND"] = "agg"  # it draws into files only; another backend may not be installed, or not exist


def names_in(text: str | None) -> list[str]:
    """The names in the value of an option such as "0050, 0280". One that holds a comma stands in double quotes, as in CSV."""
    rows = csv.reader(io.StringIO(text or "", newline=""), skipinitialspace=True)
    return [name for row in rows for field in row if (name := field.strip())]


@contextmanager
def clear_errors(place: Path | None = None) -> Iterator[None]:
    """A context that prints errors which the user can mend as lines `error: ...`, and exits with status 2.

    Other errors keep their stack trace. place: the folder to name for an error of the disk that names no file.
    """
    with lasting_streams() as output:
        try:
            yield
            output.check()
        except UserError as error:
            say(*(f"error: {line}" for line in error.lines), err=True)
            raise typer.Exit(2) from error
        except Stopped as stop:
            say(str(stop), err=True)
            raise typer.Exit(128 + stop.signal) from stop
        except KeyboardInterrupt as interrupt:  # before training, or after it
            say("stopped by SIGINT", err=True)
            raise typer.Exit(128 + signal.SIGINT) from interrupt
        except MemoryError as error:
            why = f" ({error})" if str(error) else ""
            say(f"error: there is not enough memory{why}; give less at once: fewer or smaller frames", err=True)
            raise typer.Exit(2) from error
        except OSError as error:
            where, mends = (error.filename, MENDS_OF_FILES) if error.filename else (place, MENDS)
            if error.errno not in mends or where is None:
                raise
            line = f"{where}: cannot be read or written: {error.strerror}; {mends[error.errno]}"
            say(f"error: {line}", err=True)
            raise typer.Exit(2) from error
