"""The networks of the fourth paper: sizes of the spec, order in time and batch, and parts by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from analogy.models.building import build, without_values
from analogy.models.rollout import roll
from analogy.systems.vgg_lstm.networks.features import Features, perceptual_error
from analogy.systems.vgg_lstm.networks.lstm import TorchLstmCell, run_over_time
from analogy.systems.vgg_lstm.networks.next_frame import NextFrame
from analogy.systems.vgg_lstm.networks.painter import Deconvolution, Scale, scales_of
from analogy.systems.vgg_lstm.networks.vae import LatentEncoder, SegmentDecoder, divergence, sampled

FEATURES = 25_088  # of a frame of 224 x 224


def count(network) -> int:
    return sum(int(np.prod(variable.shape)) for variable in network.weights)


def lstm(inputs: int, units: int) -> int:
    return 4 * units * (inputs + units + 1)


def test_the_numbers_of_weights_at_full_size():
    with without_values():
        features = Features(pretrained=True, trained=False)
        build(features, (None, 1, 224, 224, 3))
        network = NextFrame(side=224)
        build(network, (None, 5, FEATURES))
        encoder = LatentEncoder(units=512, size=256, per_frame=True)
        build(encoder, (None, 6, FEATURES))
        decoder = SegmentDecoder(side=224)
        build(decoder, (None, 6, 256))
    assert features.count((224, 224, 3)) == FEATURES and count(features) == 14_714_688 and not features.trainable_variables
    assert count(network.painter) == 1_732_803  # the large kernel
    assert count(network) == lstm(FEATURES, 784) + 1_732_803
    assert count(encoder) == lstm(FEATURES, 512) + 2 * (512 + 1) * 256
    assert count(decoder) == lstm(256, 784) + lstm(784, 784) + 1_732_803


def test_three_scales_end_at_the_frame_and_have_the_kernels_of_the_spec():
    scales = scales_of(224, 3)
    assert [(scale.kernel, 224 - scale.kernel + 1, scale.channels) for scale in scales] == [
        (190, 35, 16), (64, 161, 8), (16, 209, 4),
    ]  # fmt: skip
    assert scales_of(224, 1) == [Scale(190, 7, 16)] and scales[0].units == 784
    assert [scale.kernel for scale in scales_of(64, 1)] == [64 - 5 * 2 + 1]
    for side in (32, 64, 96):
        for scale in scales_of(side, 3):
            with without_values():
                layer = Deconvolution(side, 3, scale)
                assert layer(keras.KerasTensor((2, scale.units))).shape == (2, side, side, 3)


def test_the_lstm_is_pytorchs():
    """Against Keras' LSTM, whose gates are in the same order and whose kernels are apart too."""
    cell, x = TorchLstmCell(4), tf.random.stateless_normal([2, 5, 3], [0, 1])
    ours = run_over_time(cell, x)
    for weight in (cell.kernel, cell.recurrent_kernel, cell.bias):
        assert 0.3 < np.abs(weight).max() <= 0.5  # U(-1, 1) / sqrt(units)
    layer = keras.layers.LSTM(4, return_sequences=True)
    layer.build(x.shape)
    layer.set_weights([cell.kernel, cell.recurrent_kernel, cell.bias])
    np.testing.assert_allclose(ours, layer(x), atol=1e-6)
    state = cell.zero_state(2)
    for t in range(5):
        answer, state = cell(x[:, t], state)
        np.testing.assert_allclose(answer, ours[:, t], atol=1e-6)


@pytest.fixture(scope="module")
def parts():
    """Features and predictor for frames of 32 x 32, with weights that make frames differ."""
    features, network = Features(width=0.0625, pretrained=False, trained=True), NextFrame(side=32)
    frames = tf.random.stateless_uniform([2, 4, 32, 32, 3], [0, 1])
    for cell in network.cells:
        cell.build((None, features.count((32, 32, 3))))
        cell.kernel.assign(100.0 * cell.kernel)
    network(features(frames))
    return features, network, frames


def test_videos_of_a_batch_do_not_mix(parts):
    features, network, frames = parts
    both = network(features(frames))
    assert both.shape == frames.shape and float(tf.reduce_min(both)) > 0 and float(tf.reduce_max(both)) < 1
    for video in range(2):
        np.testing.assert_allclose(network(features(frames[video : video + 1])), both[video : video + 1], atol=1e-5)
    assert np.abs(both[0] - both[1]).max() > 1e-3


def test_an_answer_depends_on_no_later_frame(parts):
    features, network, frames = parts
    changed = tf.concat([frames[:, :2], 1.0 - frames[:, 2:]], 1)
    before, after = network(features(frames)), network(features(changed))
    np.testing.assert_allclose(before[:, :2], after[:, :2], atol=1e-6)
    assert np.abs(before[:, 2:] - after[:, 2:]).max() > 1e-4


def test_steps_answer_what_the_sequence_answers(parts):
    features, network, frames = parts

    def cell(frame, states):
        return network.step(features(frame[:, None])[:, 0], states)

    answers, _ = roll(cell, frames, 2, network.zero_states(2))
    assert answers.shape[1] == 6
    np.testing.assert_allclose(answers[:, :4], network(features(frames)), atol=1e-5)
    # From there on it reads its own answers.
    continued = tf.concat([frames, answers[:, 3:5]], 1)
    np.testing.assert_allclose(answers, network(features(continued)), atol=1e-5)


def test_published_weights_see_frames_as_they_were_trained():
    features = Features(width=0.0625, pretrained=True, trained=False)
    frame = tf.constant([1.0, 0.5, 0.0], shape=[1, 1, 1, 1, 3])
    np.testing.assert_allclose(features._as_it_reads(frame)[0, 0, 0], [-103.939, 127.5 - 116.779, 255 - 123.68], atol=1e-3)
    grey = features._as_it_reads(frame[..., :1])[0, 0, 0]
    np.testing.assert_allclose(grey, [255 - 103.939, 255 - 116.779, 255 - 123.68], atol=1e-3)
    own = Features(width=0.0625, pretrained=False, trained=True)
    np.testing.assert_allclose(own._as_it_reads(frame)[0, 0, 0], [1, 0, -1], atol=1e-6)


def test_features_are_scaled(parts):
    _, _, frames = parts
    tenth = Features(width=0.0625, scale=0.1, pretrained=False, trained=True)
    scaled = tenth(frames)
    tenth.scale = 1.0
    np.testing.assert_allclose(10 * scaled, tenth(frames), rtol=1e-4, atol=1e-6)


def test_the_perceptual_error_is_relative_and_each_examples_own(parts):
    features, _, frames = parts
    assert [tuple(x.shape) for x in features.compared(frames)] == [(8, 16, 16, 8), (8, 8, 8, 16)]
    np.testing.assert_array_equal(perceptual_error(features, frames, frames), [0, 0])
    one_wrong = tf.stack([frames[0], 1.0 - frames[1]])
    first, second = perceptual_error(features, frames, one_wrong).numpy()
    assert first == 0 and second > 0
    expected = sum(
        np.square(ours - true).mean() / (np.square(true).mean() + 1e-6)
        for true, ours in zip(features.compared(frames[1:]), features.compared(1.0 - frames[1:]), strict=True)
    )
    assert second == pytest.approx(expected, rel=1e-3)


def test_latents_by_frame_and_by_segment():
    x = tf.random.stateless_normal([2, 3, 6], [0, 1])
    for per_frame, latents in ((True, 3), (False, 1)):
        encoder = LatentEncoder(units=5, size=4, per_frame=per_frame)
        mean, log_variance = encoder(x)
        assert mean.shape == log_variance.shape == (2, latents, 4)
        hidden = run_over_time(encoder.cell, x)
        np.testing.assert_allclose(mean[:, -1], encoder.mean(hidden[:, -1]), atol=1e-6)  # the last one has read all frames


def test_divergence_and_samples_by_hand():
    mean, log_variance = tf.ones([2, 3, 4]), tf.zeros([2, 3, 4])
    np.testing.assert_allclose(divergence(0 * mean, log_variance), [0, 0])
    np.testing.assert_allclose(divergence(mean, log_variance), [6, 6])  # 12 numbers of 1/2 each
    expected = 12 * 0.5 * (np.exp(2) - 1 - 2)
    np.testing.assert_allclose(divergence(0 * mean, log_variance + 2), [expected] * 2, rtol=1e-5)
    np.testing.assert_allclose(
        sampled(mean, log_variance + 2 * np.log(3), 2 * tf.ones([2, 3, 4])), 1 + 3 * 2 * np.ones([2, 3, 4])
    )
