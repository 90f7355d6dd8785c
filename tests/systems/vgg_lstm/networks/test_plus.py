"""The network that moves the last observed frame: where it starts, and what its rhythm, replay and clock say."""

import numpy as np
import pytest
import tensorflow as tf

from analogy.models.mixing import blur
from analogy.systems.vgg_lstm.networks.plus import MovingFrame, clock, replayed


def test_untrained_ours_copies_what_stands_still():
    frame = np.random.default_rng(0).random((1, 1, 32, 32, 3))
    frames = tf.repeat(tf.constant(frame, tf.float32), 2, 1)
    network = MovingFrame(units=4)
    future, flow = network(frames, tf.zeros([1, 2, 32]), count=3)
    smooth = blur(frames[:, 0], 2.0)
    np.testing.assert_allclose(flow, np.zeros(flow.shape), atol=1e-4)
    expected = 0.9 * frames[:, 0] + 0.1 * smooth
    np.testing.assert_allclose(future, tf.repeat(expected[:, None], 3, 1), atol=1e-4)


def test_a_rhythm_decides_by_the_step_what_is_blended():
    frames = tf.constant(np.random.default_rng(0).random((1, 3, 32, 32, 3)), tf.float32)
    network = MovingFrame(units=4, rhythm=True)
    network(frames, tf.zeros([1, 3, 32]), count=1)
    last, mean = 3, 4  # of what is blended
    kernel, bias = (np.zeros(variable.shape, np.float32) for variable in network.rhythm.variables)
    bias[:], bias[last], bias[mean] = -50.0, 0.0, -45.0
    kernel[0, mean] = 300.0  # a tenth of it for each step: from the second step on, the mean outweighs the last frame
    network.rhythm.set_weights([kernel, bias])
    future, _ = network(frames, tf.zeros([1, 3, 32]), count=3)
    np.testing.assert_allclose(future[:, 0], frames[:, -1], atol=1e-4)
    for step in (1, 2):
        np.testing.assert_allclose(future[:, step], tf.reduce_mean(frames, 1), atol=1e-3)


@pytest.mark.parametrize(("observed", "expected"), [(3, [3, 2, 1, 2, 3, 2]), (2, [2, 1, 2, 1, 2, 1])])
def test_observed_frames_are_replayed_back_and_forth(observed, expected):
    frames = tf.range(1.0, observed + 1.0)[None, :, None, None, None]
    steps = [tf.constant(step, tf.float32) for step in range(1, 7)]
    np.testing.assert_array_equal([replayed(frames, step)[0, 0, 0, 0] for step in steps], expected)


def test_the_clock_tells_every_step_of_a_dozen_and_begins_anew():
    waves = np.stack([clock(tf.constant(step, tf.float32))[1:] for step in np.arange(1.0, 25.0)])
    np.testing.assert_allclose(waves[:12], waves[12:], atol=1e-5)
    distances = np.linalg.norm(waves[:12, None] - waves[None, :12], axis=-1)
    assert np.all(distances[~np.eye(12, dtype=bool)] > 0.5)


@pytest.mark.parametrize("steps", [1, 5, 12])
def test_any_blend_of_a_dozen_steps_is_a_rhythm(steps):
    network = MovingFrame(units=4, rhythm=True)
    network(tf.zeros([1, 2, 32, 32, 3]), tf.zeros([1, 2, 32]), count=1)
    wanted = np.log(np.random.default_rng(steps).dirichlet(np.ones(6), steps))
    network.set_rhythm(wanted)
    said = [network.log_weights(tf.constant(step + 1.0)) for step in range(steps)]
    np.testing.assert_allclose(said, wanted, atol=1e-3)
