"""Ctrl-C and SIGTERM ask the loop to stop at the next moment it can save."""

from __future__ import annotations

import signal


class StopRequest:
    """A context in which SIGINT and SIGTERM set `.signal` and the process goes on; a second SIGINT ends it at once."""

    def __init__(self):
        self.signal: signal.Signals | None = None
        self._previous: dict = {}

    def __enter__(self) -> StopRequest:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _on_signal(self, number, _frame) -> None:
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)


class Stopped(Exception):
    """The run was asked to stop, and saved. `signal` is what asked."""

    def __init__(self, message: str, number: int):
        super().__init__(message)
        self.signal = number
