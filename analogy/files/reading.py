"""Reading the files of users: regular ones only, of a bounded size, JSON and YAML without their traps."""

import errno
import json
import os
import stat
from itertools import chain
from math import inf
from pathlib import Path
from typing import Any

import yaml

LARGEST_FILE = 1 << 30  # bytes; no file that is read as a whole is larger
MOST_YAML_NODES = 1_000_000  # of a text with aliases
# Errors of the system that belong to one file, which others can be read without: a broken or looping link, a pipe, a folder.
NO_FILE = (errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.ENXIO, errno.ENAMETOOLONG, errno.EFBIG)


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
