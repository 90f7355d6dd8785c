"""Commands start fast: help, lists and refusals import no TensorFlow."""

import subprocess
import sys

QUICK = """
import sys
from typer.testing import CliRunner
from analogy.cli.app import COMMANDS, make_app

app, runner = make_app(), CliRunner()
for command in ("--help", "list", *(f"{name} --help" for name in COMMANDS)):
    done = runner.invoke(app, command.split())
    assert done.exit_code == 0, (command, done.output)
    heavy = {"tensorflow", "keras", "scipy", "matplotlib", "cv2"} & set(sys.modules)
    assert not heavy, (command, heavy)
for command in REFUSED:
    done = runner.invoke(app, command.split())
    assert done.exit_code == 2 and "Traceback" not in done.stderr, (command, done.output, done.stderr)
    heavy = {"tensorflow", "keras"} & set(sys.modules)
    assert not heavy, (command, heavy)
"""
REFUSED = [
    "run analogy_pol3",
    "run analogy_pool3 --scale paper",
    "run analogy_pool3 --devices cpu:3 --set training.stepz=2",
    "run analogy_pool3 --set loss.feature=1 --set loss.feature_weights=no.npy",
    "run --resume nowhere",
    "fetch",
    "fetch everything",
    "prepare nothing --image-size 3",
    "prepare kth --data-dir .",
    "evaluate",
    "evaluate --run nowhere --metrics beauty",
    "evaluate --predictions . --truth . --metrics fvd --fvd-frames 3",
    "compare --run nowhere",
    "predict missing.mp4",
    "evaluate-pipeline --pose-run nowhere",
]


def test_help_lists_and_refusals_import_no_tensorflow(tmp_path):
    script = QUICK.replace("REFUSED", repr(REFUSED))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir())
