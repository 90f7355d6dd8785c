"""An LSTM as PyTorch's: the paper's code is PyTorch, and how its weights begin matters for large features."""

from __future__ import annotations

import tensorflow as tf

from analogy.models.recurrent import LstmCell, read, time_first, torch_uniform


class TorchLstmCell(LstmCell):
    """An LSTM cell with one kernel for the input and one for the hidden state; all weights begin in U(-1, 1) / sqrt(units).

    `LstmCell` has one kernel for both. Here the input has 25,088 numbers, and slicing such a kernel costs more than the step.
    PyTorch adds two biases, which is the same as one.

    Args:
        units: size of the hidden state.
    """

    def build(self, input_shape):
        def weight(name: str, *shape: int):
            return self.add_weight(name=name, shape=shape, initializer=torch_uniform(self.units))

        self.kernel = weight("kernel", input_shape[-1], 4 * self.units)
        self.recurrent_kernel = weight("recurrent_kernel", self.units, 4 * self.units)
        self.bias = weight("bias", 4 * self.units)
        self.built = True

    def call(self, x, state):
        if state is None:
            return self._activate(self._from_inputs(x), None)
        h, c = state
        return self._activate(self._from_inputs(x) + self._transform(h, self.recurrent_kernel), c)

    def zero_state(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """The state at the beginning, for a batch of this size."""
        return (tf.zeros([batch, self.units], self.compute_dtype),) * 2

    def _from_inputs(self, x):
        return self._transform(x, self.kernel) + tf.cast(self.bias, x.dtype)

    def _hidden_kernel(self):
        return self.recurrent_kernel


def run_over_time(cell: TorchLstmCell, sequences):
    """Sequences [B, S, C] -> the hidden states after every step [B, S, units]; each sequence begins with a state of zeros."""
    return time_first(read([cell], time_first(sequences))[0])
