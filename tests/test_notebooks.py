"""The notebooks: kept without what they printed, and each runs from its first cell to its last."""

import json
import re

import pytest

from analogy.resolve import resolve_settings
from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
STEPS = "3"  # of each training in a notebook, instead of hundreds


def test_there_are_four():
    names = [path.stem for path in NOTEBOOKS]
    assert names == ["first_run", "keypoints_and_classes", "next_frames", "your_own_video"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_kept_without_outputs(path):
    cells = json.loads(path.read_text("utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code and not any(cell["outputs"] or cell["execution_count"] for cell in code)
    assert "STEPS = int(os.environ.get(" in "".join(code[0]["source"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_steps_that_it_says_a_demo_has_are_the_demo_s(path, tmp_path):
    text = "".join("".join(cell["source"]) for cell in json.loads(path.read_text("utf-8"))["cells"])
    said = {int(steps) for steps in re.findall(r"demo (?:by itself )?has ([0-9]+)", text)}
    trained = re.findall(r'analogy\.train\(\s*"(\w+)"', text)
    demos = [resolve_settings(name, results_dir=tmp_path, scale="demo", writes=False) for name in trained]
    assert said <= {settings.training.steps for settings in demos}


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path, tmp_path, monkeypatch):
    why = "the notebooks need `pip install -e .[notebooks]`"
    nbformat, nbclient = pytest.importorskip("nbformat", reason=why), pytest.importorskip("nbclient", reason=why)
    pytest.importorskip("ipykernel", reason=why)
    monkeypatch.setenv("STEPS", STEPS)
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    assert any("image/gif" in output["data"] for output in shown)
