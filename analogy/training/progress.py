"""Messages on the console, and progress: a bar with the remaining time on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from analogy.one_line import OneLine

log = logging.getLogger("analogy")
SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def messages_shown(verbose: bool = True) -> Iterator[None]:
    """A context that prints messages to standard output and errors to standard error.

    The log.txt of a run folder has both, and more details.

    verbose: false prints only warnings and errors, both to standard error.
    """
    before = log.level, log.propagate, log.handlers[:]
    log.setLevel(logging.DEBUG)
    log.propagate = False  # a library that configures the root logger would print every line twice
    first_error = logging.ERROR if verbose else logging.WARNING
    log.handlers[:] = [
        _handler(sys.stdout, lambda record: logging.INFO <= record.levelno < first_error and verbose),
        _handler(sys.stderr, lambda record: record.levelno >= first_error),
    ]
    try:
        yield
    finally:
        log.setLevel(before[0])
        log.propagate, log.handlers[:] = before[1:]


def _handler(stream, allow: Callable[[logging.LogRecord], bool]) -> logging.Handler:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(OneLine("%(message)s"))
    handler.addFilter(allow)
    return handler


class Progress:
    """Progress from step `first` to `last`. `say` shows the latest figures, in the bar or as a line each ten seconds."""

    def __init__(self, title: str, first: int, last: int):
        self._first, self._last, self._last_line, self._began = first, last, 0.0, time.monotonic()
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            disable=not sys.stdout.isatty(),
        )
        self._task = self._bar.add_task(title, total=last, completed=first, figures="")

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, *_) -> None:
        self._bar.stop()

    def update(self, step: int) -> None:
        self._bar.update(self._task, completed=step)

    def say(self, step: int, figures: str) -> None:
        self._bar.update(self._task, figures=figures)
        now = time.monotonic()
        if step < self._last and now - self._last_line < SECONDS_BETWEEN_LINES:
            log.debug("step %d  %s", step, figures)
            return
        self._last_line = now
        remaining = (now - self._began) / (step - self._first) * (self._last - step)
        level = logging.DEBUG if sys.stdout.isatty() else logging.INFO
        log.log(level, "step %d of %d  %s  ETA %d s", step, self._last, figures, remaining)
