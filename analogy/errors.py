"""UserError, the exception for mistakes that the user can mend. Commands print its message without a stack trace."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from analogy.one_line import printable


class UserError(Exception):
    """A fault of the input, not of the program.

    The message names the file or the key and says how to mend it.

    lines: one for each fault. They are made `printable`.
    """

    def __init__(self, *lines: str):
        self.lines = tuple(map(printable, lines))
        super().__init__(*self.lines)

    def __str__(self) -> str:
        return "\n".join(self.lines)

    @property
    def in_one_line(self) -> str:
        """The message as a part of another one."""
        return "; ".join(self.lines)

    def without(self, file: Path) -> str:
        """The message, without the name of the file with which it begins."""
        return str(self).removeprefix(printable(f"{file}: "))


# Lines and parts of TensorFlow's messages that name nodes of a graph, which say nothing to a user.
_ABOUT_NODES = re.compile(r"\s*(Graph execution error:|Detected at node |<stack traces|\[\[\{\{|File \")|\s*$")
_NODE = re.compile(r"\{\{.*?\}\} ?|\s*\[Op:.*$|\s*\[\[\{\{.*$")


def first_line(error: Exception) -> str:
    """The first line of an exception's message that says something, at most 240 characters, without TensorFlow's node names."""
    lines = [_NODE.sub("", line).strip() for line in str(error).splitlines() if not _ABOUT_NODES.match(line)]
    return next(filter(None, lines), type(error).__name__)[:240]


def shortened(text: str, most: int = 120) -> str:
    """A text of a user on one line, and of a long one its beginning and its end."""
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 23]} ... {text[-18:]}"


@contextlib.contextmanager
def about(setting: str):
    """A context: the message of a UserError that is raised in it gets the name of the setting as a prefix."""
    try:
        yield
    except UserError as error:
        raise UserError(*(f"{setting}: {line}" for line in error.lines)) from error


class Mistakes:
    """A context that collects mistakes, so that a user sees all of them at once.

    Leaving it raises a single UserError with one line for each mistake, if there was any.
    """

    def __init__(self):
        self._lines: list[str] = []

    def __enter__(self) -> Mistakes:
        return self

    def __exit__(self, kind, error, trace) -> None:
        if isinstance(error, UserError):
            self._lines += error.lines
        elif error is not None:
            return
        if self._lines:
            raise UserError(*dict.fromkeys(self._lines)) from error

    def __bool__(self) -> bool:
        """Whether a mistake was collected."""
        return bool(self._lines)

    def add(self, message: str) -> None:
        self._lines.append(message)

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """A block of checks: a UserError ends the block and is collected. The checks after the block still run."""
        try:
            yield
        except UserError as error:
            self._lines += error.lines
