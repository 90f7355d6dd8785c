"""Ctrl-C and SIGTERM end a run so that it can go on: where it trains, after a checkpoint; elsewhere, at once."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

# From SIGTERM to the end, whatever the process is doing: clusters kill 30 seconds after it.
SECONDS_OF_GRACE = 25.0
SECONDS_FOR_WORDS = 3.0
log = logging.getLogger("analogy")


class Stopped(KeyboardInterrupt):
    """The run was asked to stop. `signal` is what asked.

    Not an `Exception`, which TensorFlow would take for a fault of the function that it traces.
    """

    def __init__(self, message: str, number: int):
        super().__init__(message)
        self.signal = number


class StopRequest:
    """A context in which SIGINT and SIGTERM raise `Stopped`, or set `.signal` where that is `deferred`.

    A second SIGINT does not wait for that. In the middle of a call of the device Python hears of no signal: there another
    thread ends the process, `SECONDS_OF_GRACE` after SIGTERM and `SECONDS_FOR_WORDS` after a second SIGINT, and calls
    `last_words` before.
    """

    def __init__(self):
        self.signal: signal.Signals | None = None
        self.last_words: Callable[[], None] = lambda: None
        self._deferred = False
        self._previous: dict = {}

    def __enter__(self) -> StopRequest:
        self._ended = threading.Event()
        self._told, self._tell = socket.socketpair()
        self._tell.setblocking(False)
        # The C library's handler writes the number of the signal there, whatever Python is waiting for.
        self._wakeup = signal.set_wakeup_fd(self._tell.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._on_signal)
        threading.Thread(target=self._end_in_time, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        self._ended.set()
        self._tell.close()

    @contextmanager
    def deferred(self) -> Iterator[StopRequest]:
        """Within, a signal is only noted: whoever trains looks at `.signal`, saves, and raises `Stopped`."""
        self._deferred = True
        try:
            yield self
        finally:
            self._deferred = False

    def _on_signal(self, number, _frame) -> None:
        if self.signal is not None:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return
        self.signal = signal.Signals(number)
        if not self._deferred:
            raise Stopped(f"stopped by {self.signal.name}", number)

    def _end_in_time(self) -> None:
        interrupts = 0
        with self._told:
            while told := self._told.recv(1):
                interrupts += told[0] == signal.SIGINT
                if told[0] == signal.SIGTERM or interrupts > 1:
                    break
        if not told or self._ended.wait(SECONDS_OF_GRACE if told[0] == signal.SIGTERM else SECONDS_FOR_WORDS):
            return
        # In a thread of its own: on a disk or a console that hangs, words must not keep the process.
        words = threading.Thread(target=self._say_last_words, args=(signal.Signals(told[0]),), daemon=True)
        words.start()
        words.join(SECONDS_FOR_WORDS)
        os._exit(128 + told[0])

    def _say_last_words(self, number: signal.Signals) -> None:
        log.error("stopped by %s in the middle of its work", number.name)
        with suppress(Exception):
            self.last_words()
