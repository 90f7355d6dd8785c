"""Predictors of the fourth paper: what is compared with what, kept features, endpoints, figures and what is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from analogy.data.batches import ReplicaContext
from analogy.data.prepared import Clip
from analogy.errors import UserError
from analogy.optimizers import make_schedule
from analogy.settings import list_experiments
from analogy.systems.vgg_lstm.blend import AHEAD, Squares
from analogy.systems.vgg_lstm.kept_features import KeptFeatures
from analogy.training.precision import use_precision
from data_prep.datasets import open_dataset
from tests.systems.conftest import build_system
from tests.systems.vgg_lstm.conftest import NEXT, TINY, batch, frames_of, settings_of, shaken


@pytest.fixture(scope="module")
def predictor():
    return shaken(build_system("vgg_lstm_next_frame", *NEXT))


def test_every_experiment_of_the_paper_is_there():
    names = {name.removeprefix("vgg_lstm_") for name, exp in list_experiments().items() if exp.paper == "vgg_lstm"}
    assert names >= {
        "vae", "vae_longer", "vae_longer_12", "vae_longer_16", "vae_multi_video", "vae_ones", "vae_multiscale", "next_frame",
        "next_frame_4", "next_frame_long", "next_frame_long_7", "next_frame_long_8", "next_frame_skip", "next_frame_skip_1",
        "next_frame_skip_2", "next_frame_skip_10", "perceptual", "plus", "vae_plus",
    }  # fmt: skip


def test_experiments_have_the_papers_numbers():
    def length(name):
        data = settings_of(name, scale="paper").data
        return data.context + data.horizon

    names = ("next_frame", "next_frame_4", "next_frame_long", "next_frame_long_7", "next_frame_long_8", "vae", "vae_longer")
    assert [length(f"vgg_lstm_{name}") for name in names] == [6, 4, 15, 7, 8, 6, 8]
    skips = [settings_of(f"vgg_lstm_next_frame_skip{name}", scale="paper").data.skip for name in ("_1", "_2", "", "_10")]
    assert skips == [1, 2, 5, 10]
    settings = settings_of("vgg_lstm_next_frame", scale="paper")
    rate = make_schedule(settings.optimizer, settings.training.steps)
    rates = [float(rate(step)) for step in (0, 999, 1000, 2000, 3000, 4999)]
    np.testing.assert_allclose(rates, [1e-2, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6], rtol=1e-4)
    assert settings.training.steps == 5000 and settings.data.image_size == 224
    assert settings_of("vgg_lstm_vae", scale="paper").loss.beta == 0


def test_experiments_train_for_5000_epochs_and_divide_the_rate_every_1000():
    for name, experiment in list_experiments().items():
        if experiment.paper == "vgg_lstm" and "plus" not in name:
            settings = settings_of(name, scale="paper")
            passes = settings.training.batch_size / len(settings.data.train_clips)  # over the clips in a step
            assert settings.training.steps * passes == 5000 and settings.optimizer.decay_steps * passes == 1000, name


# ---------------------------------------------------------------- training


def test_the_answer_to_each_frame_is_compared_with_the_next_one(predictor):
    drawn = batch(4)
    values = drawn["values"]
    answers = predictor.network(predictor.features(values))
    expected = np.square(answers[:, :-1] - values[:, 1:]).mean()
    assert float(predictor.train_step(drawn)["network/loss"]) == pytest.approx(expected, rel=1e-4)


def test_a_pooled_predictor_knows_what_is_there_but_not_where():
    system = shaken(
        build_system("vgg_lstm_next_frame", *NEXT, "data.image_size=64", "network.pooled=true", "loss.mae=1", "loss.mse=0")
    )
    features = tf.random.stateless_normal([1, 2, system.features.count(system.frame)], [0, 1])
    cells = tf.reshape(features, [1, 2, 4, -1])
    elsewhere = tf.reshape(cells[:, :, ::-1], features.shape)
    np.testing.assert_allclose(system.network(features), system.network(elsewhere), atol=1e-5)
    assert system.network.cells[0].kernel.shape[0] == features.shape[-1] // 4
    frame, _ = system.network.step(features[:, 0], system.network.zero_states(1))
    np.testing.assert_allclose(frame, system.network(features)[:, 0], atol=1e-5)
    values = tf.random.stateless_uniform([2, 4, 64, 64, 3], [0, 2])
    drawn = {**batch(4), "values": values}
    expected = np.abs(system.network(system.features(values[:, :-1])) - values[:, 1:]).mean()
    assert float(system.train_step(drawn)["network/loss"]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_features_are_kept_and_made_anew_when_they_must(actors, cache, caplog):
    overrides = (*NEXT, "data.dataset=penn_action", f"data.folder={actors}", f"data.cache={cache}", "encoder.trained=false",
        "data.train_count=1")  # fmt: skip
    system = build_system("vgg_lstm_next_frame", *overrides)
    dataset = open_dataset(system.settings)

    def read():
        """The first batch, and how many clips were computed for it."""
        caplog.clear()
        with caplog.at_level("INFO", "analogy"):
            drawn = next(iter(system.train_batches(dataset, ReplicaContext(batch_size=2))))
        (line,) = [record.message for record in caplog.records if "features of" in record.message]
        return drawn, int(line.split(", ")[-1].split()[0]), line.split(" in ")[1].split(",")[0]

    drawn, made, folder = read()
    np.testing.assert_allclose(drawn["features"], system.features(drawn["values"]), rtol=1e-3, atol=1e-4)
    assert made == 1 and read()[1] == 0  # the second time they are there
    (file,) = Path(folder).glob("*.npy")
    file.write_bytes(file.read_bytes()[:100])  # damaged
    assert read()[1] == 1
    kernel = system.features.encoder.stages[0].convolutions[0].kernel
    kernel.assign(2.0 * kernel)  # other weights
    other, made, other_folder = read()
    assert made == 1 and other_folder != folder and np.any(other["features"] != drawn["features"])
    assert set(system.train_step(other)) == {"network/mse", "network/loss"}


class Pixels(keras.layers.Layer):
    """In the place of VGG-16: the features are the pixels."""

    pretrained, scale = False, 1.0

    def call(self, frames):
        return tf.reshape(frames, [1, frames.shape[1], -1])


def test_features_of_another_precision_or_size_are_made_anew(tmp_path, eagerly):
    def kept(precision: str, side: int) -> KeptFeatures:
        frames = frames_of(1, 2)[0, :, :side, :side]
        prepared = SimpleNamespace(folder=tmp_path, frames=lambda clip, numbers: frames[list(numbers)])
        clip = Clip("a", "roll", 2, side, side, fingerprint="a")
        with use_precision(precision):
            network = Pixels()
        return KeptFeatures([SimpleNamespace(prepared=prepared, clip=clip, size=(side, side))], network, "squeeze")

    first, again, coarse, small = kept("float32", 32), kept("float32", 32), kept("bfloat16", 32), kept("float32", 16)
    assert first.folder == again.folder and len({features.folder for features in (first, coarse, small)}) == 3
    exact, rounded = first.read(np.arange(2)), coarse.read(np.arange(2))
    assert np.any(exact != rounded) and small.width == first.width / 4
    np.testing.assert_allclose(rounded, exact, atol=2**-8)


# ---------------------------------------------------------------- prediction


def test_running_free_begins_with_the_answer_to_the_last_true_frame(predictor):
    frames = tf.constant(frames_of(1, 3))
    forced = predictor.endpoint("answers")(frames=frames)["next_frames"]
    free = predictor.predict(frames.numpy(), 3)
    assert forced.shape == frames.shape and free.shape == (1, 3, 32, 32, 3)
    np.testing.assert_array_equal(free[:, 0], forced[:, -1])
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least 1 frame"):
        predictor.predict(frames.numpy(), 0)


def test_predictions_are_measured_beside_three_methods_and_training_clips_apart(predictor, movies):
    first, second = predictor.predict_clips(movies)
    measured = first.measure()
    assert list(measured) == ["prediction", "copy_last_frame", "motion_continued", "teacher_forced"]
    assert np.isnan(measured["prediction"]["collapse_index"][0]) and measured["copy_last_frame"]["collapse_index"][1] == 0
    forced = predictor.endpoint("answers")(frames=tf.constant(first.observed_frames[None]))["next_frames"]
    np.testing.assert_array_equal(first.other_methods["teacher_forced"][0], forced[0, -1])
    trained = predictor.training_figures(movies)
    assert list(trained) == list(measured)
    expected = next(iter(predictor.predict_windows(movies.train, ()))).measure()["prediction"]["psnr"].mean()
    assert trained["prediction"]["psnr"] == pytest.approx(expected) != second.measure()["prediction"]["psnr"].mean()
    assert [panels.split for panels in predictor.sample_panels(movies)] == ["train", "test"]
    protocol = predictor.protocol(movies)
    assert "2 observed and 2 predicted" in protocol and "0.0625 of its channels, trained along" in protocol


def test_the_protocol_names_the_weights_of_vgg_16(predictor, movies, monkeypatch):
    hed = settings_of("vgg_lstm_next_frame", *NEXT, "encoder.weights=hed", "encoder.width=1", "encoder.trained=false")
    monkeypatch.setattr(predictor, "settings", hed)
    assert "; VGG-16 (HED), frozen; " in predictor.protocol(movies)


def test_ours_predicts_any_number_of_frames_as_it_is_trained():
    system = shaken(build_system("vgg_lstm_plus", *TINY[:2], *TINY[5:], "data.context=2", "data.horizon=2", "network.units=4"))
    predict = system.endpoints()["predict"].python_function  # not traced: quick
    frames = tf.constant(frames_of(1, 2))
    answer = predict(frames, tf.constant(3))
    assert answer["future"].shape == (1, 3, 32, 32, 3) and answer["flow"].shape == (1, 3, 32, 32, 2)
    values = tf.cast(frames, tf.float32) / 255.0
    trained, _ = system.network(values, system.features(values), count=3)
    np.testing.assert_allclose(answer["future"], np.rint(255 * np.clip(trained, 0, 1)), atol=1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least 2, which show motion"):
        predict(frames[:, :1], tf.constant(1))


def test_the_error_of_change_is_0_for_the_truth_and_1_where_all_stands_still():
    def change_error(truth, predicted):
        return Squares.of_frames(truth, predicted, truth[:, 0]).change_error()

    truth = tf.constant(frames_of(2, 4), tf.float32) / 255.0
    still = tf.repeat(truth[:, :1], 4, 1)
    np.testing.assert_array_equal(change_error(truth, truth), np.zeros(2))
    np.testing.assert_allclose(change_error(truth, still), np.ones(2), atol=0.03)
    np.testing.assert_allclose(change_error(truth, 1 - truth), np.zeros(2), atol=1e-5)  # the amount alone counts
    in_one_half = tf.concat([still[..., :16, :], truth[..., 16:, :]], 3)
    np.testing.assert_allclose(change_error(truth, in_one_half), np.full(2, 1 - np.sqrt(0.5)), atol=0.03)
    late = tf.concat([still[:, :2], truth[:, 2:]], 1)  # two thirds of the changes of noise
    np.testing.assert_allclose(change_error(truth, late), np.full(2, 1 - np.sqrt(2 / 3)), atol=0.05)
    np.testing.assert_array_equal(change_error(still, still), np.zeros(2))
    np.testing.assert_array_equal(change_error(truth[:, :1], still[:, :1]), np.zeros(2))


def test_ours_is_told_where_it_is_behind_copying():
    def term(motion: float) -> float:
        """Of a network that copies, where the true frames stand still but become brighter by this much."""
        system = build_system("vgg_lstm_plus", *TINY[:2], *TINY[5:], "data.context=2", "data.horizon=2", "network.units=4")
        values = np.repeat(frames_of(2, 1) / 255.0, 4, 1).astype(np.float32)
        values[:, 2:] += motion
        logs = system.train_step({"values": tf.constant(values)})
        return float(logs["network/behind_copying"])

    assert term(0.0) > 0.5  # a tenth of the soft frame is blended in, and copying is exact
    assert term(0.5) < 5 * AHEAD + 0.05


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("experiment", "overrides", "message"),
    [
        ("vgg_lstm_next_frame", ("data.image_size=[64, 96]",), r"frames are square.*multiple of 32, such as 96"),
        ("vgg_lstm_next_frame", ("data.image_size=100",), "multiple of 32, such as 96"),
        ("vgg_lstm_next_frame", ("data.horizon=0",), "data.horizon"),
        ("vgg_lstm_vae", ("data.context=1",), "a segment has 1 frame"),
        ("vgg_lstm_vae", ("data.horizon=2",), "data.horizon"),
        ("vgg_lstm_vae", ("loss.beta=-1",), "loss.beta"),
        ("vgg_lstm_vae", ("network.pooled=true",), "network.pooled"),
        ("vgg_lstm_vae", ("loss.mse=0",), "give one of them a weight"),
        ("vgg_lstm_vae_ones", ("loss.beta=1",), "nothing of the frames reaches the decoder"),
        ("vgg_lstm_next_frame", ("encoder.weights=imagenet",), "encoder.weights need width 1.0"),
        ("vgg_lstm_next_frame", ("loss.perceptual=1",), "set encoder.trained to false"),
        ("vgg_lstm_next_frame", ("data.train_clips=[a]",), "leave train_count null"),
        ("vgg_lstm_next_frame", ("network.scales=2",), "network.scales"),
        ("vgg_lstm_plus", ("data.context=1",), "at least 2 frames to see motion"),
        ("vgg_lstm_plus", ("loss.log_mse=0", "loss.dssim=0", "loss.change=0"), "give one of them a weight"),
    ],
)
def test_what_cannot_be_is_refused(experiment, overrides, message):
    with pytest.raises(UserError, match=message):
        settings_of(experiment, *overrides)


def test_a_segment_longer_than_the_clips_is_refused(actors, cache):
    settings = settings_of(
        "vgg_lstm_next_frame",
        *NEXT,
        "data.dataset=penn_action",
        f"data.folder={actors}",
        f"data.cache={cache}",
        "data.horizon=7",
    )
    with pytest.raises(UserError, match="no clip of 9 frames"):
        open_dataset(settings)


def test_weights_of_another_network_are_refused(tmp_path):
    file = tmp_path / "vgg19.h5"
    file.write_bytes(b"no weights")
    with pytest.raises(UserError, match="the weights cannot be read"):
        build_system("vgg_lstm_next_frame", *NEXT[:6], "encoder.width=1", f"encoder.weights={file}", "encoder.trained=false")
