"""Building a network's weights by one symbolic call, so that no network needs a hand-written `build`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras


class Composite(keras.layers.Layer):
    """A layer or network that has no weights of its own, only sub-layers, which build their weights at their first call.

    The empty `build` saves time: Keras' default would trace the call of a nested layer again for every level of nesting.
    """

    def build(self, input_shape):
        self.built = True


def build(network: keras.Model, *inputs, **arguments) -> None:
    """Build a network's weights by tracing its call on symbolic inputs, which have shapes but no values.

    Args:
        inputs: the shape of each positional argument of the call, such as (None, 64, 64, 3). For an argument that is a list
            of tensors: a list of shapes.
        arguments: keyword arguments, passed on unchanged.
    """

    def symbolic(shape):
        return [symbolic(part) for part in shape] if isinstance(shape, list) else keras.KerasTensor(shape)

    network(*(symbolic(shape) for shape in inputs), **arguments)


@contextmanager
def without_values() -> Iterator[None]:
    """Networks that are built inside this context have weights with shapes but without values, which take no memory. Their
    weights can be counted, but the networks cannot be called on data."""
    policy = keras.config.dtype_policy()
    with keras.StatelessScope(initialize_variables=False):
        yield
    # Keras has these weights on a list of weights to initialise, and would do so when the next network is built.
    keras.utils.clear_session(free_memory=False)
    keras.config.set_dtype_policy(policy)
