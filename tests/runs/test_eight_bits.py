"""Endpoints with convolutions in 8 bits: close to floating point, and honest about what they take."""

import numpy as np
import pytest
import tensorflow as tf

from analogy.errors import UserError
from analogy.runs.conversion import run_tflite
from analogy.runs.eight_bits import called_in_parts, input_specs, parts_of_call, to_int8

RNG = np.random.default_rng(0)


class Network(tf.Module):
    """One convolution of frames, moved by a place that 8 bits could not hold, as heatmaps are."""

    def __init__(self, free: int | None = 3):
        super().__init__()
        self.kernel = tf.Variable(RNG.normal(0, 0.3, (3, 3, 3, 4)).astype(np.float32))
        frames, place = tf.TensorSpec([None, 8, 8, free], tf.float32, "frames"), tf.TensorSpec([1], tf.float32, "place")
        self.paint = tf.function(self.painted, input_signature=[frames, place])

    def painted(self, frames, place):
        convolved = tf.nn.leaky_relu(tf.nn.conv2d(frames, self.kernel, 1, "SAME") + 0.1, 0.2)
        return {"painted": convolved + place, "place": place * tf.ones([tf.shape(frames)[0]])}


def frames(count):
    return RNG.uniform(-1, 1, (count, 8, 8, 3)).astype(np.float32)


def test_convolutions_are_in_8_bits_and_all_else_is_exact():
    network, place = Network(), np.array([1000.25], np.float32)
    calls = [{"frames": frames(5), "place": place}, {"frames": frames(2), "place": place}]
    content = to_int8(network.paint, network, calls, batch=2)
    answer = called_in_parts(run_tflite(content, threads=1), input_specs(network.paint), 2)
    inputs = {name: tf.constant(value) for name, value in calls[0].items()}
    ours, exact = answer(**inputs), network.paint(**inputs)
    assert np.array_equal(ours["place"], exact["place"])  # 256 values from 0 to 1000 would be 4 apart
    error = np.abs(ours["painted"] - exact["painted"]).max()
    largest = np.abs(exact["painted"] - place).max()
    assert 0.0 < error < 0.03 * largest  # some steps of 1/255 of the range: inputs, kernel, result


def test_ranges_come_from_the_calls():
    network, place = Network(), np.zeros(1, np.float32)
    dim = [{"frames": 0.01 * frames(4), "place": place}]
    answer = run_tflite(to_int8(network.paint, network, dim, batch=2), threads=1)
    bright = {"frames": frames(2), "place": place}
    expected = network.paint(**{name: tf.constant(value) for name, value in bright.items()})["painted"].numpy()
    assert np.abs(answer(bright)["painted"]).max() < 0.1 * np.abs(expected).max()  # cut off at what was seen


def test_a_call_is_cut_into_parts_whose_last_example_fills_up():
    specs = input_specs(Network().paint)
    inputs = {"frames": frames(5), "place": np.ones(1, np.float32)}
    parts = list(parts_of_call(inputs, specs, 2))
    assert [count for _, count in parts] == [2, 2, 1] and all(len(part["frames"]) == 2 for part, _ in parts)
    assert np.array_equal(parts[2][0]["frames"], inputs["frames"][[4, 4]])
    whole = called_in_parts(lambda part: {"frames": part["frames"]}, specs, 2)(**inputs)
    assert np.array_equal(whole["frames"], inputs["frames"])


def test_a_size_that_is_not_fixed_is_one_line():
    network = Network(free=None)
    with pytest.raises(UserError, match="the length of frames is not fixed"):
        to_int8(network.paint, network, [], batch=2)
