"""Pose experiments from the command line: one of each kind at demo scale, and a whole run on real labels."""

import json

import keras
import numpy as np
import pytest

from analogy.data.batches import ReplicaContext
from analogy.data.poses import PoseDataset
from analogy.settings import list_experiments
from analogy.systems import SYSTEMS
from data_prep.penn_action.poses import read_pose_clips
from tests.distinct import first_of_each_kind
from tests.poses import pose_settings
from tests.run_folders import the_run

POSE_EXPERIMENTS = first_of_each_kind(name for name in list_experiments() if name.startswith(("pose_lstm", "pose_seq2seq")))
SHORT = ("data.context=3", "data.horizon=5", "data.min_future=5", "data.min_frames=8", "training.batch_size=4")


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_run_on_real_labels(run_here, penn_action, tmp_path):
    (labels := tmp_path / "penn").mkdir()
    (labels / "labels").symlink_to(penn_action / "labels")  # no frames are needed
    small = ("network.units=16", "network.members=1", "training.log_every=2", "training.sample_every=3",
             "evaluation.clips_per_action=1")  # fmt: skip
    options = ["--data-dir", labels, "--results-dir", tmp_path / "results", "--steps", 4]
    done = run_here(*options, *(part for setting in small for part in ("--set", setting)), exp="pose_lstm_residual", tiny=False)
    assert done.returncode == 0, done.stderr
    run = the_run(tmp_path / "results")
    summary = json.loads((run / "summary.json").read_text())
    assert summary["test"]["clips"] == 36 and set(summary["baseline"]) == {"hold_last_pose", "no_motion"}
    assert summary["baseline"]["hold_last_pose"]["pose_mse"] == pytest.approx(0.0027, abs=5e-5)
    assert "validation/pose_mse" in (run / "metrics.csv").read_text()
    page = (run / "index.html").read_text()
    assert "Pose error (MSE)" in page and "hold last pose" in page
    assert (run / "plots" / "pose_mse_start0_horizon.png").is_file()
    assert len(list((run / "test" / "squat").glob("*.mp4"))) == 1 and (run / "saved_model" / "saved_model.pb").is_file()


def test_without_labels_there_is_one_clear_error(run_here, tmp_path):
    (tmp_path / "labels").mkdir()
    options = ("--data-dir", tmp_path, "--results-dir", tmp_path / "results")
    done = run_here(*options, exp="pose_lstm", tiny=False)
    assert done.returncode == 2 and "labels/" in done.stderr and ".mat" in done.stderr and "Traceback" not in done.stderr
    (tmp_path / "labels" / "0001.mat").write_bytes(b"no")
    done = run_here(*options, exp="pose_lstm", tiny=False)
    assert done.returncode == 2 and "0001.mat" in done.stderr and not (tmp_path / "results" / "pose_lstm").exists()
