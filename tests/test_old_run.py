"""A run folder that an earlier version has written still opens: on the list, in compare, and in evaluate."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from analogy.runs.find import find_run, load_endpoint
from analogy.runs.reading import read_run
from analogy.settings import load_settings, write_settings
from analogy.systems import SYSTEMS
from analogy.visualise.curves import curves_of
from analogy.visualise.pages import write_run_page
from analogy.visualise.results_page import write_results_page
from analogy.visualise.tables import differing_settings

GOLDEN = Path(__file__).parent / "golden" / "old_run"


@pytest.fixture
def old_run(tmp_path) -> Path:
    """results/EXPERIMENT/RUN: a copy of the old run, four steps of a small LSTM on smoothed noise."""
    shutil.copytree(GOLDEN, tmp_path / "results")
    (run,) = (tmp_path / "results").glob("*/*")
    return run


def test_it_is_on_the_list_and_has_its_page(old_run):
    run = read_run(old_run)
    assert not run.problem and run.status == "finished" and run.experiment == "seq2seq_noise_l1"
    write_run_page(old_run)
    write_results_page(old_run.parent.parent)
    listing, page = ((folder / "index.html").read_text() for folder in (old_run.parent.parent, old_run))
    assert ">finished<" in listing and ">unreadable<" not in listing and "0.075165" in listing
    for text in ("0.075165", "linear map", "64 training and 8 test sequences"):
        assert text in page, text
    losses, mse = curves_of(old_run)
    assert losses["title"] == "network" and len(mse["lines"]) == 4


def test_compare_says_in_one_line_what_it_lacks(old_run, invoke):
    other = old_run.with_name("2026-11-26_000000")
    shutil.copytree(old_run, other)
    done = invoke("compare", "--run", old_run, "--run", other, "--results-dir", old_run.parent.parent)
    assert done.exit_code == 2 and done.stderr.count("\n") == 1
    assert "the runs have no test clip in common (clips with a video: " in done.stderr  # sequences have no videos


def test_settings_that_it_lacks_count_as_their_defaults(old_run):
    new = old_run.with_name("new")
    new.mkdir()
    changed = ["training.steps=5", "try_next.seq2seq_noise_l1=half of it"]  # of which the second changes no result
    settings = load_settings(old_run / "settings.yaml", SYSTEMS, scale="demo", overrides=changed)
    write_settings(settings, new / "settings.yaml")
    lines = [(run / "settings.yaml").read_text().splitlines() for run in (old_run, new)]
    assert len(lines[1]) > len(lines[0])
    assert differing_settings([read_run(old_run), read_run(new)], SYSTEMS) == [("training.steps", ["4", "5"])]
    (new / "settings.yaml").write_text("system: nobody's\ntraining: {steps: 5}\n")  # compared as it stands
    assert ("training.steps", ["4", "5"]) in differing_settings([read_run(old_run), read_run(new)], SYSTEMS)


@pytest.mark.parametrize("part", [".", "saved_model"])
def test_its_networks_have_the_figures_that_they_had(old_run, invoke, part):
    before = json.loads((old_run / "summary.json").read_text())
    done = invoke("evaluate", "--run", old_run / part, "--results-dir", old_run.parent.parent)
    assert done.exit_code == 0, done.stderr
    (measured,) = old_run.parent.parent.glob("evaluation_of_*/*/metrics.json")
    methods = json.loads(measured.read_text())["methods"]
    assert methods["prediction"]["mse"] == pytest.approx(before["test"]["mse"], rel=1e-4)
    assert methods["last_value"]["mse"] == pytest.approx(before["baseline"]["last_value"]["mse"], rel=1e-4)


def test_it_can_be_used_by_another_run(old_run):
    run = find_run("seq2seq_noise_l1", old_run.parent.parent, "uses.predictor")
    loaded = load_endpoint(run, "predict")
    (values,) = loaded.signatures["predict"].structured_input_signature[1].values()
    future = loaded.signatures["predict"](**{values.name: np.full([1, *values.shape[1:]], 0.5, np.float32)})
    assert all(np.isfinite(value.numpy()).all() for value in future.values())
