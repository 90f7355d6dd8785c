"""Recurrent cells, and functions that run any stack of cells over time.

A cell computes one time step: `cell(x, state) -> (output, next state)`. A state is a tuple of as many tensors as the cell
needs; None stands for zeros. A stack of cells is a list, the lowest cell first. `read` runs a stack over an input sequence
(an encoder); `write` runs it freely, where each step computes the input of the next one (a decoder).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

State = tuple[tf.Tensor, ...]


class RecurrentCell(keras.layers.Layer):
    """The base of all cells. A subclass creates its weights in `build` and computes one time step in `call`."""

    def call(self, x, state: State | None) -> tuple[tf.Tensor, State]:
        """One time step.

        Args:
            x: [B, C], or [B, H, W, C] for a convolutional cell.
            state: the state before the step; None for zeros.

        Returns:
            the output [B, units] or [B, H, W, units], and the state after the step.
        """
        raise NotImplementedError

    def run(self, inputs, state: State | None = None) -> tuple[tf.Tensor, State]:
        """Run over a whole input sequence. This default calls the cell step by step; a subclass may have a faster way.

        Args:
            inputs: [T, B, ..., C], time first. T must be static.
            state: the state before the first step; None for zeros.

        Returns:
            the outputs [T, B, ..., units], and the state after the last step.
        """
        outputs = []
        for x in tf.unstack(inputs):
            output, state = self(x, state)
            outputs.append(output)
        return tf.stack(outputs), state


def time_first(x):
    """Exchange the first two axes: [B, T, ...] -> [T, B, ...], and the reverse."""
    return tf.transpose(x, [1, 0, *range(2, x.shape.rank)])


def step(cells: Sequence[RecurrentCell], x, states: Sequence[State | None]) -> tuple[tf.Tensor, list[State]]:
    """One time step of a stack of cells. Returns the top cell's output, and the next state of each cell."""
    next_states = []
    for cell, state in zip(cells, states, strict=True):
        x, state = cell(x, state)
        next_states.append(state)
    return x, next_states


def read(cells: Sequence[RecurrentCell], inputs, states: Sequence[State | None] | None = None) -> tuple[tf.Tensor, list[State]]:
    """Run a stack of cells over an input sequence, as an encoder does.

    One cell runs over the whole sequence before the next one starts, so that each can use its fast `run`.

    Args:
        inputs: [T, B, ..., C], time first.
        states: the state of each cell before the first step; None for zeros.

    Returns:
        the top cell's outputs [T, B, ..., units], and the last state of each cell.
    """
    last_states = []
    for cell, state in zip(cells, states or [None] * len(cells), strict=True):
        if not cell.built:  # Keras builds a layer at its first call, but `run` is not a call
            cell.build(inputs.shape[1:])
        inputs, state = cell.run(inputs, state)
        last_states.append(state)
    return inputs, last_states


def write(cells: Sequence[RecurrentCell], first, states: Sequence[State | None], horizon: int, feed_back: Callable) -> list:
    """Run a stack of cells for `horizon` steps, each on an input that the step before computed, as a decoder does.

    Args:
        first: the lowest cell's input at the first step.
        states: the state of each cell before the first step; None for zeros.
        horizon: number of steps.
        feed_back: a function (step index, the lowest cell's input, the top cell's output) -> (result of this step, input of
            the next step).

    Returns:
        the results of all steps, in order.
    """
    x, results = first, []
    for index in range(horizon):
        output, states = step(cells, x, states)
        result, x = feed_back(index, x, output)
        results.append(result)
    return results


# ---------------------------------------------------------------- cells


def torch_uniform(fan_in: int) -> keras.initializers.Initializer:
    """U(-1/sqrt(fan_in), 1/sqrt(fan_in)), PyTorch's default initialisation of kernels and biases.

    Make a new initializer for every weight: a Keras initializer returns the same numbers at every call.
    """
    bound = 1.0 / math.sqrt(fan_in)
    return keras.initializers.RandomUniform(-bound, bound)


class LstmCell(RecurrentCell):
    """An LSTM or ConvLSTM cell as it is usual in PyTorch code.

    One dense or convolutional layer with bias maps (x, h) to the gates [i f g o]. Then c' = sigm(f) c + sigm(i) tanh(g) and
    h' = sigm(o) tanh(c'). The output is h', the next state (h', c'). No peephole, no normalisation, no dropout.

    Args:
        units: channels of the hidden state.
        kernel_size: side of the convolution kernel, with SAME padding; 0 for a dense layer.
        forget_bias: added to the initial bias of the forget gate.
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
        """As in the base class. The part of the gates that comes from the inputs is computed for all steps at once."""
        steps = inputs.shape[0]
        # Taken once: each taking would add a gradient as large as the whole kernel.
        recurrent = tf.cast(self._hidden_kernel(), inputs.dtype)
        added = tf.split(self._from_inputs(tf.reshape(inputs, [-1, *inputs.shape[2:]])), steps, 0)
        outputs = []
        for gates in added:
            if state is None:  # a zero state adds nothing to the gates: skip its convolution
                output, state = self._activate(gates, None)
            else:
                h, c = state
                output, state = self._activate(gates + self._transform(h, recurrent), c)
            outputs.append(output)
        return tf.stack(outputs), state

    def _from_inputs(self, x):
        """The part of the gates, before their activation, that comes from x [..., C] and the bias: [..., 4 units]."""
        return self._transform(x, self.kernel[..., : -self.units, :]) + tf.cast(self.bias, x.dtype)

    def _hidden_kernel(self):
        """The part of the kernel that is for the hidden state."""
        return self.kernel[..., -self.units :, :]

    def _transform(self, x, kernel):
        kernel = tf.cast(kernel, x.dtype)
        return tf.nn.conv2d(x, kernel, 1, "SAME") if self.kernel_size else tf.linalg.matmul(x, kernel)

    def _activate(self, gates, c):
        """The gates [..., 4 units] before their activation, and the cell state c or None for zeros -> the output h, and the
        next state (h, c)."""
        i, f, g, o = tf.split(gates, 4, -1)
        update = tf.sigmoid(i) * tf.tanh(g)
        c = update if c is None else tf.sigmoid(f) * c + update
        h = tf.sigmoid(o) * tf.tanh(c)
        return h, (h, c)


class ConvGruCell(RecurrentCell):
    """A convolutional GRU cell (spec lvln, section 2.2).

    [r z] = sigm(conv [x, h]), c = tanh(conv [x, r h]), h' = (1 - z) h + z c. Both convolutions have a bias. The output is h',
    the next state (h',). The weights start as PyTorch's.

    Args:
        units: channels of the hidden state.
        kernel_size: side of the convolution kernels, with SAME padding.
    """

    def __init__(self, units: int, kernel_size: int, **kwargs):
        super().__init__(**kwargs)
        self.units, self.kernel_size = units, kernel_size

    def build(self, input_shape):
        width, side = input_shape[-1] + self.units, self.kernel_size
        fan_in = width * side**2

        def add(name: str, *shape: int):
            return self.add_weight(name=name, shape=shape, initializer=torch_uniform(fan_in))

        self.gate_kernel = add("gate_kernel", side, side, width, 2 * self.units)
        self.gate_bias = add("gate_bias", 2 * self.units)
        self.kernel = add("kernel", side, side, width, self.units)
        self.bias = add("bias", self.units)
        self.built = True

    def call(self, x, state):
        if state is None:  # a zero state adds nothing to the convolutions, and r has nothing to weigh
            inputs, units = x.shape[-1], self.units
            kernel = tf.concat([self.gate_kernel[:, :, :inputs, units:], self.kernel[:, :, :inputs]], -1)
            both = _convolve(x, kernel, tf.concat([self.gate_bias[units:], self.bias], 0))
            z, candidate = tf.split(both, 2, -1)
            h = tf.sigmoid(z) * tf.tanh(candidate)
            return h, (h,)
        (h,) = state
        gate_kernel, gate_bias, kernel, bias = (
            tf.cast(weight, x.dtype) for weight in (self.gate_kernel, self.gate_bias, self.kernel, self.bias)
        )
        r, z = tf.split(tf.sigmoid(convolve_both(x, h, gate_kernel, gate_bias)), 2, -1)
        candidate = tf.tanh(convolve_both(x, r * h, kernel, bias))
        h += z * (candidate - h)
        return h, (h,)


def _convolve(x, kernel, bias):
    """A convolution with SAME padding and bias: [B, H, W, C] -> [B, H, W, channels of the kernel]."""
    return tf.nn.bias_add(tf.nn.conv2d(x, tf.cast(kernel, x.dtype), 1, "SAME"), tf.cast(bias, x.dtype))


@tf.custom_gradient
def convolve_both(x, h, kernel, bias):
    """A convolution of x and h together, [B, H, W, C] and [B, H, W, units], with SAME padding and bias.

    Its gradients by x and by h are computed apart. So TensorFlow leaves that by x out where nothing needs it, as behind an
    encoder that is not trained. Behind tf.concat it would compute both.
    """
    both = tf.concat([x, h], -1)

    def gradient(upstream):
        parts = zip((x, h), tf.split(kernel, [x.shape[-1], h.shape[-1]], 2), strict=True)
        from_x, from_h = (tf.nn.conv2d_transpose(upstream, part, tf.shape(value), 1, "SAME") for value, part in parts)
        for_kernel = tf.raw_ops.Conv2DBackpropFilter(
            input=both, filter_sizes=kernel.shape, out_backprop=upstream, strides=[1, 1, 1, 1], padding="SAME"
        )
        return from_x, from_h, for_kernel, tf.raw_ops.BiasAddGrad(out_backprop=upstream)

    return _convolve(both, kernel, bias), gradient
