"""Auto-encoders of segments, published and ours: their losses, latents, endpoints and studies."""

from __future__ import annotations

import re

import av
import numpy as np
import pytest
import tensorflow as tf

from analogy.data.batches import draw_uniform, normal
from analogy.errors import UserError
from analogy.losses import SMALLEST_ERROR
from analogy.random_streams import StepStream
from analogy.runs.calling import _fit_all
from analogy.systems.vgg_lstm.networks.vae import divergence
from analogy.systems.vgg_lstm.networks.vae_plus import MapDecoder, MapEncoder, block_waves
from tests.systems.conftest import build_system
from tests.systems.vgg_lstm.conftest import VAE, batch, frames_of, shaken


@pytest.fixture(scope="module")
def vae():
    return shaken(build_system("vgg_lstm_vae", *VAE))


def test_the_auto_encoder_trains_on_samples_of_its_latents(vae):
    drawn = batch(3)
    losses = [float(vae.train_step({**drawn, "step": tf.constant(step, tf.int64)})["network/loss"]) for step in (1, 1, 2)]
    assert losses[0] > losses[1] != losses[2]  # it learns; other steps draw other noise
    assert set(vae.train_step(drawn)) == {"network/mse", "network/loss"}  # beta 0: no divergence


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
    before = {weight.path: weight.numpy() for model in system.models.values() for weight in model.variables}
    assert np.isfinite(system.train_step(batch(3))["network/loss"])
    trained = {weight.path: weight for network in system.trained_networks() for weight in network.variables}
    assert all("painter" in path or kind == "ones" for path in trained)
    moved = {
        weight.path for model in system.models.values() for weight in model.variables if np.any(before[weight.path] != weight)
    }
    assert moved == set(trained)  # each of them, and nothing else


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


@pytest.mark.parametrize(("system", "shape"), [("vae", (3, 4)), ("vae_plus", (3, 4, 4, 2))])
def test_a_latent_of_another_shape_is_one_line(system, shape, request):
    (spec,) = request.getfixturevalue(system).endpoints()["decode"].input_signature
    assert _fit_all({"latent": spec}, None, {"latent": np.zeros(shape)}, {})["latent"].value.shape == (1, *shape)
    other = [*shape[:-1], shape[-1] + 1]
    with pytest.raises(UserError, match=rf"latent has the shape {re.escape(str(other))}") as error:
        _fit_all({"latent": spec}, None, {"latent": np.zeros(other)}, {})
    assert "\n" not in str(error.value)
