"""Standard output and error that last as long as the command: a closed terminal or pipe, or a full disk, ends no run."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

# A terminal that was closed, or a reader that has read enough (`| head`), is no mistake.
ENOUGH = (errno.EPIPE, errno.EIO)


class LastingStream:
    """A text stream whose writes do not fail: once it takes no more, the rest is dropped. fault: why, or None."""

    def __init__(self, stream: TextIO):
        with suppress(AttributeError, ValueError):  # a stream of a test or of a notebook may have no encoding, or be closed
            stream.reconfigure(errors="replace")  # such as a minus sign where the terminal knows ASCII alone
        self._stream = stream
        self.fault: OSError | None = None

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self._drop_the_rest(error)
            return len(text)

    def writelines(self, lines) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._drop_the_rest(error)

    def is_at_fault(self) -> bool:
        """Whether it could not be written for another reason than that nobody reads it any more."""
        self.flush()
        return self.fault is not None and self.fault.errno not in ENOUGH

    def check(self) -> None:
        """Raises OSError where it is at fault."""
        if self.is_at_fault():
            raise OSError(self.fault.errno, self.fault.strerror, "standard output")

    def __getattr__(self, name: str):
        return getattr(self._stream, name)

    def _drop_the_rest(self, error: OSError) -> None:
        """What Python still holds for the stream must go somewhere too, or the process would end with an error of its own."""
        self.fault = self.fault or error
        with suppress(OSError, ValueError):  # a stream of a test or of a notebook has no file
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


@contextmanager
def lasting_streams() -> Iterator[LastingStream]:
    """A context with such streams. Gives standard output."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = LastingStream(before[0]), LastingStream(before[1])
    try:
        yield sys.stdout
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before


def open_closed_streams() -> None:
    """Give a process that was started without standard input, output or error a silent one.

    Otherwise the next file that is opened would take its number, and get what libraries write to that number.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r" if name == "stdin" else "w", closefd=False))  # noqa: SIM115 - it stays open
