"""Recurrent cells, and the ways to run them over time: apart, so that any cell can be run in any way.

A cell is called with the input of one time step and its state, `cell(x, state) -> (output, next state)`. A state is a tuple of
tensors, as many as the cell needs; None stands for zeros. A stack of cells is a list, the lowest first. `read` runs it over
inputs that are all known, `write` over inputs that each step makes for the next one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

State = tuple[tf.Tensor, ...]


class RecurrentCell(keras.layers.Layer):
    """What `read` and `write` ask of a cell. A subclass makes its weights in `build` and says what one step does in `call`."""

    def call(self, x, state: State | None) -> tuple[tf.Tensor, State]:
        """One time step.

        Args:
            x: [B, C], or [B, H, W, C] for a convolutional cell. state: before the step; None for zeros.

        Returns:
            the output [B, units] or [B, H, W, units], and the state after the step.
        """
        raise NotImplementedError

    def run(self, inputs, state: State | None = None) -> tuple[tf.Tensor, State]:
        """All time steps of inputs that are known: here one by one. A cell that knows a faster way says so by its own `run`.

        Args:
            inputs: [T, B, ..., C], time first; T is known when the graph is built. state: before the first step.

        Returns:
            the outputs [T, B, ..., units], and the state after the last step.
        """
        outputs = []
        for x in tf.unstack(inputs):
            output, state = self(x, state)
            outputs.append(output)
        return tf.stack(outputs), state


def time_first(x):
    """[B, T, ...] -> [T, B, ...], and back again."""
    return tf.transpose(x, [1, 0, *range(2, x.shape.rank)])


def step(cells: Sequence[RecurrentCell], x, states: Sequence[State | None]) -> tuple[tf.Tensor, list[State]]:
    """One time step of a stack -> the top cell's output, and the next state of each cell."""
    after = []
    for cell, state in zip(cells, states, strict=True):
        x, state = cell(x, state)
        after.append(state)
    return x, after


def read(cells: Sequence[RecurrentCell], inputs, states: Sequence[State | None] | None = None) -> tuple[tf.Tensor, list[State]]:
    """Run a stack over inputs that are all known: layer by layer, so that each cell can use its fastest way.

    Args:
        inputs: [T, B, ..., C], time first. states: of each cell before the first step; None for zeros.

    Returns:
        the top cell's outputs [T, B, ..., units], and the last state of each cell.
    """
    after = []
    for cell, state in zip(cells, states or [None] * len(cells), strict=True):
        if not cell.built:  # Keras builds a layer that is called, and `run` is not a call
            cell.build(inputs.shape[1:])
        inputs, state = cell.run(inputs, state)
        after.append(state)
    return inputs, after


def write(cells: Sequence[RecurrentCell], first, states: Sequence[State | None], horizon: int, feed_back: Callable) -> list:
    """Run a stack on inputs that it makes itself -> the result of each of `horizon` steps.

    Args:
        first: the lowest cell's input at the first step. states: of each cell before it; None for zeros.
        feed_back: (step, the lowest cell's input, the top cell's output) -> the step's result, the next step's input.
    """
    x, results = first, []
    for index in range(horizon):
        output, states = step(cells, x, states)
        result, x = feed_back(index, x, output)
        results.append(result)
    return results


# ---------------------------------------------------------------- cells


def torch_uniform(fan_in: int) -> keras.initializers.Initializer:
    """U(-1/sqrt(fan_in), 1/sqrt(fan_in)): PyTorch's default, of kernels and of biases.

    Every weight needs an initializer of its own: Keras' begin anew at every call, so that two weights of one would be alike.
    """
    bound = 1.0 / math.sqrt(fan_in)
    return keras.initializers.RandomUniform(-bound, bound)


class LstmCell(RecurrentCell):
    """The LSTM or ConvLSTM as PyTorch code has it: [i f g o] = one layer on (x, h), with bias.

    c' = sigm(f) c + sigm(i) tanh(g); h' = sigm(o) tanh(c'). The output is h', the state (h', c'). No peephole, no
    normalisation, no dropout.

    Args:
        units: of the hidden state. kernel_size: of a convolution with SAME padding; 0: a dense layer.
        forget_bias: added to the forget gate's first bias.
    """

    def __init__(self, units: int, kernel_size: int = 0, forget_bias: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        self.units, self.kernel_size, self.forget_bias = units, kernel_size, forget_bias

    def build(self, input_shape):
        width = input_shape[-1] + self.units
        side = (self.kernel_size,) * 2 if self.kernel_size else ()
        fan_in = width * math.prod(side)
        shape = (*side, width, 4 * self.units)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=torch_uniform(fan_in))
        uniform, added = torch_uniform(fan_in), np.repeat([0.0, self.forget_bias, 0.0, 0.0], self.units)
        self.bias = self.add_weight(
            name="bias",
            shape=(4 * self.units,),
            initializer=lambda shape, dtype: uniform(shape, dtype) + tf.constant(added, dtype),
        )
        self.built = True

    def call(self, x, state):
        if state is None:
            return self._activate(self._from_inputs(x), None)
        h, c = state  # one convolution on (x, h) is faster than two
        return self._activate(self._transform(tf.concat([x, h], -1), self.kernel) + tf.cast(self.bias, x.dtype), c)

    def run(self, inputs, state=None):
        """What the inputs add to the gates is computed for all time steps at once."""
        steps = inputs.shape[0]
        added = tf.split(self._from_inputs(tf.reshape(inputs, [-1, *inputs.shape[2:]])), steps, 0)
        outputs = []
        for gates in added:
            if state is None:  # what zeros would add is not worth a convolution
                output, state = self._activate(gates, None)
            else:
                h, c = state
                output, state = self._activate(gates + self._transform(h, self.kernel[..., -self.units :, :]), c)
            outputs.append(output)
        return tf.stack(outputs), state

    def _from_inputs(self, x):
        """What x [..., C] adds to the gates before their activation."""
        return self._transform(x, self.kernel[..., : -self.units, :]) + tf.cast(self.bias, x.dtype)

    def _transform(self, x, kernel):
        kernel = tf.cast(kernel, x.dtype)
        return tf.nn.conv2d(x, kernel, 1, "SAME") if self.kernel_size else tf.linalg.matmul(x, kernel)

    def _activate(self, gates, c):
        """The gates before their activation, and the cell's memory or None for zeros -> the output, the next (h, c)."""
        i, f, g, o = tf.split(gates, 4, -1)
        new = tf.sigmoid(i) * tf.tanh(g)
        c = new if c is None else tf.sigmoid(f) * c + new
        h = tf.sigmoid(o) * tf.tanh(c)
        return h, (h, c)


class FusedLstmCell(RecurrentCell):
    """TensorFlow 1's BasicLSTMCell, whose whole sequence is one kernel: the fastest LSTM for large widths.

    [i g f o] = [x, h] K + b; c' = sigm(f + 1) c + sigm(i) tanh(g); h' = sigm(o) tanh(c'). The output is h', the state (h', c').
    K is one matrix, Glorot-uniform over its joint shape, b is 0: Keras' own layer draws K's rows for x and for h apart. No
    peephole, no clipping, no dropout. Computes in float32, whatever the policy: the kernel has no bfloat16.

    Args:
        units: of the hidden state.
    """

    def __init__(self, units: int, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.units = units

    def build(self, input_shape):
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[-1] + self.units, 4 * self.units))
        self.bias = self.add_weight(name="bias", shape=(4 * self.units,), initializer="zeros")
        self.built = True

    def call(self, x, state):
        h, c = state or self._zeros(tf.shape(x)[0])
        i, g, f, o = tf.split(tf.linalg.matmul(tf.concat([x, h], -1), self.kernel) + self.bias, 4, -1)
        c = tf.sigmoid(f + 1.0) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        return h, (h, c)

    def run(self, inputs, state=None):
        h, c = state or self._zeros(tf.shape(inputs)[1])
        outputs, c = lstm_block(inputs, c, h, tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.bias))
        return outputs, (outputs[-1], c)

    def _zeros(self, batch):
        return (tf.zeros([batch, self.units]),) * 2


@tf.custom_gradient
def lstm_block(inputs, cell, hidden, kernel, bias):
    """A whole sequence of `FusedLstmCell` in TensorFlow's BlockLSTM kernel, with a gradient of our own that is made for CPUs.

    The kernel's own gradient multiplies by the transposed weights in place and sums their gradient up step by step; one
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

        def one_step_back(t, from_h, from_c, gates):
            from_h += from_states[t]
            from_c += from_h * into_cell[t]
            gate = tf.concat([tf.tile(from_c, [1, 3]) * by_cell[t], from_h * by_hidden[t]], -1)  # [B, 4 U]
            return t - 1, gate @ for_hidden, from_c * f[t], gates.write(t, gate)

        start = (steps - 1, tf.zeros_like(hidden), from_cell, tf.TensorArray(hidden.dtype, steps))
        _, from_h, from_c, gates = tf.while_loop(lambda t, *_: t >= 0, one_step_back, start)
        gates = gates.stack()  # [T, B, 4 U]
        for_kernel = tf.einsum("tbi,tbg->ig", tf.concat([inputs, h_before], -1), gates)
        return gates @ for_inputs, from_c, from_h, for_kernel, tf.reduce_sum(gates, [0, 1])

    return (h, c[-1]), gradient
