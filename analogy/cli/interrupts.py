"""Ctrl-C while modules are imported. This is the first module of a command, and imports next to nothing itself."""

import os
import sys

INTERRUPT = 2  # signal.SIGINT; the module `signal` takes a moment that may be the one of Ctrl-C
_interrupted = []


def end_quietly() -> None:
    """Let Ctrl-C be one line and status 130 also while modules are imported, before a command takes care of it.

    Some libraries turn a KeyboardInterrupt in their import into another exception, which is then no more than its echo.
    """
    before = sys.excepthook

    def said(kind, error, trace) -> None:
        if not (_interrupted or issubclass(kind, KeyboardInterrupt)):
            return before(kind, error, trace)
        try:  # noqa: SIM105 - contextlib takes a moment too
            print("stopped by SIGINT", file=sys.stderr, flush=True)  # noqa: T201 - without an import
        except OSError:
            pass
        os._exit(128 + INTERRUPT)

    sys.excepthook = said
    import signal

    if signal.getsignal(INTERRUPT) == signal.default_int_handler:  # a shell's background jobs ignore it
        signal.signal(INTERRUPT, _interrupt)


def _interrupt(*_) -> None:
    _interrupted.append(True)
    raise KeyboardInterrupt
