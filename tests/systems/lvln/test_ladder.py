"""The ladder system: what is trained, in which range, compared with what, and what its endpoints answer."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from analogy.data.movies import Movie
from analogy.errors import UserError
from analogy.losses import dssim
from analogy.models.rollout import unroll
from analogy.settings import find_experiment, list_experiments, load_settings
from analogy.settings.published import fitting_entries
from analogy.systems import SYSTEMS
from tests.systems.conftest import build_system

TINY = (
    "data.dataset=moving_ball", "data.image_size=32", "data.context=2", "data.horizon=2", "data.test_count=2",
    "network.width=0.0625", "training.batch_size=2",
)  # fmt: skip


def settings_of(experiment, *overrides, scale="demo"):
    return load_settings(find_experiment(experiment), SYSTEMS, scale=scale, overrides=overrides)


def batch(size=32):
    values = tf.random.stateless_uniform([2, 4, size, size, 3], [0, 1])
    return {"step": tf.constant(0, tf.int64), "position": tf.range(2), "values": values}


@pytest.fixture(scope="module")
def toy():
    return build_system("lvln_toy_net", *TINY)


def test_every_experiment_of_the_paper_is_there():
    names = {name.removeprefix("lvln_") for name, experiment in list_experiments().items() if experiment.paper == "lvln"}
    assert names >= {
        "moving_ball", "toy_net", "subset_5", "subset_20", "subset_40", "three_frame", "one_frame", "one_frame_bilinear",
        "one_frame_nearest", "one_frame_rollout3", "full_res", "norm", "no_norm", "dssim_only", "fps_25", "fps_15", "fps_10",
        "optimizer_sgd", "optimizer_adagrad", "optimizer_adam", "classifier_c4", "classifier_c13", "classifier_c4_c13",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("experiment", "last"),
    [("lvln_three_frame", (327000, 0.826)), ("lvln_one_frame", (161000, 0.098)), ("lvln_norm", (58000, 1.40))],
)
def test_published_curves_stand_beside_runs_of_their_own_alignment_alone(experiment, last):
    for align, count in (("code", 1), ("paper", 0)):
        settings = settings_of(experiment, f"align={align}", scale="paper")
        curves = fitting_entries(settings.published, settings)
        assert [curve.curve[-1] for curve in curves] == [last] * count


def test_published_curves_do_not_stand_beside_another_loss():
    settings = settings_of("lvln_three_frame", "align=code", "loss.l1=0.5", scale="paper")
    assert fitting_entries(settings.published, settings) == []


def test_the_loss_is_the_sum_over_frames_of_what_follows_the_last_observed_one(toy):
    drawn = batch()
    predicted = tf.stack(unroll(lambda frame, states: toy.network(frame, states, training=True), drawn["values"][:, :2], 2), 1)
    truth = drawn["values"][:, 2:]
    terms = build_system("lvln_toy_net", *TINY, "loss.dssim=1", "loss.mse=0.3", "loss.l1=0.1")._terms(truth, predicted)
    error = (truth - predicted).numpy()
    np.testing.assert_allclose(terms["mse"], 0.3 * np.square(error).mean((2, 3, 4)).sum(1), rtol=1e-4)
    np.testing.assert_allclose(terms["l1"], 0.1 * np.abs(error).mean((2, 3, 4)).sum(1), rtol=1e-4)
    by_frame = [dssim(truth[:, t], predicted[:, t], zero_padding=True) for t in range(2)]
    np.testing.assert_allclose(terms["dssim"], tf.add_n(by_frame), rtol=1e-4)
    assert set(toy._terms(truth, predicted)) == {"mse"}  # a weight of 0 costs nothing


def test_a_frozen_encoder_is_in_no_optimiser_and_its_statistics_move():
    system = build_system("lvln_three_frame", *TINY, "data.horizon=1")
    encoder = {id(variable) for variable in system.network.encoder.variables}
    held = {id(v) for variables in system.trained_variables().values() for v in variables}
    assert held and not held & encoder
    counts = system.parameters()
    assert counts["network"] + counts["network (not trained)"] == sum(int(np.prod(v.shape)) for v in system.network.weights)
    kernel, mean = (v.numpy().copy() for v in (system.network.encoder.conv1.kernel, system.network.encoder.bn1.moving_mean))
    system.train_step(batch())
    np.testing.assert_array_equal(system.network.encoder.conv1.kernel, kernel)
    assert np.abs(system.network.encoder.bn1.moving_mean - mean).max() > 0
    assert system.protocol_notes.startswith("ResNet-18 without published weights, frozen; the first prediction is")
    system.settings = settings_of("lvln_one_frame", scale="paper")
    assert system.protocol_notes.startswith("ResNet-18 (ImageNet), trained; ")


def test_every_weight_of_a_trained_encoder_gets_a_gradient():
    system = build_system("lvln_full_res", *TINY, "data.horizon=1", "encoder.trained=true")
    before = [v.numpy().copy() for v in system.network.encoder.trainable_variables]
    system.train_step(batch())
    moved = [np.any(v.numpy() != was) for v, was in zip(system.network.encoder.trainable_variables, before, strict=True)]
    assert len(moved) == 60 and all(moved)


def test_normalised_frames_come_back_as_they_were():
    system = build_system("lvln_toy_net", *TINY, "normalise=true")
    frames = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 3), dtype=np.uint8)
    inner = system._from_unit(frames / np.float32(255))
    assert abs(float(tf.reduce_mean(inner[..., 0])) - (frames[..., 0].mean() / 255 - 0.485) / 0.229) < 1e-4
    np.testing.assert_array_equal(system._to_bytes(inner), frames)
    np.testing.assert_array_equal(system._to_bytes(tf.fill([1, 1, 1, 3], 9.0)), np.full((1, 1, 1, 3), 255))


def test_prediction_takes_any_number_of_frames_and_ends_with_what_a_shorter_one_begins(toy):
    frames = np.random.default_rng(0).integers(0, 256, (2, 5, 32, 32, 3), dtype=np.uint8)
    long, short = toy.predict(frames, 6), toy.predict(frames, 2)
    assert long.shape == (2, 6, 32, 32, 3) and long.dtype == np.uint8
    np.testing.assert_array_equal(long[:, :2], short)
    assert np.any(toy.predict(frames[:, 2:], 2) != short)  # the first frames matter too
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least 1 frame"):
        toy.predict(frames, 0)


@pytest.mark.usefixtures("eagerly")
def test_code_alignment_predicts_one_frame_later(toy):
    frames = tf.constant(np.random.default_rng(0).integers(0, 256, (1, 2, 32, 32, 3), dtype=np.uint8))

    def predict(system, count):
        return system.endpoints()["predict"](frames, tf.constant(count))["future"]

    later = build_system("lvln_toy_net", *TINY, "align=code")
    np.testing.assert_array_equal(predict(later, 2), predict(toy, 3)[:, 1:])
    assert (
        "is the second answer after the last observed frame: the first is fed back, as in the published code; "
        in later.protocol_notes
    )


def test_states_have_the_size_of_their_level_and_change_with_own_answers(toy):
    frames = tf.zeros([1, 3, 32, 32, 3], tf.uint8)
    states = toy.endpoint("states")(frames=frames, count=tf.constant(0))
    assert {name: tuple(value.shape) for name, value in states.items()} == {"c1": (1, 16, 16, 12), "c2": (1, 8, 8, 12)}
    further = toy.endpoint("states")(frames=frames, count=tf.constant(1))
    assert np.any(further["c1"] != states["c1"])


def test_the_ball_is_measured_beside_two_baselines_and_memory_is_pictured(toy):
    movie = Movie(
        "ball", "roll", np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8), centres=np.ones((4, 2))
    )
    dataset = SimpleNamespace(name="balls", notes="", train=[movie], test=[movie])
    (predicted,) = toy.predict_clips(dataset)
    assert list(predicted.measure()) == ["prediction", "copy_last_frame", "motion_continued"]
    assert len(predicted.measure()["prediction"]["centre_error"]) == 2
    *_, memory = toy.sample_panels(dataset)
    assert memory.clip == "ball_memory" and [column.picture.shape[:2] for column in memory.columns] == [(32, 32), (16, 16)] * 2
    assert "2 observed and 2 predicted frames" in toy.protocol(dataset)
    assert "; no ResNet; the first prediction is the answer to the last observed frame; " in toy.protocol(dataset)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("data.image_size=[100, 160]",), r"data.image_size is \[100, 160\].*such as \[96, 160\]"),
        (("data.context=1",), "at least 2 frames"),
        (("training_horizon=4",), "choose at most data.horizon, 3"),
        (("loss.dssim=0", "loss.mse=0", "loss.l1=0"), "give one of them a weight"),
        (("network.kind=toy", "encoder.weights=imagenet"), "set encoder.weights to null"),
        (("encoder.weights=imagenet",), "encoder.weights need width 1.0"),
        (("network.head=cubic",), "network.head"),
        (("data.share=0.5", "data.train_count=3"), "set one of the two"),
    ],
)
def test_what_cannot_be_is_refused(overrides, message):
    with pytest.raises(UserError, match=message):
        settings_of("lvln_three_frame", *overrides)
