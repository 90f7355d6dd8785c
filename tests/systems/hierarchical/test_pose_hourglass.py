"""The promises of every system, for the pose estimator."""

import numpy as np
import pytest
import tensorflow as tf

from analogy.data.batches import ReplicaContext
from analogy.data.clips import ClipDataset
from analogy.graphs import graph_function
from analogy.metrics.pose import measure_joints
from analogy.runs.export import export_saved_model
from tests.systems.conftest import build_system

TINY = ("data.image_size=32", "network.channels=16", "network.depth=1", "network.stacks=1", "training.batch_size=4")
SGD = ("optimizer.name=sgd", "optimizer.learning_rate=0.003")


def build(*overrides):
    return build_system("pose_hourglass", *TINY, *overrides)


def weights(system):
    return [v.numpy().copy() for v in system.network.trainable_variables]


@pytest.mark.slow
def test_a_few_frames_can_be_learned_and_exported(prepared, tmp_path):
    quiet = "augmentation={rotation: 0, zoom: 0, stretch: 0, shift: 0, colour: 0}"
    system = build("optimizer.learning_rate=0.003", quiet, "data.flip=false", "data.actions=[squat]")
    clips = ClipDataset(prepared, system.settings.data, seed=0)
    step = graph_function(system.train_step)
    for batch in clips.batches(ReplicaContext(batch_size=4)).take(150):
        loss = step(batch)["network/loss"]
    assert np.isfinite(loss)
    trained = clips.load(clips.train[0])
    joints, scores = system.predict(trained)
    scale = trained.crop[:, None] / 32
    ours = measure_joints(trained.joints * scale, joints * scale, trained.visibility)
    mean = np.broadcast_to(system._mean_pose(clips), trained.joints.shape)
    assert (
        ours["pck_20"].mean() > 0.8 > measure_joints(trained.joints * scale, mean * scale, trained.visibility)["pck_10"].mean()
    )

    (clip,) = system.predict_clips(clips)
    measured = clip.measure()
    assert list(measured) == ["prediction", "mean_pose"] and measured["prediction"]["pck_10"].shape == (8,)
    assert [title for title, _ in clip.columns()] == ["truth", "prediction"] and clip.columns()[0][1].shape[0] == 8
    assert {len(panels.columns) for panels in system.sample_panels(clips)} == {3}

    export_saved_model(system, tmp_path / "saved_model")
    loaded = tf.saved_model.load(str(tmp_path / "saved_model"))
    got = loaded.estimate(frames=trained.frames)
    np.testing.assert_allclose(got["joints"], joints, atol=1e-3)
    np.testing.assert_allclose(got["scores"], scores, atol=1e-4)


def test_measures_by_hand():
    truth = np.zeros([2, 13, 2])
    truth[:, 1] = (0, 50)
    visibility = np.zeros([2, 13])
    visibility[0, :2] = 1
    prediction = truth.copy()
    prediction[0, 1] += (0, 8)  # 0.16 of 50
    prediction[0, 5] += 99  # hidden
    measured = measure_joints(truth, prediction, visibility)
    assert measured["pck_10"][0] == 0.5 and measured["pck_20"][0] == 1.0 and measured["joint_error"][0] == pytest.approx(8.0)
    assert all(np.isnan(values[1]) for values in measured.values())
