"""Classifiers on trained and untrained predictors: which runs are trained, with what, and the table of their accuracies."""

import json
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from experiments import lvln_classifiers


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """The settings of the runs that the script asks for: (fold, name, experiment) -> settings. No run is trained; the
    classifiers on the trained predictor recognise two of three windows, the others one."""
    asked = {}

    def finished_run(exp, results, *, scale, data_dir, set):
        asked[results.parent.name, results.name, exp] = set
        folder = results / exp / "run"
        folder.mkdir(parents=True)
        right = [1.0, float("heads_trained" in results.name), 0.0]
        clips = [{"clip": str(number), "accuracy": value, "baseline_accuracy": 0.0} for number, value in enumerate(right)]
        (folder / "summary.json").write_text(json.dumps({"clips": clips}))
        return SimpleNamespace(folder=folder)

    monkeypatch.setattr(lvln_classifiers, "finished_run", finished_run)
    monkeypatch.setattr(lvln_classifiers, "check_settings", lambda *values, **options: None)
    return asked


def test_every_fold_has_a_trained_and_an_untrained_predictor(trained, tmp_path):
    options = [
        "--dataset",
        "weizmann",
        "--data-dir",
        tmp_path,
        "--persons",
        "0, 1",
        "--persons",
        "2",
        "--results-dir",
        tmp_path,
    ]
    options += ["--predictor-steps", 7, "--predictor-set", "network.width=0.125", "--set", "data.image_size=64"]
    result = CliRunner().invoke(lvln_classifiers.app, [str(option) for option in options])
    assert result.exit_code == 0, result.output
    assert len(trained) == 2 * (2 + 3 + 3 + 1)
    for fold, persons in (("fold_0", [0, 1]), ("fold_1", [2])):
        assert all(trained[key]["data.test_persons"] == persons for key in trained if key[0] == fold)
        assert trained[fold, "trained", "lvln_three_frame"]["training.steps"] == 7
        assert trained[fold, "untrained", "lvln_three_frame"]["optimizer.learning_rate"] < 1e-9
        for state in ("trained", "untrained"):
            used = tmp_path / "weizmann" / fold / state / "lvln_three_frame" / "run"
            head = trained[fold, f"heads_{state}", "lvln_classifier_c13"]
            assert head["uses.predictor"] == str(used) and "network.width" not in head
        assert trained[fold, "pixels", "lvln_classifier_c4"]["network.features"] == "pixels"
    lines = (tmp_path / "weizmann" / "classifiers.md").read_text().splitlines()
    assert lines[2] == "| states of C4, trained predictor | 6 | 66.7% | 66.7% / 66.7% |"
    assert lines[-2:] == [
        "| the last frame's pixels alone | 6 | 33.3% | 33.3% / 33.3% |",
        "| nothing: the commonest action | 6 | 0.0% | 0.0% / 0.0% |",
    ]


def test_a_table_of_a_user_is_kept_before_anything_is_trained(trained, tmp_path):
    options = ["--dataset", "synthetic_actors", "--results-dir", str(tmp_path)]
    (table := tmp_path / "synthetic_actors" / "classifiers.md").parent.mkdir()
    table.write_text("precious")
    result = CliRunner().invoke(lvln_classifiers.app, options)
    said = "this file is no table of classifiers, and is not replaced; move it away, or choose another --results-dir"
    assert result.exit_code == 2 and result.output == f"error: {table}: {said}\n"
    assert not trained and table.read_text() == "precious"


def test_mistakes_are_one_line(tmp_path):
    result = CliRunner().invoke(lvln_classifiers.app, ["--dataset", "weizmann", "--persons", "0, x"])
    assert result.exit_code == 2 and result.output == "error: --persons: x is no number of a person\n"


@pytest.mark.parametrize(
    ("option", "setting", "message"),
    [
        ("--set", "network.lateral=3", "lvln_classifier_c4.yaml, --set: unknown setting network.lateral"),  # of no classifier
        ("--set", "network.classes=7", "lvln_three_frame.yaml, --set: unknown setting network.classes"),
        ("--predictor-set", "training.stepz=3", "unknown setting training.stepz"),
    ],
)
def test_a_setting_that_some_runs_do_not_have_is_found_before_any_is_trained(tmp_path, monkeypatch, option, setting, message):
    def finished_run(*values, **options):
        raise AssertionError("a run was trained")

    monkeypatch.setattr(lvln_classifiers, "finished_run", finished_run)
    options = ["--dataset", "synthetic_actors", "--results-dir", str(tmp_path), option, setting]
    result = CliRunner().invoke(lvln_classifiers.app, options)
    assert result.exit_code == 2 and message in result.stderr, result.output


def test_settings_that_all_runs_have_are_right(tmp_path):
    common = {"data.dataset": "synthetic_actors", "data.image_size": 64}
    lvln_classifiers.check_settings(common, {"network.width": 0.125}, tmp_path, scale="demo", data_dir=None)
