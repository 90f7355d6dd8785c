"""Recurrent cells and how they are run over time: apart, so that any cell can be run in any way."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf


def torch_uniform(fan_in: int) -> keras.initializers.Initializer:
    """U(-1/sqrt(fan_in), 1/sqrt(fan_in)): PyTorch's default, of kernels and of biases.

    One for each weight: Keras' initializers begin anew at every call, so that two weights of one would be alike.
    """
    bound = 1.0 / math.sqrt(fan_in)
    return keras.initializers.RandomUniform(-bound, bound)


class LstmCell(keras.layers.Layer):
    """[i f g o] = one layer on (x, h), with bias; c' = sigm(f) c + sigm(i) tanh(g); h' = sigm(o) tanh(c').

    No peephole, no normalisation, no dropout. x is [B, C], or [B, H, W, C] for the convolutional cell.

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
        self.bias = self.add_weight(name="bias", shape=(4 * self.units,), initializer=torch_uniform(fan_in))
        if self.forget_bias:
            self.bias.assign_add([0.0] * self.units + [self.forget_bias] * self.units + [0.0] * 2 * self.units)
        self.built = True

    def transform(self, x, kernel):
        kernel = tf.cast(kernel, x.dtype)
        return tf.nn.conv2d(x, kernel, 1, "SAME") if self.kernel_size else tf.linalg.matmul(x, kernel)

    def inputs(self, x):
        """What x [..., C] adds to the gates before their activation: of many time steps at once, where they are known."""
        return self.transform(x, self.kernel[..., : -self.units, :]) + tf.cast(self.bias, x.dtype)

    def step(self, added, state):
        """`inputs` of one time step, (h, c) or None for zeros -> the next (h, c)."""
        if state is None:  # what zeros would add is not worth a convolution
            return self.activate(added, None)
        h, c = state
        return self.activate(added + self.transform(h, self.kernel[..., -self.units :, :]), c)

    def call(self, x, state):
        """x of one time step, (h, c) or None for zeros -> the next (h, c): one convolution on (x, h) is faster than two."""
        if state is None:
            return self.step(self.inputs(x), None)
        h, c = state
        return self.activate(self.transform(tf.concat([x, h], -1), self.kernel) + tf.cast(self.bias, x.dtype), c)

    def activate(self, gates, c):
        """The gates before their activation, and the cell's memory or None for zeros -> the next (h, c)."""
        i, f, g, o = tf.split(gates, 4, -1)
        new = tf.sigmoid(i) * tf.tanh(g)
        c = new if c is None else tf.sigmoid(f) * c + new
        return tf.sigmoid(o) * tf.tanh(c), c


def read(cells: Sequence[LstmCell], frames) -> list:
    """Run a stack of cells over frames [B, T, ...], layer by layer, from zero states -> the last state of each cell.

    Each layer's inputs are known for all time steps when it begins, and are transformed at once.
    """
    states = []
    sequence = tf.unstack(frames, axis=1)
    for cell in cells:
        count = len(sequence)
        joined = tf.concat(sequence, 0)  # [T B, ...]
        added = tf.split(cell.inputs(joined), count, 0)
        state, outputs = None, []
        for one in added:
            state = cell.step(one, state)
            outputs.append(state[0])
        states.append(state)
        sequence = outputs
    return states


def write(cells: Sequence[LstmCell], first, states: Sequence, horizon: int, feed_back: Callable) -> list:
    """Run a stack of cells freely -> what comes of each of `horizon` steps.

    Args:
        first: what the lowest cell sees at the first step. states: (h, c) of each cell, or None for zeros.
        feed_back: (step, what the lowest cell saw, top hidden state) -> what comes of it, and what the lowest cell sees next.
    """
    states, seen, results = list(states), first, []
    for step in range(horizon):
        x = seen
        for index, cell in enumerate(cells):
            states[index] = cell(x, states[index])
            x = states[index][0]
        result, seen = feed_back(step, seen, x)
        results.append(result)
    return results
