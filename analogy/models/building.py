"""Networks make their weights by one symbolic call: nobody writes down a second time which layer follows which."""

from __future__ import annotations

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
