"""Paths that users give: where they lead, and whether something can be read or made there."""

import errno
import os
import re
import sys
from pathlib import Path

from analogy.errors import UserError, about
from analogy.files.writing import partial_name

_VARIABLE = re.compile(r"\$\{?(\w+)")  # of a shell
_ADDRESS = re.compile(r"([\w+.-]{2,}):/")  # a Path has lost the second slash
SAVE_THE_VIDEO = "save the video, and name its file"


def expanded(path: str | Path, mend: str = "name a file or folder on this machine") -> Path:
    """The path with `~` or `~user` at its beginning replaced by that home folder.

    Variables such as $HOME are the shell's. They are not replaced here, and a path that holds one is refused, unless there is
    something of that very name; so is the address of a web page or of a bucket.

    mend: what the user can do instead of giving an address.

    Raises:
        UserError: the path is empty, holds such a variable, is an address, or there is no such home.
    """
    text = os.fspath(path)
    if not text:
        raise UserError("the path is empty: name a folder or file (`.` is the current one); is a variable of the shell unset?")
    if "\0" in text:
        raise UserError(f"{text!r}: a path cannot hold the sign \\0")
    if any(name in os.environ for name in _VARIABLE.findall(text)) and not os.path.lexists(text):
        raise UserError(f"{text}: variables are replaced by a shell, not here: write {os.path.expandvars(text)}")
    if (address := _ADDRESS.match(text)) and not os.path.lexists(text):
        raise UserError(f"{address[1]}://...: addresses are not read: {mend}")
    if ".." in Path(text).parts:  # behind a link it means another folder to TensorFlow than to the system
        return Path(os.path.realpath(os.path.expanduser(text)))
    if not text.startswith("~"):  # of a `./~x` Path would make `~x`
        return Path(text)
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        if os.path.lexists(text):  # a file whose name begins so
            return Path(text)
        raise UserError(f"{path}: there is no such folder: {error}") from error


def cache_folder(folder: str | None = None) -> Path:
    """The folder of prepared data: `folder` if it is set, else $ANALOGY_CACHE, else ~/.cache/analogy. Raises UserError."""
    with about("the cache ($ANALOGY_CACHE)"):
        place = expanded(folder or os.environ.get("ANALOGY_CACHE") or "~/.cache/analogy")
        check_path(place.absolute())
        return place


def check_path(path: Path) -> None:
    """Raise a UserError for a path that no file can have here, or that TensorFlow cannot open: its name is no UTF-8."""
    shown = str(path).encode(errors="surrogateescape").decode(errors="replace")
    encoding = sys.getfilesystemencoding()
    if encoding != "utf-8" and not str(path).isascii():
        raise UserError(f"{shown}: names are {encoding} in this environment, and UTF-8 to TensorFlow: set PYTHONUTF8=1")
    if shown != str(path):
        raise UserError(f"{shown}: its name is no UTF-8; rename it")
    try:
        os.lstat(path)
    except (ValueError, OSError) as error:
        if isinstance(error, ValueError) or error.errno == errno.ENAMETOOLONG:
            raise UserError(f"{shown!r}: no file can have this name ({getattr(error, 'strerror', error)})") from error


def no_folder(path: Path) -> str:
    """Why there is no folder at a path, in words. Empty where there is one."""
    if path.is_dir():
        return ""
    return "this is a file, not a folder" if path.exists() else "there is no such folder"


def existing_folder(folder: str | Path) -> Path:
    """The absolute path of a folder. Raises UserError where there is none."""
    folder = Path(folder).absolute()
    if why := no_folder(folder):
        raise UserError(f"{folder}: {why}")
    return folder


def check_present(folder: Path | None, option: str) -> None:
    """Raise a UserError if the folder that an option names does not exist. None: the option was not given."""
    if folder is None:
        return
    check_path(folder)
    if why := no_folder(folder):
        raise UserError(f"{option} {folder}: {why}")


def check_writable(folder: Path, mend: str) -> None:
    """Raise a UserError if a folder cannot be made or written to. Nothing stays that was not there.

    mend: the end of the message, which says what the user can do.
    """
    place = folder.absolute()
    check_path(place)
    while not place.exists() and place != place.parent:
        if place.is_symlink():
            there = os.readlink(place)
            raise UserError(f"{folder}: {place} is a link that leads nowhere, to {there}: mount that disk, or {mend}")
        place = place.parent
    if not place.is_dir():
        raise UserError(f"{folder}: cannot be made: {place} is a file; {mend}")
    if not os.access(place, os.W_OK | os.X_OK):
        raise UserError(f"{folder}: cannot be written: {place} is not yours to write to; {mend}")
    # Permissions say nothing of /proc, of a full disk, or to an administrator of another machine's disk.
    trial = place / partial_name()
    try:
        trial.mkdir()
        trial.rmdir()
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: nothing can be made in {place} ({error.strerror}); {mend}") from error
