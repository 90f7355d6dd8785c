"""TensorFlow's first lines on standard error: those that are no error are silenced, and nothing else is lost."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

NOTES = [
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
    "I0000 00:00:1795818224.213991    2724 port.cc:153] oneDNN custom operations are on. To turn them off, set a variable.",
    "W0000 00:00:1795818224.213991    2724 computation_placer.cc:177] computation placer already registered.",
]
ERRORS = [
    "E0000 00:00:1795818224.313556    2724 cuda_dnn.cc:8579] Unable to register cuDNN factory",
    "F0000 00:00:1795818224.313556    2724 cpu_feature_guard.cc:18] the library was compiled to use AVX instructions",
]
NO_DRIVER = "E0000 00:00:1795818231.367650    2724 cuda_platform.cc:52] failed call to cuInit: INTERNAL: UNKNOWN ERROR (303)"
BAD_DRIVER = NO_DRIVER.replace("303", "999")
LIBRARY = """
import os
class config:
    def list_physical_devices():
        os.write(2, LAST)
os.write(2, FIRST)
END
"""
COMMAND = """
import os, sys
from analogy.cli.first_lines import silence_first_lines
silence_first_lines()
try:
    import tensorflow
except ImportError as error:
    print(error, file=sys.stderr, flush=True)
os.write(2, b"I0000 later\\n")
"""


def said_by_a_command(folder: Path, *, end: str = "", **variables: str) -> tuple[list[str], int]:
    """The lines on standard error of a process that imports a TensorFlow which says all of the above, and its status.

    end: the last statement of the import.
    """
    (folder / "tensorflow").mkdir()
    first, last = ("\n".join([*lines, ""]).encode() for lines in ([*NOTES, *ERRORS], [NO_DRIVER, BAD_DRIVER]))
    code = LIBRARY.replace("FIRST", repr(first)).replace("LAST", repr(last)).replace("END", end)
    (folder / "tensorflow" / "__init__.py").write_text(code)
    variables = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"} | variables
    variables["PYTHONPATH"] = os.pathsep.join([str(folder), *sys.path])
    done = subprocess.run([sys.executable, "-c", COMMAND], env=variables, capture_output=True, text=True)
    return done.stderr.splitlines(), done.returncode


@pytest.mark.parametrize(
    ("level", "said"),
    [
        (None, [*ERRORS, BAD_DRIVER]),
        ("0", [*NOTES, *ERRORS]),  # nothing is done: the devices are not looked for
        ("1", [NOTES[2], *ERRORS, BAD_DRIVER]),
        ("3", ERRORS[1:]),
    ],
)
def test_the_level_holds_for_the_first_lines_too(tmp_path, level, said):
    assert said_by_a_command(tmp_path, **({"TF_CPP_MIN_LOG_LEVEL": level} if level else {})) == ([*said, "I0000 later"], 0)


def test_what_ends_the_import_is_said(tmp_path):
    assert said_by_a_command(tmp_path, end="raise ImportError('no such library')")[0] == [
        *ERRORS, "no such library", "I0000 later"
    ]  # fmt: skip


def test_the_lines_before_a_library_ends_the_process_are_said(tmp_path):
    assert said_by_a_command(tmp_path, end="os.abort()") == (ERRORS, -6)
