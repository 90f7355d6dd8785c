"""What the pose predictor is told of the action: never is a golf swing continued as a squat without a word."""

import json

import numpy as np
import pytest
import yaml

from analogy.errors import UserError
from analogy.runs.ready import ReadyModel
from analogy.systems.hierarchical import observed_action, steps
from analogy.systems.hierarchical.observed_action import UNKNOWN_ACTION, check_action, recognised_action, told_action
from analogy.systems.hierarchical.steps import Step, find_recogniser, find_steps

ALL = Step("all", "", ("bowl", "golf_swing", "squat"), told=True)
SQUATS = Step("squats", "", ("squat",))
READER = Step("reader", "", ("bowl", "golf_swing", "squat"))
POSES = np.zeros([15, 13, 2], np.float32), np.ones([15, 13], np.float32)


@pytest.mark.parametrize(
    ("action", "predictor", "reader", "seen", "number", "words"),
    [
        (
            None,
            ALL,
            READER,
            ("golf_swing", 0.9),
            1,
            "action: golf_swing (probability 0.90), read from 15 observed poses by reader",
        ),
        ("squat", ALL, READER, ("golf_swing", 0.9), 2, "action: squat, as --action says"),
        (None, ALL, READER, ("golf_swing", 0.4), UNKNOWN_ACTION, "the predictor is told none: name it with --action"),
        (None, SQUATS, READER, ("golf_swing", 0.9), UNKNOWN_ACTION, "squats was trained on squat and continues it as that"),
        (
            None,
            SQUATS,
            None,
            None,
            UNKNOWN_ACTION,
            "squats was trained on squat, and continues whatever is seen as one of these",
        ),
        (
            None,
            Step("every", "", every_action=True),
            READER,
            ("bowl", 0.9),
            UNKNOWN_ACTION,
            "trained on every action of its data",
        ),
    ],
)
def test_what_the_predictor_is_told_and_why(monkeypatch, action, predictor, reader, seen, number, words):
    monkeypatch.setattr(observed_action, "recognised_action", lambda *_: seen)
    told = told_action(action, predictor, reader, *POSES)
    assert told.number == number and any(words in line for line in told.lines), told


def test_an_action_that_the_predictor_does_not_know_is_one_line():
    check_action("squat", ALL)
    check_action(None, SQUATS)
    with pytest.raises(UserError, match=r"--action golf swng: .*did you mean golf_swing"):
        check_action("golf swng", ALL)
    with pytest.raises(UserError, match=r"--action squat: squats is not told actions \(it was trained on squat\)"):
        check_action("squat", SQUATS)


class Reader:
    """Asked of 4 poses; the action's number is that of the poses that are valid."""

    def __init__(self, run):
        self.called = run

    def inputs(self, endpoint):
        return {"joints": np.zeros([1, 4, 13, 2])}

    def call(self, observed, inputs, endpoint):
        valid = int(inputs["valid"].sum())
        assert endpoint == "classify" and inputs["joints"].shape == (1, 4, 13, 2)
        return np.eye(5, dtype=np.float32)[valid : valid + 1]


def test_the_last_poses_are_read_and_missing_ones_are_not_valid(monkeypatch):
    monkeypatch.setattr("analogy.runs.calling.SavedModel", Reader)
    reader = Step("reader", "", tuple("abcde"))
    assert recognised_action(reader, POSES[0][:3], POSES[1][:3]) == ("d", 1.0)
    assert recognised_action(reader, *POSES) == ("e", 1.0)


@pytest.fixture
def run(tmp_path):
    """run(EXPERIMENT, SYSTEM, DAY, actions) makes the folder of a finished run."""

    def make(experiment, system, day, actions, conditioned=False):
        folder = tmp_path / "results" / experiment / f"2026-11-{day:02}_120000"
        (folder / "saved_model").mkdir(parents=True)
        (folder / "saved_model" / "saved_model.pb").touch()
        settings = {"data": {"actions": actions, "horizon": 45}, "network": {"conditioned": conditioned}}
        (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
        summary = {"system": system, "status": "finished", "started": f"2026-11-{day:02}T12:00:00"}
        (folder / "summary.json").write_text(json.dumps(summary))
        return folder

    return make


def test_the_predictor_of_all_actions_goes_before_the_newest_and_own_runs_before_those_that_come_along(
    run, tmp_path, monkeypatch
):
    systems = "pose_residual", "analogy_masked", "pose_actions"
    along = [run("along", system, day, ["squat"] if day == 3 else "all") for day, system in enumerate(systems, 1)]
    results = tmp_path / "results"
    (results / "along").rename(tmp_path / "along")
    models = {
        folder.name: ReadyModel(tmp_path / "along" / folder.name, {}, {"system": system}, 0)
        for folder, system in zip(along, systems, strict=True)
    }
    monkeypatch.setattr(steps, "ready_models", lambda: models)
    poses, painter = find_steps(None, None, results)
    assert poses.run.parent.name == painter.run.parent.name == "along" and poses.why == "the newest that comes along"
    assert poses.trained_on == "every action of its dataset"
    assert find_recogniser(results, poses).run.parent.name == "along"
    assert find_recogniser(results, ALL) is None, "a predictor that is told actions is told by own runs alone"

    run("squats", "pose_residual", 5, ["squat"])
    everything = run("everything", "pose_residual", 3, ["bowl", "golf_swing", "squat", "situp"], conditioned=True)
    painter = run("painter", "analogy_masked", 6, ["squat"])
    run("older", "analogy_gan", 4, ["squat", "bowl"])
    reader = run("reader", "pose_actions", 4, ["squat", "bowl"])
    found, painted = find_steps(None, None, results)
    assert found.run == everything and found.told and found.trained_on == "4 actions" and found.horizon == 45
    assert "the one trained on the most actions" in found.why
    assert painted.run == painter and find_recogniser(results, found).run == reader
    named, _ = find_steps("squats", None, results)
    assert named.actions == ("squat",) and named.why == "named by --pose-run"
    (reader / "settings.yaml").unlink()  # without the names of its actions nobody can say what it has recognised
    assert find_recogniser(results, found) is None
