"""TensorFlow's first lines on standard error, without those that are no error.

While its libraries are loaded, TensorFlow logs before it reads TF_CPP_MIN_LOG_LEVEL, whatever that says
(https://github.com/tensorflow/tensorflow/issues/100442). A second process, whose program is this file too, passes on the other
lines at once, so that none is lost where a library ends the process: on a processor that it was not compiled for, say.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.abc import MetaPathFinder
from importlib.util import find_spec

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
SEVERITIES = b"IWE"  # of a line such as "I0000 00:00:1795818224.213991    2724 port.cc:153] ..."; level n silences the first n
NO_DRIVER = rb"E\d{4} .*failed call to cuInit: .*\(303\)"  # CUDA's code where there is no driver: a machine without a GPU
NOT_SET_UP = rb"WARNING: All log messages before absl::InitializeLog"
SECONDS_TO_END = 5.0


class FirstLines(MetaPathFinder):
    """Lets TensorFlow be imported with the level that the environment says; see `silence_first_lines`."""

    def find_spec(self, fullname, path, target=None):
        if fullname != "tensorflow":
            return None
        sys.meta_path.remove(self)
        if spec := find_spec(fullname):
            load = spec.loader.exec_module

            def load_silently(module):
                with silenced(os.environ[LEVEL]):
                    load(module)
                    module.config.list_physical_devices()  # which looks for a GPU's driver, once in a process

            spec.loader.exec_module = load_silently
        return spec


def silence_first_lines() -> None:
    """Let the first lines of TensorFlow, too, be silenced as TF_CPP_MIN_LOG_LEVEL says, when it will be imported: by default
    those of errors remain."""
    if _number(os.environ.setdefault(LEVEL, "2")) and "tensorflow" not in sys.modules:
        sys.meta_path[:] = [FirstLines(), *(finder for finder in sys.meta_path if not isinstance(finder, FirstLines))]


@contextmanager
def silenced(level: str) -> Iterator[None]:
    """A context in which what is written to file 2, by whatever library, goes through `pass_on`."""
    command = [sys.executable, "-I", "-S", __file__, level]
    try:  # in a session of its own, where no Ctrl-C of a terminal ends it before this process
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)
    except OSError:  # no memory, or no more processes
        yield
        return
    sys.stderr.flush()
    before = os.dup(2)
    os.dup2(process.stdin.fileno(), 2)
    process.stdin.close()
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(before, 2)
        os.close(before)
        with suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS_TO_END)


def pass_on(level: str) -> None:
    """Copy standard input to standard error, except for what is silenced."""
    severities = b"[%s]" % SEVERITIES[: _number(level)]
    silent = re.compile(rb"%s|%s|%s\d{4} " % (NOT_SET_UP, NO_DRIVER, severities))
    for line in sys.stdin.buffer:
        if not silent.match(line):
            sys.stderr.buffer.write(line)
            sys.stderr.flush()


def _number(level: str) -> int:
    """The level, read as TensorFlow reads it."""
    return int(level) if level.isdecimal() else 0


if __name__ == "__main__":
    pass_on(sys.argv[1])
