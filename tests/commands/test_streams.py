"""Standard output that is closed, full, or no longer read ends no command with a stack trace."""

import errno
import io
import logging
import os
import re
import subprocess
import sys

import pytest
import typer

from analogy.cli.console import clear_errors
from analogy.cli.streams import LastingStream, lasting_streams
from analogy.files.marks import RUN, mark_folder
from analogy.runs.folder import RunFolder
from analogy.training.progress import messages_shown
from tests.conftest import ROOT


def analogy(shell: str) -> subprocess.CompletedProcess:
    """The command `analogy` in a shell, which does with its streams what `shell` says."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [
        "bash",
        "-o",
        "pipefail",
        "-c",
        re.sub(r"analogy (?=list|run|models)", f"{sys.executable} -m analogy.cli ", shell),
    ]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


# `true` reads nothing: it has ended long before the first word, as `head -1` may have.
def test_help_on_a_full_disk_is_one_line():
    done = analogy("analogy run --help > /dev/full")
    assert done.returncode == 2 and done.stderr == "error: standard output: No space left on device\n"


def test_a_terminal_that_knows_ascii_alone_gets_something_for_other_signs():
    done = analogy("PYTHONIOENCODING=ascii analogy models")
    assert done.returncode == 0 and not done.stderr and "?" in done.stdout


@pytest.mark.parametrize("shell", ["analogy list | true", "analogy list >&-", "analogy list <&- >&- 2>&-"])
def test_output_that_nobody_reads_is_no_mistake(shell):
    done = analogy(shell)
    assert done.returncode == 0 and not done.stderr


def test_a_full_disk_is_one_line():
    done = analogy("analogy list > /dev/full")
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2 and line.startswith("error: standard output: ") and "No space left" in line


def test_a_mistake_is_a_mistake_where_nobody_hears_of_it():
    assert analogy("analogy run --exp nothing 2>&-").returncode == 2


INTERRUPTED = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background of a shell, as of a CI, it is ignored
import analogy.cli
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt as error:
    ECHO
"""


@pytest.mark.parametrize("echo", ["raise", "raise RuntimeError('of a library whose import was interrupted') from error"])
def test_ctrl_c_while_modules_are_imported_is_one_line(echo):
    program = [sys.executable, "-c", INTERRUPTED.replace("ECHO", echo)]
    done = subprocess.run(program, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (130, "stopped by SIGINT\n")


class Broken(io.StringIO):
    """A terminal that was closed."""

    def write(self, text):
        raise OSError(5, "Input/output error")

    def flush(self):
        raise OSError(5, "Input/output error")


def test_a_reader_that_has_read_enough_ends_nothing(monkeypatch):
    """As `| head -1`: certain here, where the pipe is closed between two lines."""
    reading, writing = os.pipe()
    with open(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        with lasting_streams() as output:
            print("one", flush=True)
            assert os.read(reading, 9) == b"one\n"
            os.close(reading)
            print("two", flush=True)
            print("three")
            assert output.fault.errno == 32
            output.check()  # no mistake


def test_a_terminal_that_is_closed_ends_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Broken())
    with lasting_streams() as output:
        print("one\ntwo", flush=True)
        print("three")
        assert output.fault.errno == 5
        output.check()  # no mistake
    full = LastingStream(Broken())
    full.fault = OSError(28, "No space left on device")
    with pytest.raises(OSError, match="standard output"):
        full.check()


def test_control_characters_of_names_do_nothing_to_the_terminal_or_to_lines(invoke, tmp_path):
    done = invoke("evaluate", "--run", "\x1b[2J\x07x\ny", "--results-dir", tmp_path)
    (line,) = done.stderr.splitlines()
    assert done.exit_code == 2 and line.startswith(r"error: --run \x1b[2J\x07x\ny: neither a run folder")


def test_an_error_of_the_system_is_one_line(capsys):
    """Such as of a file that is longer than the shell (ulimit -f) or a USB disk allows."""
    with pytest.raises(typer.Exit), clear_errors():
        raise OSError(errno.EFBIG, "File too large", "a\nb")
    said = capsys.readouterr().err
    assert said.startswith(r"error: a\nb: cannot be read or written: File too large; allow larger files (ulimit -f)")
    assert said.count("\n") == 1


def test_a_message_of_the_log_is_one_line(capsys, tmp_path):
    log, folder = logging.getLogger("analogy"), RunFolder(tmp_path / "run")
    with messages_shown():
        log.addHandler(folder._handler)
        log.warning("%s: odd", "a\n2026-01-01 00:00:00 ERROR b\x1b[2J")
    folder.close()
    for text in (capsys.readouterr().out, (folder.path / "log.txt").read_text()):
        assert text.endswith("a\\n2026-01-01 00:00:00 ERROR b\\x1b[2J: odd\n") and text.count("\n") == 1


@pytest.mark.parametrize("name", ["metrics.jsonl", "log.txt", ".lock"])
def test_a_pipe_in_a_run_is_not_waited_for(invoke, tmp_path, name):
    run = tmp_path / "results" / "seq2seq_sins_l1" / "now"
    run.mkdir(parents=True)
    mark_folder(run, RUN)
    (run / "settings.yaml").write_text("seed: 0\n")
    os.mkfifo(run / name)
    done = invoke("run", "--resume", run)
    assert done.exit_code == 2 and f"{name} in it is a pipe or a device, not a file; take it out of the folder" in done.stderr
