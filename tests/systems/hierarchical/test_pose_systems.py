"""The promises of every system, for the pose predictors."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from analogy.data.batches import ReplicaContext
from analogy.data.poses import PoseDataset
from analogy.graphs import graph_function
from analogy.models.building import without_values
from analogy.systems import SYSTEMS
from analogy.systems.hierarchical.pose_forecaster import FACTS
from analogy.training.checkpoint import Checkpoints, load_networks
from analogy.training.precision import use_precision
from tests.poses import made_up_clips, pose_settings, tiny_settings

NAMES = ("pose_lstm", "pose_lstm_residual")
SGD = ("optimizer.name=sgd", "optimizer.learning_rate=0.1")
KINDS = [
    ("pose_lstm", ()),
    ("pose_lstm_villegas", ()),
    ("pose_seq2seq_deep", ("network.coordinates=box",)),
    ("pose_lstm_residual", ()),
    pytest.param("pose_lstm_residual_actions", (), marks=pytest.mark.slow),
]


def dataset(settings):
    return PoseDataset("made_up", made_up_clips(), settings.data, seed=0)


def build(name, *overrides):
    settings = tiny_settings(name, "data.validation_share=0.25", *overrides)
    keras.utils.set_random_seed(0)
    system = SYSTEMS[settings.system].build(settings)
    system.prepare_training()
    return system


def batch_of(system, step=0):
    return next(iter(dataset(system.settings).batches(ReplicaContext(batch_size=4, start_step=step))))


@pytest.fixture
def batch():
    """What `train_side_by_side` trains on."""
    return batch_of(build("pose_lstm"))


def weights(system):
    return [v.numpy().copy() for v in system.network.trainable_variables]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_few_clips_can_be_learned(name):
    system = build(name, "network.units=32", "optimizer.learning_rate=0.003", "data.time_stretch=0")
    if name == "pose_lstm_residual":
        how = ("augmentation.hide=0", "augmentation.stretch=0", "augmentation.mirror=false", "network.dropout=0")
        system = build(name, "network.units=32", "optimizer.learning_rate=0.003", "data.time_stretch=0", *how)
    step = graph_function(system.train_step)
    losses = [
        float(step(batch)["network/loss"]) for batch in dataset(system.settings).batches(ReplicaContext(batch_size=4)).take(300)
    ]
    assert np.mean(losses[-20:]) < 0.5 * np.mean(losses[:5])


@pytest.mark.slow
def test_the_best_weights_are_kept_and_outlive_a_checkpoint(tmp_path):
    system = build("pose_lstm_residual")
    clips = dataset(system.settings)
    first = system.validate(clips)["validation/pose_mse"]
    kept = [v.numpy().copy() for v in system.best.variables]
    for member in system.network.members:
        member.coefficients.kernel.assign(1e3 * tf.ones_like(member.coefficients.kernel))
    assert system.validate(clips)["validation/pose_mse"] > first
    counter = tf.Variable(0, dtype=tf.int64)
    Checkpoints(tmp_path, system, counter, 1).save({})

    other = build("pose_lstm_residual")
    Checkpoints(tmp_path, other, tf.Variable(0, dtype=tf.int64), 1).restore()
    assert other.score.lowest.numpy() == pytest.approx(first)
    for a, b, c in zip(kept, system.best.variables, other.best.variables, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    windows = clips.windows(clips.test[0])
    np.testing.assert_allclose(system.predict(windows)[0], other.predict(windows)[0], rtol=1e-5)


def test_without_clips_kept_back_the_last_weights_count():
    system = build("pose_lstm_residual", "data.validation_share=0")
    clips = dataset(system.settings)
    for value in (1.0, 2.0):
        system.network.members[0].coefficients.bias.assign(value * tf.ones_like(system.network.members[0].coefficients.bias))
        assert system.validate(clips) == {}
        assert system.best.members[0].coefficients.bias.numpy().tolist()[0] == value


@pytest.mark.parametrize("name", NAMES)
def test_rolling_goes_on_from_its_own_poses(name):
    system = build(name)
    clips = dataset(system.settings)
    windows = {key: tf.constant(value[:2]) for key, value in clips.windows(clips.test[0]).items()}
    given = windows["joints"][:, :4], windows["visibility"][:, :4], windows["box"], windows["size"], windows["action"]
    joints, visibility = system.roll(*given, tf.constant(15))
    assert joints.shape == (2, 15, 13, 2) and visibility.shape == (2, 15, 13)
    first, visibility = system.forecast(system.observe(*given))
    np.testing.assert_allclose(joints[:, :6], first, rtol=1e-4, atol=1e-3)
    second, _ = system.forecast(system.observe(first[:, -4:], visibility[:, -4:], *given[2:]))
    np.testing.assert_allclose(joints[:, 6:12], second, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(system.roll(*given, tf.constant(3))[0], first[:, :3], rtol=1e-4, atol=1e-3)


def test_only_the_observed_poses_make_our_forecast():
    system = build("pose_lstm_residual")
    for member in system.best.members:
        member.coefficients.kernel.assign(tf.random.stateless_normal(member.coefficients.kernel.shape, [1, 2]))
    clips = dataset(system.settings)
    windows = clips.windows(clips.test[0])
    expected, _ = system.predict(windows)
    changed = {key: value.copy() for key, value in windows.items()}
    for key in ("box", "size", "survives", "origin"):
        changed[key] = changed[key] * 0.5 + 3
    changed["joints"][:, 4:] = 7
    changed["visibility"][:, 4:] = 0
    changed["joints"][:, :4][windows["visibility"][:, :4] == 0] = np.nan
    np.testing.assert_allclose(system.predict(changed)[0], expected, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(("name", "more"), [*KINDS, ("pose_lstm_villegas", ("mask_hidden=true",))])
def test_what_is_stored_for_hidden_joints_makes_no_difference_to_the_loss(name, more):
    batch = batch_of(build(name, *more))
    hidden = batch["visibility"].numpy() == 0
    assert hidden.any()
    joints = batch["joints"].numpy()
    joints[hidden] = 55
    losses = [float(build(name, *more).train_step({**batch, "joints": j})["network/loss"]) for j in (batch["joints"], joints)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_masked_coordinates_still_count_in_the_mean():
    batch = batch_of(build("pose_lstm"))
    masked, whole = build("pose_lstm", "mask_hidden=true"), build("pose_lstm")
    k, facts = masked.context, {name: batch[name] for name in FACTS}
    values = masked.to_units(batch["joints"], batch["visibility"], facts)
    flat = tf.reshape(values, [4, -1, 26])
    error = tf.square(masked.network(flat[:, :k], horizon=6) - flat[:, k:]).numpy()
    visible = np.repeat(batch["visibility"][:, k:].numpy(), 2, -1)
    assert float(masked.train_step(batch)["network/loss"]) == pytest.approx((error * visible).mean(), rel=1e-5)
    assert float(whole.train_step(batch)["network/loss"]) == pytest.approx(error.mean(), rel=1e-5)


def test_another_run_s_best_weights_are_not_taken_over(tmp_path):
    first = build("pose_lstm_residual")
    first.validate(dataset(first.settings))
    Checkpoints(tmp_path / "checkpoints", first, tf.Variable(0, dtype=tf.int64), 1).save({})
    second = build("pose_lstm_residual")
    load_networks(second, tmp_path)
    assert second.score.lowest.numpy() == np.inf
    for a, b in zip(first.network.variables, second.network.variables, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", NAMES)
def test_half_precision_leaves_poses_in_float32(name, precision):
    with use_precision(precision):
        system = build(name)
    assert np.isfinite(system.train_step(batch_of(system))["network/loss"])


# The weights are counted layer by layer.
ORIGINAL = {
    "data.actions": ["squat"], "data.viewpoint": "left", "data.min_frames": 70, "data.context": 15, "data.horizon": 45,
    "data.min_future": 45, "data.order": "passes", "data.time_stretch": 0, "data.first_share": 0, "data.validation_share": 0,
    "training.batch_size": 42, "training.steps": 4000, "mask_hidden": False, "network.coordinates": "displacement",
    "network.units": 1024, "network.layers": 1, "network.embedding": 0, "network.head": [100], "network.activation": "tanh",
    "network.shared": True, "network.hand_over": "output", "network.decoder_input": "zeros", "optimizer.name": "adam",
    "optimizer.learning_rate": 5e-4, "optimizer.beta_1": 0.9, "optimizer.beta_2": 0.999, "optimizer.epsilon": 1e-8,
    "optimizer.decay": 1, "optimizer.clip_norm": 0,
}  # fmt: skip
PUBLISHED = {
    "pose_lstm": {"weights": 4_304_896 + 102_500 + 2_626},
    "pose_lstm_paper": {"network.coordinates": "box", "network.activation": "sigmoid"},
    "pose_lstm_128_nofc": {"network.units": 128, "network.head": [], "network.activation": "linear",
                           "weights": 4 * 128 * (26 + 128 + 1) + 129 * 26},
    "pose_seq2seq_deep": {
        "data.viewpoint": "all", "data.min_frames": 71, "data.context": 50, "data.horizon": 10, "data.min_future": 10,
        "training.batch_size": 150, "training.steps": 2000, "network.coordinates": "pixels", "network.layers": 2,
        "network.head": [],
        "network.activation": "linear", "network.shared": False, "network.hand_over": "state", "network.decoder_input": "last",
        "optimizer.learning_rate": 1e-3, "weights": 2 * 4096 * (1050 + 1 + 2048 + 1) + 1025 * 26,
    },
    "pose_lstm_villegas": {
        "data.viewpoint": "all", "data.min_frames": 18, "data.context": 10, "data.horizon": 32, "data.min_future": 32,
        "data.order": "random", "training.batch_size": 256, "training.steps": 37_500, "mask_hidden": True,
        "data.actions": ["baseball_pitch", "baseball_swing", "clean_and_jerk", "golf_swing", "jumping_jacks", "jump_rope",
                         "tennis_forehand", "tennis_serve"],
        "network.coordinates": "square", "network.embedding": 32, "network.head": [], "network.hand_over": "state",
        "optimizer.name": "rmsprop", "optimizer.learning_rate": 1e-3, "optimizer.beta_2": 0.9, "optimizer.epsilon": 1e-10,
        "optimizer.clip_norm": 25, "weights": 27 * 32 + 4096 * (32 + 1024 + 1) + 1025 * 26,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_hyper_parameters(name):
    settings, expected = pose_settings(name), {**ORIGINAL, **PUBLISHED[name]}
    with without_values():
        weights = sum(SYSTEMS[settings.system].build(settings).parameters().values())
    assert weights == expected.pop("weights", weights)
    for key, value in expected.items():
        setting = settings
        for part in key.split("."):
            setting = getattr(setting, part)
        assert setting == value, key


def test_the_seeds_that_keras_keeps_in_a_gru_are_no_weights():
    settings = pose_settings("pose_lstm_residual", scale="demo")
    with without_values():
        assert list(SYSTEMS[settings.system].build(settings).parameters()) == ["network"]


def test_the_deep_one_has_the_split_of_the_fork():
    settings = pose_settings("pose_seq2seq_deep")
    assert (len(settings.data.train_clips), len(settings.data.test_clips)) == (150, 35)
    assert not set(settings.data.train_clips) & set(settings.data.test_clips)


# Means of the stored training losses.
CURVE = {10: 0.1587, 20: 0.0152}


@pytest.mark.slow
def test_the_first_updates_lose_as_the_original_s_did(penn_action):
    from data_prep.penn_action.poses import read_pose_clips

    settings = pose_settings("pose_lstm")
    clips = PoseDataset("penn_action", read_pose_clips(penn_action), settings.data, seed=0)
    keras.utils.set_random_seed(0)
    system = SYSTEMS["pose_lstm"].build(settings)
    system.prepare_training()
    step = graph_function(system.train_step)
    losses = [float(step(batch)["network/loss"]) for batch in clips.batches(ReplicaContext(batch_size=42)).take(80)]
    # The first ten depend on the weights that were drawn, by which the head starts high or low.
    assert 0.3 * CURVE[10] < np.mean(losses[:10]) < 3 * CURVE[10]
    assert 0.5 * CURVE[20] < np.mean(losses[10:20]) < 2 * CURVE[20]
    assert 0.0070 < np.mean(losses[60:]) < 0.0100  # the plateau, 0.0080 to 0.0087
