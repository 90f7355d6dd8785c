"""Updates per second of pose_lstm with three LSTMs: TensorFlow's fused kernel (ours), a plain loop over time, Keras' layer."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from common import parser, time_alternately

from analogy.models.building import build
from analogy.models.recurrent import RecurrentCell, time_first
from analogy.systems.hierarchical.networks.fused_lstm import FusedLstmCell
from analogy.systems.hierarchical.networks.pose_lstm import PoseLstm

CONTEXT, HORIZON, VALUES = 15, 45, 26


class PlainLstm(FusedLstmCell):
    """The same weights and formula as ours, computed step by step in a plain loop."""

    run = RecurrentCell.run


class KerasLstm(keras.layers.LSTM):
    """Keras' layer with the interface of our cells."""

    def __init__(self, units: int, **kwargs):
        super().__init__(units, return_sequences=True, return_state=True, **kwargs)

    def build(self, input_shape):
        super().build((None, *input_shape))

    def run(self, inputs, state=None):
        batch = tf.shape(inputs)[1]
        zeros = [tf.zeros([batch, self.units])] * 2
        outputs, h, c = self(time_first(inputs), initial_state=list(state or zeros))
        return time_first(outputs), (h, c)


def make_step(layer: type, units: int, batch: int):
    """A function that makes one update of pose_lstm, with this kind of LSTM, on random poses."""
    keras.utils.set_random_seed(0)
    network = PoseLstm(values=VALUES, units=units, head=(100,), hand_over="output")
    network.encoder = network.decoder = [layer(units, name="cell")]
    build(network, (None, CONTEXT, VALUES), horizon=1)
    optimizer = keras.optimizers.Adam(5e-4)
    optimizer.build(network.trainable_variables)
    poses = tf.constant(0.1 * np.random.default_rng(0).normal(size=(batch, CONTEXT + HORIZON, VALUES)), tf.float32)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(network(poses[:, :CONTEXT], horizon=HORIZON) - poses[:, CONTEXT:]))
        optimizer.apply(tape.gradient(loss, network.trainable_variables), network.trainable_variables)
        return loss

    return lambda: step().numpy()


def main() -> None:
    o = parser(__doc__, units=1024, batch=42, repeats=5).parse_args()
    ways = {"plain loop": PlainLstm, "Keras' LSTM": KerasLstm, "ours, one kernel": FusedLstmCell}
    medians = time_alternately({name: make_step(layer, o.units, o.batch) for name, layer in ways.items()}, o.repeats)
    slowest = medians["plain loop"]
    print(f"{o.units} units, batch {o.batch}, {CONTEXT} + {HORIZON} steps, float32")
    for name, seconds in medians.items():
        print(f"{name:18} {1 / seconds:7.2f} updates/s   {slowest / seconds:5.2f} x the plain loop")


if __name__ == "__main__":
    main()
