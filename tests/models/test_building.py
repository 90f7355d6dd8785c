"""Networks that are built by one symbolic call."""

import keras
import numpy as np
import tensorflow as tf

from analogy.models.building import Composite, build, without_values


class Inner(Composite):
    """Two layers in a composite, and how often its call was traced."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = keras.layers.Dense(3, name="first")
        self.second = keras.layers.Dense(2, name="second")
        self.traced = 0

    def call(self, x):
        self.traced += 1
        return self.second(tf.nn.relu(self.first(x)))


class Network(Composite, keras.Model):
    def __init__(self):
        super().__init__(name="network")
        self.inner = Inner(name="inner")

    def call(self, pair, scale, *, times: int):
        return tf.concat(pair, -1) * scale if times == 0 else self.inner(tf.concat(pair, -1)) * scale


INPUTS = [(None, 4), (None, 1)], (None, 1)


def made():
    keras.utils.set_random_seed(0)
    network = Network()
    build(network, *INPUTS, times=1)
    return network


def test_one_trace_makes_every_weight_in_its_place():
    network = made()
    paths = [f"network/inner/{layer}/{weight}" for layer in ("first", "second") for weight in ("kernel", "bias")]
    assert [variable.path for variable in network.variables] == paths
    assert [tuple(variable.shape) for variable in network.variables] == [(5, 3), (3,), (3, 2), (2,)]
    assert network.built and network.inner.traced == 1


def test_the_weights_are_those_of_a_network_that_was_called():
    keras.utils.set_random_seed(0)
    called = Network()
    pair, scale = [tf.ones([2, 4]), tf.ones([2, 1])], tf.ones([2, 1])
    called(pair, scale, times=1)
    network = made()
    for built, eager in zip(network.get_weights(), called.get_weights(), strict=True):
        np.testing.assert_array_equal(built, eager)
    assert network(pair, scale, times=1).shape == (2, 2)


def test_weights_can_be_counted_without_being_made():
    with without_values():
        network = keras.Sequential([keras.layers.Dense(10**6)])  # 4 TB
        build(network, (None, 10**6))
    assert network.count_params() == 10**12 + 10**6
    assert made().get_weights()  # nor when the next network is built
