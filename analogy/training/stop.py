"""Signals end a run so that it can be resumed: during training after a checkpoint, at other times at once."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

# Ctrl-C, a cluster's end and its warnings before it, a closed terminal, clocks: what ends a process and is no fault of its
# own. Not every system has all of them.
NAMES = ["INT", "TERM", "HUP", "QUIT", "USR1", "USR2", "XCPU", "ALRM", "VTALRM", "PROF", "IO", "PWR", "STKFLT"]
SIGNALS = tuple(getattr(signal, f"SIG{name}") for name in NAMES if hasattr(signal, f"SIG{name}"))
# The longest time from a signal to the end of the process. Clusters kill a process 30 seconds after SIGTERM.
SECONDS_OF_GRACE = 25.0
SECONDS_FOR_WORDS = 3.0  # the longest time for `last_words`
log = logging.getLogger("analogy")


class Stopped(KeyboardInterrupt):
    """A signal has stopped the run. signal: its number.

    It is not an `Exception`, because TensorFlow would take that for an error in the function that it traces.
    """

    def __init__(self, message: str, number: int):
        super().__init__(message)
        self.signal = number


class StopRequest:
    """A context in which each of SIGNALS raises `Stopped`. Within `deferred`, they only set `.signal`.

    What the process ignores stays ignored: SIGHUP under nohup. A second SIGINT raises KeyboardInterrupt in both cases.
    Python handles no signal while it waits for a call of TensorFlow. So a second thread also watches the signals. It ends the
    process SECONDS_OF_GRACE after a signal other than SIGINT, or SECONDS_FOR_WORDS after a second SIGINT, if the context has
    not been left by then. Before that it calls `last_words`.
    """

    def __init__(self):
        self.signal: signal.Signals | None = None
        self.last_words: Callable[[], None] = lambda: None
        self._deferred = False
        self._previous: dict = {}

    def __enter__(self) -> StopRequest:
        self._ended = threading.Event()
        self._receiver, self._sender = socket.socketpair()
        self._sender.setblocking(False)
        # The C handler of a signal writes its number into this socket at once, even while Python waits for TensorFlow.
        self._wakeup = signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        for number in SIGNALS:
            if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:
                self._previous[number] = signal.signal(number, self._on_signal)
        threading.Thread(target=self._end_in_time, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        self._ended.set()
        self._sender.close()

    @contextmanager
    def deferred(self) -> Iterator[StopRequest]:
        """A context in which a signal only sets `.signal`. The training loop sees it, saves, and raises `Stopped`."""
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
        """The second thread: wait for any signal except the first SIGINT, and end the process if nothing else does in time."""
        interrupts = 0
        with self._receiver:
            while received := self._receiver.recv(1):
                interrupts += received[0] == signal.SIGINT
                if received[0] in set(self._previous) - {signal.SIGINT} or interrupts > 1:
                    break
        if not received or self._ended.wait(SECONDS_FOR_WORDS if received[0] == signal.SIGINT else SECONDS_OF_GRACE):
            return
        # In a thread of its own, so that a disk or a console that hangs cannot keep the process alive.
        words = threading.Thread(target=self._say_last_words, args=(signal.Signals(received[0]),), daemon=True)
        words.start()
        words.join(SECONDS_FOR_WORDS)
        os._exit(128 + received[0])

    def _say_last_words(self, number: signal.Signals) -> None:
        log.error("stopped by %s in the middle of its work", number.name)
        with suppress(Exception):
            self.last_words()
