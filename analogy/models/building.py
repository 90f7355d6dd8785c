"""Networks make their weights by one symbolic call: nobody writes down a second time which layer follows which."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras


class Composite(keras.layers.Layer):
    """A layer or a network without weights of its own: its parts make theirs where `call` first uses them.

    Left to itself, Keras would trace the call of every such layer once more for each layer that it lies in.
    """

    def build(self, input_shape):
        self.built = True


def build(network: keras.Model, *inputs, **arguments) -> None:
    """Make a network's weights by tracing its call on inputs that have a shape and no values.

    Args:
        inputs: the shape of each positional argument of the call, such as (None, 64, 64, 3); a list of shapes for an argument
            that is a list of tensors. arguments: all others, as they are.
    """

    def symbolic(shape):
        return [symbolic(part) for part in shape] if isinstance(shape, list) else keras.KerasTensor(shape)

    network(*(symbolic(shape) for shape in inputs), **arguments)


@contextmanager
def without_values() -> Iterator[None]:
    """Networks that are built inside can be counted, but not used: their weights have shapes, no values, and take no memory."""
    policy = keras.config.dtype_policy()
    with keras.StatelessScope(initialize_variables=False):
        yield
    # Keras has noted these weights, and would give them values after all when it builds the next network.
    keras.utils.clear_session(free_memory=False)
    keras.config.set_dtype_policy(policy)
