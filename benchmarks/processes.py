"""Two processes that are compared: ours asks, and that of PyTorch answers. Both libraries cannot be loaded into one.

The scripts of PyTorch import this file too, so that it needs neither library.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path


def peak_gigabytes() -> float:
    """Peak resident memory of this process so far, in gigabytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


class Process:
    """A script that is run by another interpreter, and that answers each line of its input with a line.

    Args:
        interpreter: of an environment with PyTorch. script: the name of its file in this folder. arguments: of the script.
    """

    def __init__(self, interpreter: str, script: str, *arguments: str):
        command = [interpreter, str(Path(__file__).with_name(script)), *arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def answer(self) -> str:
        """The next line that it prints."""
        return self._process.stdout.readline() or sys.exit("PyTorch's process has ended; is it installed? See --help")

    def ask(self, *words: str) -> float:
        """Let it do what a line says (see the script). Returns the number that it answers."""
        print(*words, file=self._process.stdin, flush=True)
        return float(self.answer())


def answer_lines(answers: object) -> None:
    """The other side of `Process.ask`: for each line of input, call the method that it names, and print what it returns.

    `cpu_seconds` (the processor time of this process so far) and `peak_gigabytes` are answered for all.
    """
    common: dict[str, Callable] = {"cpu_seconds": time.process_time, "peak_gigabytes": peak_gigabytes}
    for line in sys.stdin:
        name, *arguments = line.split()
        print((common.get(name) or getattr(answers, name))(*arguments), flush=True)
