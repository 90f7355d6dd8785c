"""The systems of the fourth paper: what is compared with what, kept features, endpoints, figures and what is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
import tensorflow as tf

from analogy.data.batches import ReplicaContext, draw_uniform, normal
from analogy.data.movies import Movie
from analogy.errors import UserError
from analogy.losses import SMALLEST_ERROR
from analogy.optimizers import make_schedule
from analogy.random_streams import StepStream
from analogy.runs.calling import _fit_all
from analogy.settings import find_experiment, list_experiments, load_settings
from analogy.systems import SYSTEMS
from analogy.systems.vgg_lstm.networks.vae import divergence
from analogy.systems.vgg_lstm.networks.vae_plus import MapDecoder, MapEncoder, block_waves
from analogy.systems.vgg_lstm.plus import change_error
from data_prep.datasets import open_dataset
from tests.systems.conftest import build_system

TINY = (
    "data.dataset=moving_shapes", "data.image_size=32", "data.skip=1", "data.stride=1", "data.train_count=null",
    "data.test_count=2", "encoder.width=0.0625", "training.batch_size=2",
)  # fmt: skip
NEXT = (*TINY, "data.context=2", "data.horizon=2")
VAE = (*TINY, "data.context=3", "network.encoder_units=8", "network.latent_size=4", "network.decoder_units=[8]")


def settings_of(experiment, *overrides, scale="demo"):
    return load_settings(find_experiment(experiment), SYSTEMS, scale=scale, overrides=overrides)


def frames_of(count, length, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, length, 32, 32, 3), dtype=np.uint8)


def batch(length):
    values = tf.constant(frames_of(2, length), tf.float32) / 255.0
    return {"step": tf.constant(0, tf.int64), "position": tf.range(2), "values": values}


def shaken(system):
    """The system with weights large enough that its answers depend on what it reads."""
    for model in system.models.values():
        for variable in model.variables:
            variable.assign(variable + 0.2 * tf.random.stateless_normal(variable.shape, [0, len(variable.path)]))
    return system


@pytest.fixture(scope="module")
def predictor():
    return shaken(build_system("vgg_lstm_next_frame", *NEXT))


@pytest.fixture(scope="module")
def vae():
    return shaken(build_system("vgg_lstm_vae", *VAE))


@pytest.fixture(scope="module")
def movies():
    train, *test = (Movie(f"{index}", "roll", frames) for index, frames in enumerate(frames_of(3, 4)))
    return SimpleNamespace(name="made up", notes="", train=[train], test=test)


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


def test_the_auto_encoder_trains_on_samples_of_its_latents(vae):
    drawn = batch(3)
    losses = [float(vae.train_step({**drawn, "step": tf.constant(step, tf.int64)})["network/loss"]) for step in (1, 1, 2)]
    assert losses[0] > losses[1] != losses[2]  # it learns; other steps draw other noise
    assert set(vae.train_step(drawn)) == {"network/mse", "network/loss"}  # beta 0: no divergence


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


def test_the_auto_encoder_is_measured_beside_other_latents(vae, movies):
    predicted = next(iter(vae.predict_clips(movies)))
    names = ["prediction", "mean_frame", "shuffled_latent", "prior_latent", "constant_latent"]
    assert list(predicted.measure()) == names and list(predicted.distance) == [1, 2, 3]
    np.testing.assert_array_equal(predicted.baseline[1], np.rint(predicted.truth.mean(0)))
    other = vae._reconstruct(movies.test[1].frames[:3])
    np.testing.assert_array_equal(predicted.other_methods["shuffled_latent"], other)
    assert predicted.picture().ndim == 3 and len(predicted.columns()) == 6
    assert list(vae.training_figures(movies)) == names
    assert "means of their latents" in vae.protocol(movies)


def test_encoding_and_decoding_is_reconstructing_and_samples_follow_their_seed(vae):
    frames = tf.constant(frames_of(2, 3))
    latent = vae.endpoint("encode")(frames=frames)["latent"]
    assert latent.shape == (2, 3, 4)
    painted = vae.endpoint("reconstruct")(frames=frames)["frames"]
    np.testing.assert_array_equal(vae.endpoint("decode")(latent=latent)["frames"], painted)
    first, again, other = (vae.endpoint("sample")(count=tf.constant(2), seed=tf.constant(seed))["frames"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (2, 3, 32, 32, 3) and np.any(first != other) and np.any(first[0] != first[1])


def test_a_latent_of_the_whole_segment_is_given_at_every_step():
    system = shaken(build_system("vgg_lstm_vae", *VAE, "network.latent=sequence"))
    latent = system.endpoints()["encode"].python_function(tf.constant(frames_of(1, 3)))["latent"]
    assert latent.shape == (1, 1, 4)
    np.testing.assert_array_equal(system.paint(latent), system.decoder(tf.repeat(latent, 3, 1)))
    assert np.isfinite(system.train_step(batch(3))["network/loss"])


@pytest.mark.parametrize("kind", ["ones", "ones_maps"])
def test_a_decoder_of_ones_knows_nothing_of_the_frames(kind):
    system = shaken(build_system("vgg_lstm_vae_ones", *VAE, f"network.decoder_input={kind}"))
    assert set(system.models) == {"features", "decoder"} and list(system.endpoints()) == ["reconstruct"]
    paint = system.endpoints()["reconstruct"].python_function
    first, second = (paint(tf.constant(frames_of(1, 3, seed)))["frames"] for seed in (0, 1))
    np.testing.assert_array_equal(first, second)
    assert bool(np.any(first[:, 0] != first[:, 1])) is (kind == "ones")  # maps of ones are one picture
    assert np.isfinite(system.train_step(batch(3))["network/loss"])


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
    assert term(0.5) < 0.05


@pytest.fixture(scope="module")
def vae_plus():
    return shaken(build_system("vgg_lstm_vae_plus", *VAE[:-3], "network.units=6", "network.latents=2", "loss.warmup_steps=4"))


def test_latents_are_studied(vae_plus, movies):
    study = vae_plus.study(movies)
    assert set(study.plots) == {"latents_samples", "latents_interpolation", "latents_divergence", "latents_bits"}
    assert all(picture.dtype == np.uint8 and picture.shape[-1] == 3 for picture in study.plots.values())
    figures = study.figures
    assert figures["numbers"] == 2 and 0 <= figures["active_numbers"] <= 2
    encoded = [vae_plus.encode(movie.frames[:3]) for movie in movies.test]
    nats = sum(float(divergence(mean, log_variance)[0]) for mean, log_variance in encoded)
    bits = nats / np.log(2) / (2 * 3)  # of 2 segments of 3 frames
    assert figures["bits_a_frame"]["latents, divergence"] == pytest.approx(bits, rel=1e-3)
    assert sum(figures["bits_of_each_number"]) == pytest.approx(bits, rel=1e-2)
    assert figures["bits_a_frame"]["latents, float32"] == 32 * 4 * 4 * 2
    assert figures["bits_a_frame"]["JPEG, pictures"] < figures["bits_a_frame"]["JPEG, files"]


def test_a_study_without_an_h264_encoder_says_so_and_goes_on(vae_plus, movies, monkeypatch, caplog):
    monkeypatch.setattr(av, "codecs_available", {"h264"})
    figures = vae_plus.study(movies).figures
    assert set(figures["psnr_of_bits"]) == {"latents", "JPEG"} and "JPEG, files" in figures["bits_a_frame"]
    assert not any("H.264" in name for name in figures["bits_a_frame"])
    [warning] = caplog.messages
    assert warning.startswith("latents are not compared with H.264: the installed PyAV has no libx264")


def test_a_decoder_of_ones_has_no_latents_to_study(movies):
    system = build_system("vgg_lstm_vae_ones", *VAE)
    assert system.study(movies) == ({}, {})


def test_the_loss_of_ours_is_the_evidence_bound_for_each_number(vae_plus, monkeypatch):
    drawn = {**batch(3), "step": tf.constant(2, tf.int64)}
    mean, log_variance = vae_plus.encode_values(drawn["values"])
    noise = normal(draw_uniform(vae_plus.settings, drawn, StepStream.LATENT, vae_plus.latent_shape))
    painted = vae_plus.paint(mean + np.exp(log_variance / 2) * noise)
    likelihood = np.log(np.square(painted - drawn["values"]).mean((1, 2, 3, 4)) + SMALLEST_ERROR) / 2
    divergence = 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance)
    monkeypatch.setattr(vae_plus, "descend", lambda name, tape, terms: terms)
    terms = vae_plus.train_step(drawn)
    np.testing.assert_allclose(terms["negative_log_likelihood"], likelihood, rtol=1e-3)
    share = 2 / 4  # after 2 of 4 steps of warm-up
    expected = share * np.sum(divergence, (1, 2, 3, 4)) / (3 * 32 * 32 * 3)
    np.testing.assert_allclose(terms["divergence"], expected, rtol=1e-3)


def test_untrained_ours_paints_what_slow_waves_can_say():
    waves, sizes = block_waves(3, 32)
    products = np.einsum("yxcj,yxck->jk", waves, waves)
    np.testing.assert_allclose(products, np.eye(32), atol=1e-12)
    assert (np.diff(sizes) <= 0).all() and np.ptp(waves[..., 0]) < 1e-12  # the first one is the mean
    encoder, decoder = MapEncoder(units=2, latents=32), MapDecoder(channels=3, units=3)
    ramp = np.linspace(0.2, 0.8, 32, dtype=np.float32)
    frames = np.stack(np.meshgrid(ramp, ramp))[None, ..., None].repeat(3, -1)
    mean, _ = encoder(tf.constant(frames, tf.float32), tf.zeros([1, 2, 8]))
    painted = decoder(mean).numpy()
    np.testing.assert_allclose(painted, frames, atol=0.01)
    more, _ = block_waves(1, 70)
    assert more.shape == (8, 8, 1, 70) and not more[..., 64:].any()


def test_maps_of_ours_say_where_things_are(vae_plus):
    """A change of the lower right of a frame changes the lower right of its latent most."""
    values = tf.constant(frames_of(1, 3), tf.float32) / 255.0
    changed = tf.concat([values[:, :, :24], 1 - values[:, :, 24:]], 2)
    changed = tf.concat([values[:, :, :, :24], changed[:, :, :, 24:]], 3)
    features = vae_plus.features(values)
    (mean, _), (other, _) = (vae_plus.encoder(frames, features) for frames in (values, changed))
    assert mean.shape == (1, 3, 4, 4, 2)
    difference = np.abs(other - mean).mean((0, 1, 4))
    assert difference[3, 3] > 3 * difference[0, 0]


def test_frames_of_ours_are_in_the_order_of_their_latents(vae_plus):
    latents = tf.random.stateless_normal([2, *vae_plus.latent_shape], [0, 1])
    painted = vae_plus.paint(latents)
    assert painted.shape == (2, 3, 32, 32, 3)
    np.testing.assert_allclose(vae_plus.paint(latents[1:])[0], painted[1], atol=1e-5)
    later = tf.concat([latents[:, :2], 2 * latents[:, 2:]], 1)
    np.testing.assert_allclose(vae_plus.paint(later)[:, :2], painted[:, :2], atol=1e-5)  # only the third changes
    assert np.abs(vae_plus.paint(later)[:, 2] - painted[:, 2]).max() > 1e-3


def test_a_latent_of_another_shape_is_one_line(vae):
    (spec,) = vae.endpoints()["decode"].input_signature
    assert _fit_all({"latent": spec}, None, {"latent": np.zeros((3, 4))}, {})["latent"].value.shape == (1, 3, 4)
    with pytest.raises(UserError, match=r"latent has the shape \[3, 5\]"):
        _fit_all({"latent": spec}, None, {"latent": np.zeros((3, 5))}, {})


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
