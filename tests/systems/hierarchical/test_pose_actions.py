"""The action recogniser: it learns, is exported, and judges predicted poses."""

import numpy as np
import pytest

from analogy.data.batches import ReplicaContext
from analogy.data.poses import PoseDataset
from analogy.errors import UserError
from analogy.evaluation.recogniser import Recogniser
from analogy.graphs import graph_function
from analogy.predictions.poses import PredictedPoses
from analogy.runs.export import export_saved_model
from analogy.settings import write_settings
from tests.poses import TINY, made_up_clips
from tests.systems.conftest import build_system

SMALL = (*TINY, "network.units=8", "training.batch_size=4", "data.time_stretch=0")


def build(*overrides):
    return build_system("pose_actions", *SMALL, *overrides)


def moving_clips():
    """Those who squat go up and down, those who bowl to and fro."""
    clips = made_up_clips()
    for clip in clips:
        wave = 30 * np.sin(np.arange(clip.length))
        clip.joints[..., 1 if clip.action == "squat" else 0] += wave[:, None]
    return clips


@pytest.fixture
def batch():
    settings = build().settings
    return next(iter(PoseDataset("made_up", moving_clips(), settings.data, seed=0).batches(ReplicaContext(batch_size=4))))


def test_what_is_not_valid_changes_nothing():
    system = build()
    rng = np.random.default_rng(0)
    joints, visibility = rng.uniform(0, 90, (2, 6, 13, 2)).astype("f4"), np.ones((2, 6, 13), "f4")
    valid = np.ones((2, 6), "f4")
    valid[:, 4:] = 0
    probabilities = system.classify(joints, visibility, valid)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    joints[:, 4:] = np.nan
    np.testing.assert_allclose(system.classify(joints, visibility, valid), probabilities, atol=1e-6)


@pytest.mark.slow
def test_motion_is_recognised_exported_and_judged(tmp_path):
    system = build("optimizer.learning_rate=0.01")
    clips = PoseDataset("made_up", moving_clips(), system.settings.data, seed=0)
    step = graph_function(system.train_step)
    for batch in clips.batches(ReplicaContext(batch_size=4)).take(150):
        report = step(batch)
    assert report["accuracy"] > 0.7
    assert {panels.columns[0][0].split()[0] for panels in system.sample_panels(clips)} <= {"squat", "bowl"}
    figures = [clip.measure() for clip in system.predict_clips(clips)]
    assert np.mean([methods["prediction"]["accuracy"] for methods in figures]) == 1.0 and "commonest_action" in figures[0]

    export_saved_model(system, tmp_path / "saved_model")
    write_settings(system.settings, tmp_path / "settings.yaml")
    recogniser = Recogniser(tmp_path)
    for clip in (*clips.train, *clips.test):
        windows = clips.windows(clip)
        future = windows["joints"][:, 4:]
        middle = future.mean(1, keepdims=True)
        other = middle + (future - middle)[..., ::-1]  # up and down becomes to and fro
        selected = {"clip": clip.id, "action": clip.action, "distance": np.arange(6), "windows": windows}
        recogniser.add(PredictedPoses(**selected, prediction=other, visibility=np.ones(other.shape[:3])))
    judged = recogniser.result()
    assert judged["truth"] == 1.0 and judged["prediction"] < 0.7 and "hold_last_pose" in judged


def test_a_recogniser_must_be_one(tmp_path):
    with pytest.raises(UserError, match="no saved_model"):
        Recogniser(tmp_path)
