"""The exception that means "you can mend this": its message is printed as clear lines, without a stack trace."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class UserError(Exception):
    """A fault of the input, not of the program. The message names the file or key and says how to mend it; several faults
    stand in several lines."""


@contextlib.contextmanager
def about(setting: str):
    """Let a UserError from within begin with the setting that led to it."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{setting}: {error}") from error


class Mistakes:
    """A context in which the mistakes of an input are collected, so that a user sees all of them at once.

    At its end a single UserError with a line for each is raised, if there were any.
    """

    def __init__(self):
        self._lines: list[str] = []

    def __enter__(self) -> Mistakes:
        return self

    def __exit__(self, kind, error, trace) -> None:
        if isinstance(error, UserError):
            self.add(str(error))
        elif error is not None:
            return
        if self._lines:
            raise UserError("\n".join(dict.fromkeys(self._lines))) from error

    def __bool__(self) -> bool:
        """Whether there has been one."""
        return bool(self._lines)

    def add(self, message: str) -> None:
        self._lines += message.splitlines()

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Within, a UserError ends the block, is collected, and the checks after the block go on."""
        try:
            yield
        except UserError as error:
            self.add(str(error))
