"""The lateral blocks of the ladder: what they remember of the frames, and where in the frame they are (spec section 2.2)."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from analogy.models.building import Composite
from analogy.models.recurrent import ConvGruCell, State, torch_uniform

KERNELS = (3, 5, 7)  # sides of the kernels of a block's ConvGRUs


def scaled(channels: int, width: float) -> int:
    """`width` times as many channels: a multiple of 4, which a pixel shuffle can divide, and at least 4."""
    return 4 * max(1, round(width * channels / 4))


def torch_conv(channels: int, size: int, inputs: int, name: str, stride: int = 1) -> keras.layers.Conv2D:
    """A convolution with PyTorch's initial weights; SAME padding where the stride is 1, otherwise none.

    inputs: its number of input channels.
    """
    kernel, bias = (torch_uniform(inputs * size**2) for _ in range(2))
    padding = "same" if stride == 1 else "valid"
    return keras.layers.Conv2D(
        channels, size, stride, padding=padding, kernel_initializer=kernel, bias_initializer=bias, name=name
    )


def location_maps(height: int, width: int, columns: str = "correct") -> np.ndarray:
    """Two maps of where a pixel is, [2, H, W] float32: its row / (H - 1) and its column / (W - 1), 0 to 1.

    columns: "published" is the map of the published code, whose loop ends too early: column / (H - 1) in the first H columns,
    and 1 in the others.
    """
    rows = np.arange(height) / max(1, height - 1)
    if columns == "published":
        across = np.where(np.arange(width) < height, np.arange(width) / max(1, height - 1), 1.0)
    else:
        across = np.arange(width) / max(1, width - 1)
    return np.stack(np.broadcast_arrays(rows[:, None], across[None])).astype(np.float32)


class LocationConv(Composite):
    """A location-dependent 1 x 1 convolution: W x + b + P0 columns + P1 rows + P2 (Azizi et al. 2018).

    P0, P1 and P2 are maps of the frame's size, which all channels share; they start at 0.

    Args:
        channels: of the output.
        columns: see `location_maps`.
    """

    def __init__(self, channels: int, *, columns: str, **kwargs):
        super().__init__(**kwargs)
        self.channels, self.columns = channels, columns

    def build(self, input_shape):
        height, width, inputs = input_shape[1:]
        self.convolution = torch_conv(self.channels, 1, inputs, "convolution")
        self.convolution.build(input_shape)
        self.maps = self.add_weight(name="maps", shape=(3, height, width), initializer="zeros")
        rows, columns = location_maps(height, width, self.columns)
        self.factors = np.stack([columns, rows, np.ones_like(rows)])
        self.built = True

    def call(self, x):
        added = tf.reduce_sum(tf.cast(self.maps, x.dtype) * tf.constant(self.factors, x.dtype), 0)
        return self.convolution(x) + added[..., None]


class Lateral(Composite):
    """A tap [B, H, W, C] -> [B, H, W, 4 units]: a 1 x 1 convolution of it, and the states of three ConvGRUs that read it.

    Args:
        units: channels of each of the four parts.
        located: the 1 x 1 convolution is a `LocationConv`.
        columns: see `location_maps`.
    """

    def __init__(self, units: int, *, located: bool, columns: str, kernels: Sequence[int] = KERNELS, **kwargs):
        super().__init__(**kwargs)
        self.units, self.located, self.columns = units, located, columns
        self.cells = [ConvGruCell(units, size, name=f"gru{size}") for size in kernels]

    def build(self, input_shape):
        if self.located:
            self.pointwise = LocationConv(self.units, columns=self.columns, name="pointwise")
        else:
            self.pointwise = torch_conv(self.units, 1, input_shape[-1], "pointwise")
        self.size = input_shape[1:3]
        super().build(input_shape)

    def zero_states(self, batch) -> list[State]:
        """The states at the beginning, for a batch of this size."""
        return [(tf.zeros([batch, *self.size, self.units], self.compute_dtype),) for _ in self.cells]

    def call(self, x, states: list[State] | None = None):
        """states: of the three cells before this frame; None: zeros. Returns the output and the states after it."""
        parts, next_states = [self.pointwise(x)], []
        for cell, state in zip(self.cells, states or [None] * len(self.cells), strict=True):
            hidden, state = cell(x, state)
            parts.append(hidden)
            next_states.append(state)
        return tf.concat(parts, -1), next_states


def named_states(levels: list[list[State]]) -> dict[str, tf.Tensor]:
    """The states of lateral blocks, the finest first -> "c1", "c2", ...: those of a block's cells one after the other, float32
    [B, H', W', units]."""
    merged = [tf.concat([hidden for (hidden,) in level], -1) for level in levels]
    return {f"c{index}": tf.cast(value, tf.float32) for index, value in enumerate(merged, 1)}
