"""Pose experiments from the command line: every one at demo scale, and a whole run on real labels."""

import json

import keras
import numpy as np
import pytest

from analogy.data.batches import ReplicaContext
from analogy.data.poses import PoseDataset
from analogy.settings import list_experiments
from analogy.systems import SYSTEMS
from data_prep.penn_action.poses import read_pose_clips
from tests.poses import pose_settings

POSE_EXPERIMENTS = [name for name in list_experiments() if name.startswith(("pose_lstm", "pose_seq2seq"))]
SHORT = ("data.context=3", "data.horizon=5", "data.min_future=5", "data.min_frames=8", "training.batch_size=4")


@pytest.mark.parametrize("name", POSE_EXPERIMENTS)
def test_two_demo_steps(name, actors):
    settings = pose_settings(name, *SHORT, scale="demo")
    clips = PoseDataset("synthetic_actors", read_pose_clips(actors), settings.data, seed=0)
    keras.utils.set_random_seed(0)
    system = SYSTEMS[settings.system].build(settings)
    system.prepare_training()
    for batch in clips.batches(ReplicaContext(batch_size=4)).take(2):
        assert np.isfinite(system.train_step(batch)["network/loss"])
    system.validate(clips)
    predicted = next(system.predict_clips(clips)).measure()
    assert list(predicted) == ["prediction", "hold_last_pose", "no_motion"]
    assert np.isfinite(predicted["prediction"]["pose_mse"]).all()


def test_a_run_on_real_labels_and_its_resumption(run_experiment, penn_action, tmp_path):
    labels = tmp_path / "penn"
    labels.mkdir()
    (labels / "labels").symlink_to(penn_action / "labels")  # no frames are needed
    options = [
        "--data-dir",
        labels,
        "--results-dir",
        tmp_path / "results",
        "--set",
        "network.units=16",
        "--set",
        "network.members=1",
        "--set",
        "training.log_every=2",
    ]
    options += [
        "--set",
        "training.sample_every=3",
        "--set",
        "training.checkpoint_every=4",
        "--set",
        "evaluation.clips_per_action=1",
    ]
    whole = run_experiment("--steps", 8, *options, exp="pose_lstm_residual", tiny=False)
    assert whole.returncode == 0, whole.stderr
    half = run_experiment("--steps", 4, *options, exp="pose_lstm_residual", tiny=False)
    assert half.returncode == 0, half.stderr
    first, second = sorted((tmp_path / "results" / "pose_lstm_residual").iterdir())
    resumed = run_experiment("--resume", second, "--steps", 8, exp=None, tiny=False)
    assert resumed.returncode == 0, resumed.stderr

    summaries = [json.loads((run / "summary.json").read_text()) for run in (first, second)]
    assert summaries[0]["test"] == pytest.approx(summaries[1]["test"], rel=1e-5)
    assert summaries[0]["test"]["clips"] == 36 and set(summaries[0]["baseline"]) == {"hold_last_pose", "no_motion"}
    assert summaries[0]["baseline"]["hold_last_pose"]["pose_mse"] == pytest.approx(0.0027, abs=5e-5)
    assert "validation/pose_mse" in (first / "metrics.csv").read_text()
    page = (first / "index.html").read_text()
    assert (
        "Pose error (MSE)" in page and "hold last pose" in page and (first / "plots" / "pose_mse_start0_horizon.png").is_file()
    )
    assert len(list((first / "test" / "squat").glob("*.mp4"))) == 1 and (first / "saved_model" / "saved_model.pb").is_file()


def test_without_labels_there_is_one_clear_error(run_experiment, tmp_path):
    (tmp_path / "labels").mkdir()
    process = run_experiment("--data-dir", tmp_path, "--results-dir", tmp_path / "results", exp="pose_lstm", tiny=False)
    assert process.returncode == 2 and "no labels/*.mat" in process.stderr and "Traceback" not in process.stderr
    (tmp_path / "labels" / "0001.mat").write_bytes(b"no")
    process = run_experiment("--data-dir", tmp_path, "--results-dir", tmp_path / "results", exp="pose_lstm", tiny=False)
    assert process.returncode == 2 and "0001.mat" in process.stderr and not (tmp_path / "results" / "pose_lstm").exists()
