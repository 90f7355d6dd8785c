"""The LSTM against its formula, the units against theirs, and what our predictor promises before any training."""

import numpy as np
import pytest
import tensorflow as tf

from analogy.joints import MIRRORED
from analogy.models.building import build
from analogy.systems.hierarchical.networks.pose_lstm import PoseLstm
from analogy.systems.hierarchical.networks.pose_residual import PoseResidual, last_visible, smooth_basis
from analogy.systems.hierarchical.networks.pose_units import UNITS

RNG = np.random.default_rng(0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_hand(x, c, h, kernel, bias):
    states = []
    for step in x:
        i, g, f, o = np.split(np.concatenate([step, h], -1) @ kernel + bias, 4, -1)
        c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.stack(states), c, h


@pytest.mark.parametrize("hand_over", ["output", "state"])
@pytest.mark.parametrize("decoder_input", ["zeros", "last"])
def test_what_the_decoder_starts_from_and_reads(hand_over, decoder_input):
    network = PoseLstm(values=3, units=5, hand_over=hand_over, decoder_input=decoder_input, activation="linear")
    build(network, (None, 4, 3), horizon=1)
    poses = RNG.normal(size=(2, 4, 3)).astype(np.float32)
    kernel, bias = network.encoder[0].kernel.numpy(), network.encoder[0].bias.numpy()
    zero = np.zeros([2, 5])
    _, c, h = by_hand(poses.transpose(1, 0, 2), zero, zero, kernel, bias)
    given = np.repeat(poses[None, :, -1], 6, 0) if decoder_input == "last" else np.zeros([6, 2, 3])
    states, _, _ = by_hand(given, h if hand_over == "output" else c, h, kernel, bias)
    expected = states @ network.last.kernel.numpy() + network.last.bias.numpy()
    np.testing.assert_allclose(network(tf.constant(poses), horizon=6), expected.transpose(1, 0, 2), atol=1e-5)


def test_two_layers_apart_with_an_embedding_by_hand():
    network = PoseLstm(values=3, units=5, layers=2, embedding=4, head=(6,), shared=False)
    build(network, (None, 4, 3), horizon=1)
    poses = RNG.normal(size=(2, 4, 3)).astype(np.float32)
    zero = np.zeros([2, 5])
    x = np.maximum(poses.transpose(1, 0, 2) @ network.embedding.kernel.numpy() + network.embedding.bias.numpy(), 0)
    states = []
    for layer in network.encoder:
        x, c, h = by_hand(x, zero, zero, layer.kernel.numpy(), layer.bias.numpy())
        states.append((c, h))
    x = np.zeros([6, 2, 4])  # zeros after the embedding, whose bias would not leave them zero
    for layer, (c, h) in zip(network.decoder, states, strict=True):
        x, _, _ = by_hand(x, c, h, layer.kernel.numpy(), layer.bias.numpy())
    x = sigmoid(x @ network.head[0].kernel.numpy() + network.head[0].bias.numpy())
    expected = np.tanh(x @ network.last.kernel.numpy() + network.last.bias.numpy())
    np.testing.assert_allclose(network(tf.constant(poses), horizon=6), expected.transpose(1, 0, 2), atol=1e-5)


def facts():
    return {
        "box": tf.constant([[20.0, 30.0, 70.0, 130.0]]),
        "size": tf.constant([[160.0, 140.0]]),
        "survives": tf.constant([[1.0] * 12 + [0.0]]),
        "origin": tf.constant(RNG.uniform(20, 70, (1, 13, 2)), tf.float32),
    }


@pytest.mark.parametrize("kind", UNITS)
def test_units_lead_back_to_pixels(kind):
    there, back = UNITS[kind]
    joints, visibility, clip_facts = tf.constant(RNG.uniform(20, 130, (1, 4, 13, 2)), tf.float32), tf.ones([1, 4, 13]), facts()
    values = there(joints, visibility, clip_facts)
    np.testing.assert_allclose(back(values, clip_facts)[:, :, :12], joints[:, :, :12], atol=1e-3)
    hidden = there(joints, tf.zeros_like(visibility), clip_facts)
    if kind == "displacement":
        assert not values[:, :, 12].numpy().any()
        np.testing.assert_allclose(
            values[:, :, :12], ((joints - clip_facts["origin"][:, None]) / [50.0, 100.0])[:, :, :12], atol=1e-6
        )
    else:
        assert not hidden.numpy().any()


def test_the_square_is_widened_about_the_box_and_cut_by_the_frame():
    corners = tf.constant([[[[-10.0, 25.0], [100.0, 135.0]]]])  # 110 tall with its padding; x from 45 - 55 to 45 + 55
    values = UNITS["square"][0](corners, tf.ones([1, 1, 2]), facts()).numpy()
    np.testing.assert_allclose(values[0, 0], [[-1 - 2 * 10 / 100, -1], [1, 1]], atol=1e-6)


def residual(conditions=0, **more):
    network = PoseResidual(horizon=6, units=8, basis=5, **more)
    build(network, (None, 4, 13, 2), (None, 4, 13), (None, conditions))
    return network


def observed(batch=3):
    joints = tf.constant(RNG.uniform(0, 100, (batch, 4, 13, 2)), tf.float32)
    visibility = np.ones([batch, 4, 13], np.float32)
    visibility[0, 3, 5] = visibility[1, :, 2] = 0
    return joints, tf.constant(visibility)


def none(batch=3):
    return tf.zeros([batch, 0])


def test_the_future_starts_at_the_last_pose():
    assert smooth_basis(45, 8).shape == (8, 45) and np.abs(smooth_basis(10**6, 8)[:, 0]).max() < 1e-4
    joints, visibility = observed()
    last, ever = last_visible(joints, visibility)
    np.testing.assert_allclose(last[0, 5], joints[0, 2, 5])  # hidden in the last frame
    others = np.delete(joints[1, 3].numpy(), 2, 0)
    np.testing.assert_allclose(last[1, 2], others.mean(0), rtol=1e-5)  # never seen
    assert ever[1, 2] == 0 and ever.numpy().sum() == 3 * 13 - 1
    untrained = residual()(joints, visibility, none())
    assert np.abs(untrained[0] - last[:, None]).max() < 2  # of 100 pixels


def awake(**more):
    network = residual(**more)
    for member in network.members:
        member.coefficients.kernel.assign(0.3 * tf.random.stateless_normal(member.coefficients.kernel.shape, [1, 2]))
    return network


def test_where_and_how_large_the_person_is_makes_no_difference():
    joints, visibility = observed()
    network = awake()
    plain = network.steady(joints, visibility, none())
    np.testing.assert_allclose(network.steady(2 * joints + 30, visibility, none()), 2 * plain + 30, rtol=1e-3, atol=0.05)


def test_a_mirrored_past_has_a_mirrored_future():
    joints, visibility = observed()
    network = awake(members=2)
    turned = tf.gather(joints, MIRRORED, axis=2) * [-1.0, 1.0], tf.gather(visibility, MIRRORED, axis=2)
    expected = tf.gather(network.steady(joints, visibility, none()), MIRRORED, axis=2) * [-1.0, 1.0]
    np.testing.assert_allclose(network.steady(*turned, none()), expected, atol=1e-3)


def test_what_is_stored_for_a_hidden_joint_makes_no_difference():
    joints, visibility = observed()
    hidden = np.where(visibility.numpy()[..., None] > 0, joints.numpy(), np.nan)
    network = awake()
    np.testing.assert_allclose(network(tf.constant(hidden), visibility, none()), network(joints, visibility, none()), atol=1e-4)


def test_the_condition_matters():
    joints, visibility = observed()
    network = awake(conditions=2)
    first, second = (network(joints, visibility, tf.one_hot([a] * 3, 2)) for a in (0, 1))
    assert np.abs(first - second).max() > 0.1
