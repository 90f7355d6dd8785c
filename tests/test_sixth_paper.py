"""The proof that the house carries one more paper: it comes from the test suite alone, without an edit anywhere.

It trains, is resumed, evaluated, exported and used for prediction; it builds on another run; it is on the list and has a page.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

import analogy
from analogy.systems import SYSTEMS
from analogy.systems import Entry as SystemEntry
from data_prep.datasets import DATASETS, Opening
from data_prep.datasets import Entry as DatasetEntry
from tests.run_folders import finished_run, rows, the_run, weights
from tests.sixth_paper.settings import OneConvolutionSettings

YAML = """
base: base.yaml
experiment: {experiment}
summary: One convolution on drifting squares
source: the test suite
system: {system}
uses: {uses}
data: {{dataset: drifting_squares, context: 2, horizon: 3, count: 4}}
training: {{steps: 6, batch_size: 2, log_every: 2, sample_every: 4, checkpoint_every: 4, precision: float32}}
optimizer: {{name: adam, learning_rate: 1e-3, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7}}
demo: {{}}
"""


@pytest.fixture
def sixth_paper(monkeypatch):
    """What a new paper adds: one line a system in SYSTEMS, one in DATASETS."""
    for system, name in (("one_convolution", "OneConvolution"), ("refined_convolution", "RefinedConvolution")):
        monkeypatch.setitem(SYSTEMS, system, SystemEntry("sixth", OneConvolutionSettings, "tests.sixth_paper.systems", name))
    opening = Opening("tests.sixth_paper.dataset:open_squares")
    monkeypatch.setitem(DATASETS, "drifting_squares", DatasetEntry({"drifting_squares": opening}, generated=True))


@pytest.fixture
def write(tmp_path):
    """write(experiment, system, uses) -> its YAML file."""

    def make(experiment: str, system: str, uses: str = "{}"):
        path = tmp_path / f"{experiment}.yaml"
        path.write_text(YAML.format(experiment=experiment, system=system, uses=uses))
        return path

    return make


@pytest.mark.slow
def test_a_sixth_paper_lives_in_the_house(sixth_paper, write, invoke, tmp_path):
    results = tmp_path / "results"

    def succeed(command, *options):
        done = invoke(command, *options, "--results-dir", results)
        assert done.exit_code == 0, (done.output, done.stderr, done.exception)
        return done.output

    # It trains ...
    first_yaml = write("sixth_first", "one_convolution")
    succeed("run", "--exp", first_yaml)
    first = the_run(results)
    summary = json.loads((first / "summary.json").read_text())
    assert summary["status"] == "finished" and summary["steps"] == 6 and summary["parameters"]["network"] == 26
    assert [row["step"] for row in rows(first)] == [2, 4, 6]
    assert {"psnr", "mse"} <= set(summary["test"]) and set(summary["baseline"]) == {"copy_last_frame"}

    # ... and goes on exactly where it stopped.
    succeed("run", "--exp", first_yaml, "--steps", 4)
    (stopped,) = set((results / "sixth_first").iterdir()) - {first}
    invoke("run", "--resume", stopped, "--steps", 6)
    whole, resumed = weights(first), weights(stopped)
    assert whole.keys() == resumed.keys() and all(np.array_equal(value, resumed[name]) for name, value in whole.items())

    # It is measured again, as it was trained and as it was exported.
    for number, run in enumerate((first, first / "saved_model"), start=1):
        succeed("evaluate", "--run", run, "--metrics", "psnr,mse")
        evaluations = sorted((results / "evaluation_of_sixth_first").glob("*/metrics.json"))
        assert len(evaluations) == number
        measured = json.loads(evaluations[-1].read_text())["methods"]["prediction"]
        assert measured["mse"] == pytest.approx(summary["test"]["mse"], rel=1e-5)

    # It predicts, from Python too.
    observed_frames = np.zeros([2, 16, 16, 1], np.float32)
    observed_frames[:, 4:8, 4:8] = 1.0
    future = analogy.load(first).predict(observed_frames)
    assert future.shape == (3, 16, 16, 1) and np.ptp(future) > 0

    # Another system builds on it, by name.
    succeed("run", "--exp", write("sixth_second", "refined_convolution", "{draft: sixth_first}"))
    (second,) = (results / "sixth_second").iterdir()
    assert f"draft: {stopped}" in (second / "settings.yaml").read_text()  # the newest finished one
    page = (second / "index.html").read_text()
    assert f"../../sixth_first/{stopped.name}/index.html" in page and "copy last frame" in page
    assert json.loads((second / "summary.json").read_text())["parameters"] == {
        "network": 26
    }  # nothing of the used run is trained

    # All of them are on the list, and two of them can be compared.
    listed = (results / "index.html").read_text()
    assert all(f"{run.parent.name}/{run.name}" in listed for run in (first, stopped, second))
    succeed("compare", "--run", first, "--run", second)
    assert (results / "comparisons").is_dir()


def test_a_used_run_that_does_not_fit_is_one_line(sixth_paper, write, invoke, tmp_path):
    run = finished_run(tmp_path / "results" / "other" / "2026-01-01_000000", endpoint="predict")
    done = invoke(
        "run", "--exp", write("sixth_wrong", "refined_convolution", "{draft: other}"), "--results-dir", run.parents[1]
    )
    assert done.exit_code == 2 and not (run.parents[1] / "sixth_wrong").exists()
    assert done.stderr.splitlines()[-1] == (
        f"error: uses.draft: {run}: its endpoint predict takes values [any, 2], but gets values [any, 2, 16, 16, 1] here: "
        "name a run that fits"
    )


@pytest.mark.parametrize(
    ("system", "uses", "message"),
    [
        ("refined_convolution", "{}", "uses.draft is missing"),
        ("refined_convolution", "{draft: nothing_of_that_name}", "uses.draft nothing_of_that_name: neither a run folder"),
        ("one_convolution", "{draft: sixth_first}", "uses.draft"),
        ("three_convolutions", "{}", "system: 'three_convolutions' is not one of"),
    ],
)
def test_its_mistakes_are_one_line(sixth_paper, write, invoke, tmp_path, system, uses, message):
    done = invoke("run", "--exp", write("sixth_wrong", system, uses), "--results-dir", tmp_path / "results")
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.exit_code == 2 and len(errors) == 1 and message in errors[0], done.output
    assert not (tmp_path / "results").exists()
