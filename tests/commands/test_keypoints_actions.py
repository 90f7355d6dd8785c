"""The table of recognised actions."""

from types import SimpleNamespace

import numpy as np
from typer.testing import CliRunner

from analogy.evaluation.selection import Selection
from analogy.measure import Evaluation
from analogy.runs.reading import read_runs
from analogy.systems.keypoints.recognition import Recognition
from experiments import keypoints_actions

COUNTS = {"asked_for": np.array([[3, 1], [2, 2]]), "transferred": np.array([[4, 0], [1, 3]])}
OUTCOME = Recognition(["bend", "wave"], {"truth": [True] * 4}, COUNTS)


def test_the_table_is_no_run(tmp_path):
    for _ in range(2):  # the second replaces the first
        keypoints_actions.write_outcome(tmp_path / "recognised_actions" / "toy", OUTCOME, ["toy"], 2)
    written = {path.name for path in (tmp_path / "recognised_actions" / "toy").iterdir()}
    assert written == {".analogy", "table.md", "figures.json", "confusion.png"}
    assert read_runs(tmp_path) == []


def test_the_table_of_recognised_actions():
    right = {"truth": [True] * 4, "generated": [True, True, True, False], "still": [True, False, False, False]}
    outcome = Recognition(["bend", "wave"], right, COUNTS)
    lines = keypoints_actions.table(outcome, 2, 1).splitlines()
    assert lines[2] == "| true videos | 4 | 100.0% |"
    assert lines[3] == "| generated videos, asked for their clip's action | 4 | 75.0% |"
    assert lines[5] == "| generated videos, every action asked for | 8 | 62.5% |"
    assert lines[6] == "| the first frame, moved as a true clip of every action | 8 | 87.5% |"
    assert lines[7] == "| chance |  | 50.0% |"
    assert "1 sample(s)" in lines[-1] and "2 run(s)" in lines[-1]


def test_a_checked_run_is_recognised_with_the_weights_that_were_checked(tmp_path, monkeypatch):
    (weights := tmp_path / "i3d.npz").touch()
    monkeypatch.setattr("analogy.evaluation.selection.fetched_file", {"i3d": weights}.get)
    monkeypatch.setattr("analogy.pretrained.i3d.I3d", lambda file: SimpleNamespace(logits=f"logits of {file}"))
    monkeypatch.setattr("analogy.systems.keypoints.recognition.recognise_futures", lambda *given: given)
    subject = SimpleNamespace(open=lambda measures: ("system", "dataset", {}, 10))
    plan = Evaluation(subject, tmp_path, Selection(("fvd",)), None)
    system, dataset, features, _, samples = keypoints_actions.recognised(plan, 3)
    assert (system, dataset, features, samples) == ("system", "dataset", f"logits of {weights}", 3)


def test_a_run_that_is_not_there_is_one_line(tmp_path):
    result = CliRunner().invoke(keypoints_actions.app, ["--run", "nothing", "--results-dir", str(tmp_path)])
    assert result.exit_code == 2 and "nothing: neither a run folder nor an experiment" in result.output
