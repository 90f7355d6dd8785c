"""Writing files so that they appear complete or not at all, locks between processes, and cleaning up.

A browser may reload a page while the run is still writing it, so a file is written under a temporary name and then renamed.
"""

import errno
import fcntl
import json
import logging
import os
import re
import shutil
import stat
import sys
import tempfile
import time
import uuid
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, count
from math import inf
from pathlib import Path
from typing import IO, Any

import yaml

from analogy.errors import UserError, about

log = logging.getLogger("analogy")
MARK = ".analogy"  # a file in every folder that analogy has made; see analogy.ownership
USUAL_TEMPORARY_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108  (only where a folder of its own is made)
LARGEST_FILE = 1 << 30  # bytes; no file that is read as a whole is larger
MOST_YAML_NODES = 1_000_000  # of a text with aliases
# Errors of the system that belong to one file, which others can be read without: a broken or looping link, a pipe, a folder.
NO_FILE = (errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.ENXIO, errno.ENAMETOOLONG, errno.EFBIG)
LONGEST_NAME = 150  # bytes; a file system allows 255 for a whole name
# The suffixes by which videos and pictures of users are known.
VIDEOS = (
    ".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".gif", ".mpg", ".mpeg", ".wmv", ".flv", ".ts", ".mts", ".m2ts", ".3gp",
    ".ogv", ".mxf", ".dv", ".y4m", ".apng", ".vob", ".asf", ".m2v", ".f4v", ".mjpeg", ".mjpg",
)  # fmt: skip
PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".avif")


# Names of temporary files and folders. Earlier versions wrote them without `analogy-`.
_LEFTOVER = re.compile(r"\.(analogy-)?[0-9a-f]{32}\.partial(\..*)?")
_VARIABLE = re.compile(r"\$\{?(\w+)")  # of a shell


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


def check_regular(path: str | Path, largest: int | None = LARGEST_FILE) -> None:
    """Raise OSError where a path is no regular file, or one of more bytes than `largest`.

    Reading a pipe may wait for ever, and a device may never end. Call this before a file of a user is read.
    """
    status = Path(path).stat()
    if stat.S_ISDIR(status.st_mode):
        raise OSError(errno.EISDIR, "this is a folder, not a file", str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "this is a pipe or a device, not a file", str(path))
    if largest is not None and status.st_size > largest:
        raise OSError(
            errno.EFBIG, f"this file of {status.st_size / 1e9:.1f} GB is too large to be what it should be", str(path)
        )


def not_there(path: str | Path) -> str:
    """Why there is no regular file at a path, in words; also where something else is there. Empty where there is one."""
    try:
        check_regular(path, None)
    except FileNotFoundError:
        return "there is no such file" + ("; the link leads nowhere" if os.path.islink(path) else "")
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


def read_regular(path: str | Path) -> bytes:
    """The content of a regular file of at most LARGEST_FILE bytes. Raises OSError."""
    check_regular(path)
    return Path(path).read_bytes()


def read_json(path: str | Path) -> Any:
    """The content of a JSON file. Raises OSError, or ValueError where it is no JSON, or nested too deeply."""
    try:
        return json.loads(read_regular(path).decode("utf-8-sig"))  # programs of Windows write a mark before it
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def read_yaml(text: str, loader: type) -> Any:
    """`yaml.load`, for texts of strangers: aliases of aliases of ... would unfold to more than any memory, and one of itself to
    no end. loader: of PyYAML. Raises yaml.YAMLError, ValueError, or RecursionError."""
    reader = loader(text)
    try:
        node = reader.get_single_node()
        if node is not None and "*" in text and _unfolded(node, {}) > MOST_YAML_NODES:
            raise ValueError("its aliases unfold to too much")
        return None if node is None else reader.construct_document(node)
    finally:
        reader.dispose()


def _unfolded(node: yaml.Node, sizes: dict[int, float]) -> float:
    """The number of nodes of a YAML text whose aliases are replaced by what they stand for. sizes: of the nodes seen, by id."""
    if id(node) not in sizes:
        sizes[id(node)] = inf  # within itself
        parts = chain.from_iterable(node.value) if isinstance(node, yaml.MappingNode) else node.value
        sizes[id(node)] = 1 if isinstance(node, yaml.ScalarNode) else 1 + sum(_unfolded(part, sizes) for part in parts)
    return sizes[id(node)]


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


def files_below(folder: Path, *, predictions: bool = False) -> Iterator[Path]:
    """The files below a folder, without hidden ones. Broken links and pipes are among them: reading them says what they are.

    Runs, evaluations and comparisons below it are passed over: what they have written is no data. So are predictions, unless
    `predictions` are asked for. Links to folders are followed, but each folder is entered once. A folder that cannot be read is
    named in a warning.
    """
    entered: set[str] = set()

    def warn(error: OSError) -> None:
        log.warning("%s: this folder cannot be read (%s), and is left out", error.filename, error.strerror)

    for place, folders, names in os.walk(folder, onerror=warn, followlinks=True):
        if (real := os.path.realpath(place)) in entered or (place != str(folder) and _is_result(Path(place), predictions)):
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(
            (name for name in folders if not name.startswith(".")),
            key=lambda name: (os.path.islink(os.path.join(place, name)), name),  # folders are known by their own names first
        )
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(place, name)


def visible(paths: Iterable[Path]) -> list[Path]:
    """Sorted, without hidden ones: macOS puts a file ._NAME beside each NAME on disks and in archives of others."""
    return sorted(path for path in paths if not path.name.startswith("."))


def by_number(path: Path) -> tuple[list, str]:
    """A sort key for the names of files that puts frame2 before frame10, and 01 always before 1."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", path.name)], path.name


def last_number(path: Path) -> int | None:
    """The last number in a file's name, which of a picture says its place in a video; None where there is none."""
    digits = re.findall(r"\d+", path.stem)
    return int(digits[-1]) if digits else None


def _is_result(folder: Path, predictions: bool) -> bool:
    """Whether analogy has made this folder for what it computed. predictions: those do not count."""
    kinds = (b"a run\n", b"an evaluation\n", b"a comparison\n", *([] if predictions else [b"a prediction\n"]))
    try:
        return read_regular(folder / MARK).startswith(kinds)
    except OSError:
        return False


def distinct_name(name: str, others: Container[str]) -> str:
    """The name of a clip for messages and for the files of a run that are called by it.

    It is printable, at most LONGEST_NAME bytes long, and none of `others`: a number at its end makes it so.
    """
    printable = "".join(sign if sign.isprintable() else "_" for sign in name)
    short = printable.encode()[:LONGEST_NAME].decode(errors="ignore")
    names = chain([short], (f"{short}~{number}" for number in count(2)))
    return next(candidate for candidate in names if candidate not in others)


def expanded(path: str | Path) -> Path:
    """The path with `~` or `~user` at its beginning replaced by that home folder.

    Variables such as $HOME are the shell's. They are not replaced here, and a path that holds one is refused, unless there is
    something of that very name.

    Raises:
        UserError: the path is empty, holds such a variable, or there is no such home.
    """
    text = os.fspath(path)
    if not text:
        raise UserError("the path is empty: name a folder or file (`.` is the current one); is a variable of the shell unset?")
    if "\0" in text:
        raise UserError(f"{text!r}: a path cannot hold the sign \\0")
    if any(name in os.environ for name in _VARIABLE.findall(text)) and not os.path.lexists(text):
        raise UserError(f"{text}: variables are replaced by a shell, not here: write {os.path.expandvars(text)}")
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


def check_present(folder: Path | None, option: str) -> None:
    """Raise a UserError if the folder that an option names does not exist. None: the option was not given."""
    if folder is None:
        return
    check_path(folder)
    if not folder.is_dir():
        problem = "this is a file, not a folder" if folder.exists() else "there is no such folder"
        raise UserError(f"{option} {folder}: {problem}")


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
