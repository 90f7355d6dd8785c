"""The motion generator: published sizes, sequences of one length, labels that are made once."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from analogy.data.batches import ReplicaContext
from analogy.data.movies import spread_windows
from analogy.data.windows import StoredMovie, WindowPlan
from analogy.errors import UserError
from analogy.models.building import build, without_values
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from analogy.systems.keypoints.labels import KeptKeypoints
from analogy.systems.keypoints.motion import MotionSystem
from analogy.systems.keypoints.motion_study import study_futures
from analogy.systems.keypoints.networks.motion import MotionDecoder, MotionEncoder, SequenceDiscriminator, divergence
from analogy.systems.keypoints.predicted import PredictedMotion
from analogy.systems.keypoints.sequences import (
    augmented,
    between_frames,
    last_start,
    places,
    sequence_batches,
    shown_frames,
    shuffled,
)
from analogy.training.checkpoint import Checkpoints


def count(network, *inputs):
    with without_values():
        build(network, *inputs)
        return sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)


@pytest.mark.parametrize(
    ("keypoints", "actions", "encoder", "decoder", "discriminator"),
    [
        (40, 9, 13_061_376, 12_809_104, 12_919_809),
        (15, 0, 12_849_024, 12_755_966, 12_715_009),
        (60, 0, 13_229_184, 12_851_096, 13_083_649),
    ],
)
def test_published_numbers_of_weights(keypoints, actions, encoder, decoder, discriminator):
    future, first, action = (None, 2, keypoints, 2), (None, keypoints, 2), (None, actions)
    how = {"units": 1024}
    assert count(MotionEncoder(latent=64, activation="relu", **how), future, first, action) == encoder
    network = MotionDecoder(keypoints=keypoints, horizon=2, output="absolute", **how)
    assert count(network, (None, 64), first, action) == decoder
    assert count(SequenceDiscriminator(activation="relu", **how), future) == discriminator


def test_with_relu_the_loss_of_false_motions_cannot_fall_below_log_2():
    """The published code's trap; a linear logit has no such floor."""
    future = tf.random.stateless_normal([20, 3, 2, 2], [0, 0])
    for activation, floor in (("relu", np.log(2.0)), ("linear", 0.0)):
        network = SequenceDiscriminator(units=4, activation=activation)
        network(future)
        network.last.bias.assign([-5.0])  # it is sure that all are false
        with tf.GradientTape() as tape:
            loss = tf.nn.softplus(network(future))
        assert floor <= loss.numpy().min() < floor + 0.02
        assert np.any(tape.gradient(loss, network.last.kernel)) == (activation == "linear")


def test_the_divergence_of_known_gaussians():
    mean, deviation = tf.constant([[0.0, 0.0], [2.0, 0.0]]), tf.constant([[1.0, 1.0], [1.0, 2.0]])
    np.testing.assert_allclose(divergence(mean, deviation), [0.0, 2.0 + (3.0 - np.log(4.0)) / 2], atol=1e-6)


@pytest.mark.parametrize(
    ("activation", "mean", "deviation"), [("relu", [0.0, 3.0], [0.0, 2.0]), ("linear", [-1.0, 3.0], [0.3133, 2.1269])]
)
def test_the_latent_is_never_negative_with_relu_and_has_softplus_without(activation, mean, deviation):
    encoder = MotionEncoder(units=2, latent=2, activation=activation)
    inputs = tf.zeros([1, 3, 1, 2]), tf.zeros([1, 1, 2]), tf.zeros([1, 0])
    encoder(*inputs)
    encoder.last.kernel.assign(tf.zeros_like(encoder.last.kernel))
    encoder.last.bias.assign([-1.0, 3.0, -1.0, 2.0])
    found = encoder(*inputs)
    np.testing.assert_allclose(found[0], [mean])
    np.testing.assert_allclose(found[1], [deviation], atol=1e-4)


def test_sequences_span_clips_of_any_length():
    np.testing.assert_array_equal(places(70, 33), np.arange(33) * 2)
    np.testing.assert_array_equal(places(20, 33), np.arange(33) / 2)
    np.testing.assert_array_equal(places(10, 33)[:20], [*np.arange(18) / 2, 9.0, 9.0])  # it ends with its last frame
    np.testing.assert_array_equal(last_start([70, 66, 33, 20, 17, 10], 33), [4, 0, 0, 3, 0, 0])
    np.testing.assert_array_equal(shown_frames(20, 33), [0, *np.repeat(np.arange(1, 17), 2)])  # between two, the later one
    np.testing.assert_array_equal(shown_frames(10, 33), [0, *np.repeat(np.arange(1, 9), 2), *[9] * 16])
    points = np.arange(20.0)[:, None, None] * np.ones((1, 2, 2))
    np.testing.assert_allclose(between_frames(points, places(20, 33))[:, 1, 0], np.arange(33) / 2)


def test_a_given_pace_is_kept_where_the_clip_is_long_enough():
    np.testing.assert_array_equal(places(70, 11, 1), np.arange(11))
    np.testing.assert_array_equal(places(6, 11, 1), places(6, 11))  # too short: as without it
    np.testing.assert_array_equal(last_start([70, 11], 11, 1), [59, 0])
    clips = [np.arange(10.0)[:, None, None] * np.ones((1, 1, 2))]
    batch = next(iter(sequence_batches(clips, [0], 3, ReplicaContext(batch_size=400), seed=0, largest_pace=1)))
    values = batch["keypoints"].numpy()[:, :, 0, 0]
    assert set(values[:, 0]) == set(range(8)) and (np.diff(values) == 1).all()


def test_training_draws_every_beginning():
    clips = [np.arange(10.0)[:, None, None] * np.ones((1, 1, 2)), 100 + np.arange(4.0)[:, None, None] * np.ones((1, 1, 2))]
    batch = next(iter(sequence_batches(clips, [3, 5], 5, ReplicaContext(batch_size=400), seed=0)))
    values, label = batch["keypoints"].numpy()[:, :, 0, 0], batch["label"].numpy()
    assert set(values[label == 3][:, 0]) == {0.0} and set(values[label == 5][:, 0]) == {100.0, 101.0}
    np.testing.assert_allclose(np.diff(values[label == 3]), 2.0)  # 10 frames: every second one
    np.testing.assert_allclose(np.diff(values[label == 5]), 0.5)  # 4 frames: with midpoints


def test_a_share_of_sequences_starts_from_another_frame_of_the_same_person():
    clips = [np.arange(first, first + length, dtype=float)[:, None, None] * np.ones((1, 2, 2)) for first, length in
             ((0, 10), (100, 4), (200, 6))]  # fmt: skip
    told = {"labels": [0, 1, 2], "steps": 10, "context": ReplicaContext(batch_size=2000), "seed": 0}
    plain = next(iter(sequence_batches(clips, **told)))
    batch = next(iter(sequence_batches(clips, **told, persons=["ann", "bob", "ann"], other_start=0.5)))
    values, usual = batch["keypoints"].numpy()[..., 0, 0], plain["keypoints"].numpy()[..., 0, 0]
    np.testing.assert_array_equal(values[:, 6:], usual[:, 6:])  # the clip's own motion, after a straight way to it
    left = np.array([5, 4, 3, 2, 1]) / 6
    led, own = (part[values[:, 0] != usual[:, 0]] for part in (values, usual))
    np.testing.assert_allclose(led[:, 1:6], own[:, 1:6] + left * (led[:, :1] - own[:, 1:6]), rtol=1e-5)
    label, first = batch["label"].numpy(), values[:, 0]
    assert set(first[label != 1]) == {*range(10), *range(200, 206)} and set(first[label == 1]) == {100.0, 101.0, 102.0, 103.0}
    assert abs(np.mean(first[label == 0] >= 200) - 0.5 * 6 / 16) < 0.05
    nobody = next(iter(sequence_batches(clips, **told, other_start=1.0)))
    assert set(nobody["keypoints"].numpy()[nobody["label"] == 0, 0, 0, 0]) == set(range(10))


def test_augmentation_turns_mirrors_and_scales():
    points = tf.constant([[[[1.0, 0.0]]], [[[1.0, 0.0]]]])
    draws = tf.constant([[1.0, 1.0, 0.9], [0.5, 0.0, 0.1]])
    changed = augmented(points, draws, rotation=90.0, scale=(0.5, 2.0), flip=True)
    np.testing.assert_allclose(changed[:, 0, 0], [[0.0, 2.0], [-0.5, 0.0]], atol=1e-6)
    np.testing.assert_allclose(augmented(points, draws, rotation=0.0, scale=(1.0, 1.0), flip=False), points, atol=1e-6)


@dataclass(frozen=True)
class OneClip:
    fingerprint: str = "abc"
    length: int = 3


def test_labels_are_made_once_and_anew_for_another_detector(tmp_path: Path):
    reader = SimpleNamespace(crop="full", padding=0, image_size=(8, 8), gray=False, prepared=SimpleNamespace(folder=tmp_path))
    dataset = SimpleNamespace(
        reader=reader, load=lambda clip: SimpleNamespace(frames=np.zeros((clip.length, 8, 8, 3), np.uint8))
    )
    calls = []

    def detect(frames):
        calls.append(len(frames))
        return np.full((len(frames), 2, 2), len(calls), np.float32)

    def read(weight, clip=OneClip()):
        (points,) = KeptKeypoints(dataset, detect, [tf.Variable(weight)], 2).read([clip])
        return points[0, 0, 0]

    assert [read(1.0), read(1.0), read(2.0), read(1.0)] == [1.0, 1.0, 2.0, 1.0] and calls == [3, 3]
    (file,) = [path for path in tmp_path.rglob("abc.npy") if np.load(path)[0, 0, 0] == 1.0]
    file.write_bytes(b"cut short")
    assert read(1.0) == 3.0  # a damaged file is made anew
    assert read(1.0, replace(OneClip(), fingerprint="other")) == 4.0


def test_samples_are_measured_as_mean_and_best():
    frames = np.zeros((2, 16, 16, 3), np.uint8)
    truth = np.zeros((3, 1, 2))
    samples = np.zeros((2, 2, 1, 2))
    samples[1, :, 0, 0] = 0.2
    predicted = PredictedMotion(
        clip="a", action="b", distance=np.arange(1, 3), observed_frames=frames[:1], truth=frames, prediction=frames,
        baseline=frames, baseline_name="copy", samples=np.stack([frames, frames]), true_keypoints=truth,
        keypoint_samples=samples,
    )  # fmt: skip
    figures = predicted.measure({})["prediction"]
    np.testing.assert_allclose(figures["keypoint_error"], [5.0, 5.0])  # 0.2 of half a side: 10 percent, and 0
    np.testing.assert_allclose(figures["keypoint_error_best"], [0.0, 0.0])
    np.testing.assert_allclose(figures["sample_spread"], [5.0, 5.0])
    np.testing.assert_allclose(figures["keypoint_jitter"], [5.0, np.nan])  # of 0, 0.2, 0.2: 10 percent, and 0


def test_the_shuffled_future_is_a_baseline():
    frames = np.stack([np.full((16, 16, 3), level, np.uint8) for level in (10, 20, 30, 40)])
    points = np.arange(5.0)[:, None, None] * np.full((1, 1, 2), 0.1)
    predicted = PredictedMotion(
        clip="a", action="b", distance=np.arange(1, 5), observed_frames=frames[:1], truth=frames, prediction=frames,
        baseline=frames, baseline_name="copy", true_keypoints=points, keypoint_samples=points[None, 1:],
    )  # fmt: skip
    figures, order = predicted.measure(), shuffled(np.arange(4))
    assert list(figures) == ["prediction", "copy", "shuffled", "still", "truth"] and not (order == np.arange(4)).all()
    expected = np.abs(order - np.arange(4)) * 10 / np.sqrt(2) * 0.1 * 10
    np.testing.assert_allclose(figures["shuffled"]["keypoint_error"], expected, atol=1e-9)
    assert figures["shuffled"]["psnr"].mean() < figures["prediction"]["psnr"].mean()


def test_windows_begin_where_those_of_next_frames_do_and_the_last_observed_frame_is_read():
    """So that both can stand in one table."""
    frames = np.random.default_rng(0).integers(0, 256, (9, 16, 16, 3), dtype=np.uint8)
    clip = SimpleNamespace(id="a", action="wave", length=9, fps=0.0, repeats=(), notes="")
    prepared = SimpleNamespace()
    asked = []

    def predict(frame, action, count):
        asked.append(frame)
        return {"frames": np.repeat(frame[None, None], 2, 1).repeat(count, 0), "keypoints": np.zeros((count, 2, 3, 2))}

    data = SimpleNamespace(context=3, test_windows=4)
    settings = SimpleNamespace(data=data, seed=5, evaluation=SimpleNamespace(samples=2))
    system = SimpleNamespace(
        settings=settings, horizon=2, predict=predict, selected_clips=lambda windows: windows[:1],
        detected=lambda frames: np.zeros((len(frames), 3, 2)),
    )  # fmt: skip
    for name in ("_windows", "_of_window", "_predicted"):
        setattr(system, name, partial(getattr(MotionSystem, name), system))
    dataset = SimpleNamespace(
        test=[clip],
        reader=SimpleNamespace(prepared=prepared),
        load=lambda clip, numbers: SimpleNamespace(frames=frames[np.asarray(numbers)]),
    )
    predicted = list(MotionSystem.predict_clips(system, dataset))
    expected = spread_windows([StoredMovie("a", prepared, clip, range(9))], WindowPlan(5), 4, 5)
    assert [window.clip for window in predicted] == [window.id for window in expected] and len(expected) == 4
    assert [window.with_pictures for window in predicted] == [True, False, False, False]
    assert [list(window.extra_columns) for window in predicted] == [["true keypoints", "keypoints", "sample 2"], [], [], []]
    for window, drawn, frame in zip(predicted, expected, asked, strict=True):
        np.testing.assert_array_equal(window.observed_frames, frames[drawn.numbers[:3]])
        np.testing.assert_array_equal(window.truth, frames[drawn.numbers[3:]])
        np.testing.assert_array_equal(frame, frames[drawn.numbers[2]])
        figures = window.measure()
        assert list(figures) == ["prediction", "copy_last_frame", "motion_continued", "shuffled", "still", "truth"]
        np.testing.assert_allclose(figures["prediction"]["psnr"], figures["copy_last_frame"]["psnr"])
    data.context = 8
    with pytest.raises(UserError, match="no test clip has 10 frames"):
        system._windows(dataset)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [(["data.context=3"], "it is for test_windows"), (["data.test_windows=4"], "set pace to 1")],
)
def test_windows_that_training_does_not_prepare_are_one_line(overrides, said):
    with pytest.raises(UserError, match=said):
        load_settings(find_experiment("keypoints_weizmann"), SYSTEMS, scale="paper", overrides=overrides)


def test_the_study_shows_samples_of_one_picture_and_every_action():
    frames = np.zeros((9, 16, 16, 3), np.uint8)
    asked = []

    def predict(frame, action, count):
        asked.append((action, count))
        return {"frames": np.full((count, 8, 16, 16, 3), 50 * len(asked), np.uint8)}

    def system(actions):
        settings = SimpleNamespace(evaluation=SimpleNamespace(samples=3))
        return SimpleNamespace(
            selected_clips=lambda clips: clips, true_frames=lambda dataset, clip: frames, predict=predict, actions=actions,
            settings=settings,
        )  # fmt: skip

    dataset = SimpleNamespace(test=[SimpleNamespace(action="bowl")])
    plots = study_futures(system(["bowl", "squat"]), dataset).plots
    assert list(plots) == ["futures_samples", "futures_actions"] and asked == [("bowl", 3), ("bowl", 1), ("squat", 1)]
    samples, actions = plots.values()
    assert len(samples) > 4 * 128 > len(actions) > 2 * 128  # the truth and 3 samples; 2 actions
    assert (actions == 150).all(-1).sum() > 5 * 128**2 > (samples == 150).all(-1).sum()
    assert list(study_futures(system([]), dataset).plots) == ["futures_samples"]


def test_a_checkpoint_for_another_number_of_keypoints_names_the_translator(tmp_path):
    """On --resume, after the used translator was trained again with another K."""

    def restored(units, built_for=""):
        model = keras.layers.Dense(units)
        model.build([1, 2])
        system = SimpleNamespace(models={"decoder": model}, state={}, optimizers={}, built_for=built_for)
        return Checkpoints(tmp_path, system, tf.Variable(4, dtype=tf.int64), 3)

    restored(6).save({})
    with pytest.raises(
        UserError, match=r"\[2, 6\] there and \[2, 8\] here\); here it is for the K = 4 keypoints of .* \{a\}; resume"
    ):
        restored(8, "for the K = 4 keypoints of uses.translator, {a}").restore()
