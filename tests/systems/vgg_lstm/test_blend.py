"""The fit of each step's blend: errors from inner products, and the weights that are found."""

from types import SimpleNamespace

import numpy as np
import tensorflow as tf

from analogy.systems.vgg_lstm import blend
from analogy.systems.vgg_lstm.blend import Squares, fitted_blend, inner_products
from analogy.systems.vgg_lstm.networks.plus import FIRST_WEIGHTS, LAST, MovingFrame
from tests.systems.conftest import build_system


def scene(windows=3, steps=4, seed=0):
    """The last observed frames, random pictures and a random truth, in 0..1."""
    random = np.random.default_rng(seed)
    pictures = random.random((windows, steps, 8, 8, 3, 6)).astype(np.float32)
    pictures[..., LAST] = pictures[:, :1, ..., LAST]
    return pictures[:, 0, ..., LAST], pictures, random.random(pictures.shape[:-1]).astype(np.float32)


def test_errors_of_a_blend_follow_from_inner_products():
    last, pictures, truth = scene()
    weights = np.random.default_rng(1).dirichlet(np.ones(6), 4).astype(np.float32)
    blended = np.einsum("bthwcn,tn->bthwc", pictures, weights)
    for ours, expected in zip(
        Squares.of_blends(inner_products(truth, pictures), tf.constant(weights)),
        Squares.of_frames(*map(tf.constant, (truth, blended, last))),
        strict=True,
    ):
        np.testing.assert_allclose(ours, expected, rtol=1e-4)


def test_the_blend_that_is_the_truth_is_found_for_each_step():
    _, pictures, _ = scene(windows=8)
    weights = np.random.default_rng(2).dirichlet(np.full(6, 5.0), 4).astype(np.float32)
    truth = np.einsum("bthwcn,tn->bthwc", pictures, weights)
    found = fitted_blend(inner_products(truth, pictures), FIRST_WEIGHTS, lambda terms: {"log_mse": terms["log_mse"]()})
    np.testing.assert_allclose(tf.nn.softmax(found), weights, atol=0.02)


def test_the_first_prediction_is_the_blend_of_the_pictures_that_are_fitted():
    frames = tf.constant(np.random.default_rng(0).random((2, 3, 32, 32, 3)), tf.float32)
    network = MovingFrame(units=4, rhythm=True)
    network(frames, tf.zeros([2, 3, 32]), count=1)
    network.set_rhythm(np.log(np.random.default_rng(1).dirichlet(np.ones(6), 3)))
    weights = tf.nn.softmax(tf.stack([network.log_weights(tf.constant(step)) for step in (1.0, 2.0, 3.0)]))
    blended = tf.einsum("bthwcn,tn->bthwc", network.first_pictures(frames, 3), weights)
    np.testing.assert_allclose(network(frames, tf.zeros([2, 3, 32]), count=3)[0], blended, atol=1e-4)


def test_a_training_begins_with_the_fit_but_not_one_of_another_runs_networks(monkeypatch):
    def first_pictures(network, frames, count):  # cheap ones
        return tf.stack([share * frames[:, -count:] for share in np.linspace(0, 1, 6)], -1)

    monkeypatch.setattr(blend, "UPDATES", 2)
    monkeypatch.setattr(MovingFrame, "first_pictures", first_pictures)
    small = ("data.image_size=32", "data.context=2", "data.horizon=2", "network.units=4", "encoder.width=0.0625")
    system = build_system("vgg_lstm_plus", *small)
    values = tf.constant(np.random.default_rng(0).random((4, 4, 32, 32, 3)), tf.float32)
    dataset = SimpleNamespace(batches=lambda context: tf.data.Dataset.from_tensors({"values": values}).repeat())
    settings = system.settings
    started = settings.training.model_copy(update={"start_from": "another run"})
    for training, fitted in ((started, False), (settings.training, True)):
        monkeypatch.setattr(system, "settings", settings.model_copy(update={"training": training}))
        system.begin(dataset)
        assert bool(np.any(system.network.rhythm.kernel)) is fitted
