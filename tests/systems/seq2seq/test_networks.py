"""The Seq2Seq network: parameter counts, first weights, and the wiring."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from analogy.models.building import build
from analogy.models.recurrent import step
from analogy.systems.seq2seq.networks import Seq2Seq

# Numbers of weights by depth: LSTM, ConvLSTM of one channel, of three.


def frames_of(channels, kernel_size):
    """The shape of a batch of one frame each."""
    return (None, 1, 8, 8, channels) if kernel_size else (None, 1, channels)


COUNTS = {1: (116_033, 1_036_097, 1_041_859), 2: (182_081, 1_626_433, 1_632_195), 3: (248_129, 2_216_769, 2_222_531)}


@pytest.mark.parametrize("depth", COUNTS)
@pytest.mark.parametrize(("kind", "options"), enumerate([(1, 0), (1, 3), (3, 3)]))
def test_parameter_counts(depth, kind, options):
    channels, kernel_size = options
    network = Seq2Seq(channels=channels, depth=depth, kernel_size=kernel_size)
    build(network, frames_of(channels, kernel_size), horizon=1)
    assert network.count_params() == COUNTS[depth][kind]


@pytest.mark.parametrize("kernel_size", [0, 3])
def test_every_weight_starts_with_numbers_of_its_own(kernel_size):
    network = Seq2Seq(channels=1, depth=1, units=8, kernel_size=kernel_size)
    build(network, frames_of(1, kernel_size), horizon=1)
    for part in (*network.encoder, *network.decoder, network.frame):
        assert np.isin(part.bias, part.kernel).mean() < 0.5


def published(network, frames, horizon):
    """The published cell, written down step by step."""
    states = [(tf.zeros([*frames.shape[:1], *frames.shape[2:-1], network.units]),) * 2] * len(network.encoder)
    zeros, outputs = states, []
    for x in tf.unstack(frames, axis=1):
        s, states = step(network.encoder, x, states)
    states = zeros
    for _ in range(horizon):
        s, states = step(network.decoder, s, states)
        outputs.append(tf.sigmoid(network.frame(s)))
    return tf.stack(outputs, 1)


@pytest.mark.parametrize(("shape", "kernel_size"), [((2, 4, 1), 0), ((2, 3, 8, 8, 1), 3)])
def test_the_published_wiring(shape, kernel_size):
    keras.utils.set_random_seed(0)
    network = Seq2Seq(channels=1, depth=1, units=8, kernel_size=kernel_size)
    frames = tf.random.stateless_uniform(shape, [1, 1])
    got = network(frames, horizon=5)
    assert got.shape == (shape[0], 5, *shape[2:])
    np.testing.assert_allclose(got, published(network, frames, 5), atol=1e-6)
    np.testing.assert_allclose(network(frames, horizon=3), got[:, :3], atol=1e-6)  # a longer horizon changes nothing before


def test_the_standard_wiring_sees_frames_and_scheduled_sampling_shows_the_truth():
    network = Seq2Seq(channels=1, depth=1, units=8, wiring="standard")
    frames, future = (tf.random.stateless_uniform([2, 4, 1], [seed, 0]) for seed in (0, 1))
    own, shown = network(frames, horizon=4), network(frames, horizon=4, true_future=future, use_true=tf.ones([2, 4]))
    np.testing.assert_allclose(own, network(frames, horizon=4, true_future=future, use_true=tf.zeros([2, 4])), atol=1e-6)
    np.testing.assert_allclose(own[:, 0], shown[:, 0], atol=1e-6)
    assert np.abs(own[:, 1:] - shown[:, 1:]).max() > 1e-5
    other = tf.concat([frames[:, :-1], 1 - frames[:, -1:]], 1)
    assert np.abs(network(other, horizon=1) - own[:, :1]).max() > 1e-6


@pytest.mark.parametrize("predicts", ["frame", "change"])
def test_patches_are_only_another_arrangement(predicts):
    """A frame whose squares are all alike is predicted so, wherever in the square one looks: and pixels keep their place."""
    keras.utils.set_random_seed(0)
    network = Seq2Seq(channels=1, depth=0, units=4, kernel_size=1, wiring="standard", predicts=predicts, patch=2)
    frames = tf.random.stateless_uniform([2, 3, 8, 6, 1], [0, 1])
    got = network(frames, horizon=2)
    assert got.shape == (2, 2, 8, 6, 1)
    other = frames.numpy()
    other[:, :, 4:6, 2:4] = 0.5  # with kernels of 1, no other square may notice
    changed = np.any(network(tf.constant(other), horizon=2).numpy() != got.numpy(), (0, 1, 4))
    assert changed[4:6, 2:4].all() and changed.sum() == 4


def test_a_change_of_nothing_is_the_last_frame():
    network = Seq2Seq(channels=1, depth=1, units=8, kernel_size=3, wiring="standard", predicts="change", patch=2)
    build(network, (None, 1, 8, 8, 1), horizon=1)
    for weight in network.frame.trainable_variables:
        weight.assign(tf.zeros(weight.shape))
    frames = tf.random.stateless_uniform([2, 3, 8, 8, 1], [0, 1])
    np.testing.assert_allclose(network(frames, horizon=4), np.repeat(frames[:, -1:], 4, 1))


def test_shared_cells_count_once_and_forget_little_at_first():
    options = {"channels": 1, "depth": 1, "units": 8, "wiring": "standard"}
    apart, shared = Seq2Seq(**options), Seq2Seq(**options, shared=True, forget_bias=1.0)
    for network in (apart, shared):
        build(network, (None, 1, 1), horizon=1)
    one_side = sum(np.prod(cell.kernel.shape) + np.prod(cell.bias.shape) for cell in apart.encoder)
    assert apart.count_params() - shared.count_params() == one_side
    assert len(shared.trainable_variables) == 2 * 2 + 2
    i, f, g, o = np.split(shared.encoder[0].bias.numpy(), 4)
    assert f.min() > 0.5 and max(np.abs(part).max() for part in (i, g, o)) < 0.5
