"""An LSTM whose whole sequence is one kernel of TensorFlow, with a gradient of our own."""

from __future__ import annotations

import tensorflow as tf

from analogy.models.recurrent import RecurrentCell


class FusedLstmCell(RecurrentCell):
    """TensorFlow 1's BasicLSTMCell. One kernel computes a whole sequence, which makes it the fastest LSTM for many units.

    [i g f o] = [x, h] K + b; c' = sigm(f + 1) c + sigm(i) tanh(g); h' = sigm(o) tanh(c'). The output is h', the next state
    (h', c'). K is one matrix for x and h, initialised Glorot-uniform with the shape of the whole (Keras' LSTM initialises the
    parts for x and h separately); b starts at 0. No peephole, no clipping, no dropout. It always computes in float32, because
    the kernel has no bfloat16.

    Args:
        units: size of the hidden state.
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
    """A whole sequence of `FusedLstmCell` by TensorFlow's BlockLSTM kernel, with our own gradient, which is faster on CPUs.

    TensorFlow's gradient reads the weights transposed at every step, and adds up their gradient step by step. Here the weights
    are transposed once, and their gradient is one product over all steps: less than half the time (benchmarks/pose.py).

    Args:
        inputs: [T, B, I].
        cell, hidden: the states c and h before the first step, [B, U].
        kernel: [I + U, 4 U].
        bias: [4 U].

    Returns:
        the hidden states of all steps [T, B, U], and the last cell state [B, U].
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
        into_cell = o * (1.0 - tf.square(tanh_c))  # d h' / d c'
        # Derivatives by the gates before their activation: of c' by i, g and f; of h' by o.
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
