"""The cells against their formulas, and every way of running them against one step after the other."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from analogy.models.recurrent import ConvGruCell, LstmCell, RecurrentCell, convolve_both, read, step, write
from analogy.systems.hierarchical.networks.fused_lstm import FusedLstmCell


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_the_cell_by_hand():
    cell = LstmCell(2)
    cell.build((None, 3))
    rng = np.random.default_rng(0)
    x, h, c = rng.normal(size=(1, 3)), rng.normal(size=(1, 2)), rng.normal(size=(1, 2))
    i, f, g, o = np.split(np.concatenate([x, h], -1) @ cell.kernel.numpy() + cell.bias.numpy(), 4, -1)
    next_c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    output, (got_h, got_c) = cell(tf.constant(x, tf.float32), tuple(tf.constant(v, tf.float32) for v in (h, c)))
    np.testing.assert_array_equal(output, got_h)
    np.testing.assert_allclose(got_c, next_c, rtol=1e-5)
    np.testing.assert_allclose(got_h, sigmoid(o) * np.tanh(next_c), rtol=1e-5)
    assert np.abs(cell.kernel.numpy()).max() <= 1 / np.sqrt(5) and np.abs(cell.bias.numpy()).max() > 0


def test_the_fused_cell_is_the_one_of_tensorflow_1():
    cell, rng = FusedLstmCell(2), np.random.default_rng(0)
    cell.build((None, 3))
    cell.bias.assign(rng.normal(size=8))
    x, h, c = (rng.normal(size=(1, width)).astype(np.float32) for width in (3, 2, 2))
    i, g, f, o = np.split(np.concatenate([x, h], -1) @ cell.kernel.numpy() + cell.bias.numpy(), 4, -1)
    next_c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(g)
    output, (next_h, got_c) = cell(tf.constant(x), (tf.constant(h), tf.constant(c)))
    np.testing.assert_allclose(got_c, next_c, rtol=1e-5)
    np.testing.assert_allclose(output, sigmoid(o) * np.tanh(next_c), rtol=1e-5)
    np.testing.assert_array_equal(output, next_h)


def test_the_fused_cells_kernel_is_drawn_over_its_joint_shape():
    cell = FusedLstmCell(1024)
    cell.build((None, 26))
    assert np.abs(cell.kernel).max() == pytest.approx(0.03415, abs=1e-5) and not cell.bias.numpy().any()


class MadeUpGru(RecurrentCell):
    """A cell with one state and nothing but `build` and `call`: z is a gate, h' = (1 - z) h + z tanh([x, h] K)."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[-1] + self.units, 2 * self.units))

    def call(self, x, state):
        (h,) = state or (tf.zeros([*x.shape[:-1], self.units]),)
        z, new = tf.split(tf.concat([x, h], -1) @ self.kernel, 2, -1)
        h = (1 - tf.sigmoid(z)) * h + tf.sigmoid(z) * tf.tanh(new)
        return h, (h,)


CELLS = {
    "LSTM": (lambda: LstmCell(4), (3,)),
    "ConvLSTM": (lambda: LstmCell(4, 3), (6, 5, 2)),
    "fused LSTM": (lambda: FusedLstmCell(4), (3,)),
    "GRU": (lambda: MadeUpGru(4), (3,)),
}


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("from_zeros", [True, False])
def test_reading_is_calling_the_cells_step_by_step(kind, from_zeros):
    """Outputs, states and gradients: whatever way a cell takes through a whole sequence."""
    make, shape = CELLS[kind]
    keras.utils.set_random_seed(0)
    cells = [make(), make()]
    inputs = tf.random.stateless_normal([5, 2, *shape], [0, 0])
    _, states = read(cells, inputs)  # builds the cells
    assert [len(state) for state in states] == [1 if kind == "GRU" else 2] * 2
    states = None if from_zeros else [tuple(part / 2 for part in state) for state in states]

    def one_by_one(cells, inputs, states):
        outputs, states = [], states or [None] * len(cells)
        for x in tf.unstack(inputs):
            output, states = step(cells, x, states)
            outputs.append(output)
        return tf.stack(outputs), states

    results, gradients = [], []
    for run in (read, one_by_one):
        with tf.GradientTape() as tape:
            tape.watch([inputs, states or []])
            outputs, after = run(cells, inputs, states)
            loss = tf.reduce_sum(tf.sin(outputs)) + tf.add_n([tf.reduce_sum(part**2) for state in after for part in state])
        results.append(tf.nest.flatten([outputs, after]))
        weights = [weight for cell in cells for weight in cell.trainable_variables]
        gradients.append(tape.gradient(loss, [inputs, *tf.nest.flatten(states or []), *weights]))
    assert results[0][0].shape == (5, 2, *shape[:-1], 4)
    for got, expected in zip(results[0] + gradients[0], results[1] + gradients[1], strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", CELLS)
def test_writing_feeds_back_what_each_step_made(kind):
    make, shape = CELLS[kind]
    shape = (*shape[:-1], 4)  # as wide as the output, which is the next input
    cells, first = [make(), make()], tf.random.stateless_normal([2, *shape], [0, 0])
    results = write(cells, first, [None, None], 3, lambda index, x, output: ((index, x, output), output + 1))
    x, states = first, [None, None]
    for index in range(3):
        output, states = step(cells, x, states)
        assert results[index][0] == index
        np.testing.assert_array_equal(results[index][1], x)
        np.testing.assert_array_equal(results[index][2], output)
        x = output + 1


def test_forgetting_little_is_added_to_the_drawn_bias():
    biases = []
    for forget_bias in (0.0, 1.0):
        keras.utils.set_random_seed(0)
        cell = LstmCell(3, forget_bias=forget_bias)
        cell.build((None, 2))
        biases.append(cell.bias.numpy())
    np.testing.assert_allclose(biases[1] - biases[0], np.repeat([0, 1, 0, 0], 3), atol=1e-6)


def test_the_convolution_of_two_inputs_is_that_of_both_together():
    """Output and all four gradients."""
    keras.utils.set_random_seed(0)
    x, h, kernel, bias = (tf.random.normal(shape) for shape in ([2, 4, 6, 3], [2, 4, 6, 2], [5, 5, 5, 8], [8]))

    def together(x, h, kernel, bias):
        return tf.nn.bias_add(tf.nn.conv2d(tf.concat([x, h], -1), kernel, 1, "SAME"), bias)

    results = []
    for function in (convolve_both, together):
        with tf.GradientTape() as tape:
            tape.watch([x, h, kernel, bias])
            output = function(x, h, kernel, bias)
            loss = tf.reduce_sum(tf.square(output))
        results.append([output, *tape.gradient(loss, [x, h, kernel, bias])])
    for ours, plain in zip(*results, strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-4, atol=1e-3)


def test_the_convolutional_gru_by_hand():
    cell, rng = ConvGruCell(2, 3), np.random.default_rng(0)
    cell.build((None, 4, 5, 3))
    x, h = (tf.constant(rng.normal(size=(1, 4, 5, channels)), tf.float32) for channels in (3, 2))

    def convolved(inputs, kernel, bias):
        return tf.nn.conv2d(inputs, kernel, 1, "SAME").numpy() + bias.numpy()

    gates = sigmoid(convolved(tf.concat([x, h], -1), cell.gate_kernel, cell.gate_bias))
    r, z = gates[..., :2], gates[..., 2:]
    new = np.tanh(convolved(tf.concat([x, r * h], -1), cell.kernel, cell.bias))
    output, (state,) = cell(x, (h,))
    np.testing.assert_allclose(output, (1 - z) * h + z * new, atol=1e-6)
    np.testing.assert_array_equal(output, state)
    assert np.abs(cell.kernel.numpy()).max() <= 1 / np.sqrt(5 * 9)


def test_the_convolutional_gru_starts_from_zeros():
    cell = ConvGruCell(2, 5)
    cell.build((None, 4, 5, 3))
    x = tf.random.stateless_normal([2, 4, 5, 3], [0, 1])
    np.testing.assert_allclose(cell(x, None)[0], cell(x, (tf.zeros([2, 4, 5, 2]),))[0], atol=1e-6)
