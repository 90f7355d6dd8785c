"""The published pose predictors: an LSTM reads k poses and, fed with zeros or the last pose, says the next T (spec 1)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import keras
import tensorflow as tf


@tf.custom_gradient
def lstm_block(inputs, cell, hidden, kernel, bias):
    """The whole sequence in TensorFlow's one-kernel block: its forward pass, and a gradient made for CPUs.

    The block's own gradient multiplies by the transposed kernel in place and sums the kernel's gradient up step by step; one
    transposed copy and one product over all steps take less than half the time (benchmarks/pose.py).

    Args:
        inputs: [T, B, I]. cell, hidden: [B, U]. kernel: [I + U, 4 U]. bias: [4 U].

    Returns:
        hidden states [T, B, U] and the last cell [B, U].
    """
    no_peephole = tf.zeros_like(bias[: tf.shape(hidden)[-1]])
    steps = tf.shape(inputs)[0]
    i, c, f, o, g, tanh_c, h = tf.raw_ops.BlockLSTM(
        seq_len_max=tf.cast(steps, tf.int64),
        x=inputs,
        cs_prev=cell,
        h_prev=hidden,
        w=kernel,
        wci=no_peephole,
        wcf=no_peephole,
        wco=no_peephole,
        b=bias,
        forget_bias=1.0,
        cell_clip=-1.0,
        use_peephole=False,
    )

    def gradient(from_states, from_cell):
        c_before, h_before = tf.concat([cell[None], c[:-1]], 0), tf.concat([hidden[None], h[:-1]], 0)
        into_cell = o * (1.0 - tf.square(tanh_c))  # of c', through h'
        # Of the pre-activations: i, g and f through c', o through h'.
        by_cell = tf.concat([g * i * (1.0 - i), i * (1.0 - tf.square(g)), c_before * f * (1.0 - f)], -1)
        by_hidden = tanh_c * o * (1.0 - o)
        for_inputs, for_hidden = tf.split(tf.transpose(kernel), [inputs.shape[-1], hidden.shape[-1]], -1)

        def one(t, from_h, from_c, gates):
            from_h += from_states[t]
            from_c += from_h * into_cell[t]
            gate = tf.concat([tf.tile(from_c, [1, 3]) * by_cell[t], from_h * by_hidden[t]], -1)  # [B, 4 U]
            return t - 1, gate @ for_hidden, from_c * f[t], gates.write(t, gate)

        start = (steps - 1, tf.zeros_like(hidden), from_cell, tf.TensorArray(hidden.dtype, steps))
        _, from_h, from_c, gates = tf.while_loop(lambda t, *_: t >= 0, one, start)
        gates = gates.stack()  # [T, B, 4 U]
        read = tf.concat([inputs, h_before], -1)
        for_kernel = tf.einsum("tbi,tbg->ig", read, gates)
        return gates @ for_inputs, from_c, from_h, for_kernel, tf.reduce_sum(gates, [0, 1])

    return (h, c[-1]), gradient


class Lstm(keras.layers.Layer):
    """TensorFlow 1's BasicLSTMCell over a whole sequence.

    [i g f o] = [x, h] K + b; c' = sigm(f + 1) c + sigm(i) tanh(g); h' = sigm(o) tanh(c'). K is one matrix, Glorot-uniform over
    its joint shape, b is 0: Keras' own layer draws the two halves of K apart. No peephole, no clipping, no dropout.
    """

    def __init__(self, units: int, **kwargs):
        super().__init__(dtype="float32", **kwargs)  # the kernel has no bfloat16
        self.units = units

    def build(self, input_shape):
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[-1] + self.units, 4 * self.units))
        self.bias = self.add_weight(name="bias", shape=(4 * self.units,), initializer="zeros")
        self.built = True

    def call(self, inputs, cell, hidden):
        """inputs [T, B, I], time first; cell, hidden [B, units] -> (hidden states [T, B, units], last cell, last hidden)."""
        states, cell = lstm_block(inputs, cell, hidden, tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.bias))
        return states, cell, states[-1]


class PoseLstm(keras.Model):
    """Observed poses [B, k, V] -> future poses [B, T, V].

    Args:
        values: V, numbers in a pose.
        units: of each LSTM layer. layers: how many are stacked.
        embedding: units of a linear layer with ReLU before the LSTM; 0 leaves it out.
        head: units of the layers after the LSTM, sigmoid.
        activation: of the last layer: "tanh", "sigmoid" or "linear".
        shared: encoder and decoder have the same weights.
        hand_over: what the decoder starts from: "state", the encoder's (c_k, h_k); or "output", h_k in both places, as the
            original does.
        decoder_input: of every future step: "zeros", or "last", the last observed pose.
    """

    def __init__(
        self,
        *,
        values: int,
        units: int,
        layers: int = 1,
        embedding: int = 0,
        head: Sequence[int] = (),
        activation: str = "tanh",
        shared: bool = True,
        hand_over: str = "state",
        decoder_input: str = "zeros",
        name: str = "pose_lstm",
    ):
        super().__init__(name=name, dtype="float32")
        self.values, self.hand_over, self.decoder_input = values, hand_over, decoder_input
        dense = partial(keras.layers.Dense, dtype="float32")
        self.embedding = dense(embedding, activation="relu", name="embedding") if embedding else None
        self.encoder = [Lstm(units, name=f"encoder{layer}") for layer in range(layers)]
        self.decoder = self.encoder if shared else [Lstm(units, name=f"decoder{layer}") for layer in range(layers)]
        self.head = [dense(width, activation="sigmoid", name=f"head{layer}") for layer, width in enumerate(head)]
        self.last = dense(values, activation=activation, name="last")
        self.units = units

    def build(self, input_shape):
        width = self.values
        if self.embedding:
            self.embedding.build((None, width))
            width = self.embedding.units
        for cells in (self.encoder, self.decoder):
            for layer, cell in enumerate(cells):
                if not cell.built:
                    cell.build((None, None, self.units if layer else width))
        width = self.units
        for layer in (*self.head, self.last):
            layer.build((None, width))
            width = layer.units
        self.built = True

    def call(self, poses, horizon: int):
        observed = tf.transpose(poses, [1, 0, 2])  # [k, B, V]
        batch = tf.shape(poses)[0]
        if self.decoder_input == "last":
            future = tf.repeat(observed[-1:], horizon, 0)
            future = self.embedding(future) if self.embedding else future
        else:  # after the embedding, as in Villegas' code
            future = tf.zeros([horizon, batch, self.embedding.units if self.embedding else self.values])
        x = self.embedding(observed) if self.embedding else observed
        zero, states = tf.zeros([batch, self.units]), []
        for cell in self.encoder:
            x, c, h = cell(x, zero, zero)
            states.append((h if self.hand_over == "output" else c, h))
        x = future
        for cell, (c, h) in zip(self.decoder, states, strict=True):
            x, _, _ = cell(x, c, h)
        for layer in (*self.head, self.last):
            x = layer(x)
        return tf.transpose(x, [1, 0, 2])
