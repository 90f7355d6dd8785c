"""A second process that watches the other workers while TensorFlow connects them.

TensorFlow holds Python's lock meanwhile, so that no thread of this process can look, and would wait an hour for a worker that
has ended. This file is the second process's program too. It needs no TensorFlow.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from analogy.one_line import say
from analogy.training.cluster import Cluster, silence

SECONDS_OF_SILENCE = 15.0  # after which a worker is gone: it does not listen for a moment while TensorFlow takes its port over


@contextmanager
def watched(cluster: Cluster) -> Iterator[None]:
    """A context in which this process ends (by SIGALRM) where another worker no longer answers, which is said before."""
    others = [f"{name}={address}" for name, address in cluster.addresses.items() if name != cluster.own]
    command = [sys.executable, "-m", __name__, str(os.getpid()), str(SECONDS_OF_SILENCE), *others]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    watcher = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        watcher.kill()
        watcher.wait()


def watch(parent: int, seconds: float, others: Mapping[str, str]) -> None:
    """Look at the other workers (name -> "host:port") until one has not answered for so many seconds; then end the parent."""
    answered = dict.fromkeys(others, time.monotonic())
    while os.getppid() == parent:  # otherwise it has ended by itself
        for name, address in others.items():
            if not (reason := silence(address)):
                answered[name] = time.monotonic()
            elif time.monotonic() - answered[name] > seconds:
                say(
                    f"{name} ({address}: {reason}) has ended while the workers were connected, and so does this one: start all "
                    "again",
                    err=True,
                )
                os.kill(parent, signal.SIGALRM)
                return
        time.sleep(1.0)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    watch(int(sys.argv[1]), float(sys.argv[2]), dict(pair.split("=", 1) for pair in sys.argv[3:]))
