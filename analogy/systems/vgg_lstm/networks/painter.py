"""The end of both networks: a vector becomes a frame by one or three transposed convolutions (spec sections 2.2 and 2.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from analogy.models.building import Composite
from analogy.systems.vgg_lstm.networks.large_kernel import LargeConvTranspose

CELL = 32  # pixels of a frame's side for each cell of the coarsest map: VGG-16 halves frames five times
ENLARGED = 5  # times, the coarsest map before the large kernel


class Scale(NamedTuple):
    """One way from a vector to a frame. The vector holds `channels` maps of cells x cells, which are enlarged bilinearly; the
    transposed convolution with a kernel of this side then ends at the frame's size."""

    kernel: int
    cells: int
    channels: int

    @property
    def units(self) -> int:
        """The length of the vector."""
        return self.cells**2 * self.channels


def scales_of(side: int, count: int) -> list[Scale]:
    """The scales for frames of this side, a multiple of 32: the large kernel, or with count 3 also a medium and a small one.

    At 224 pixels: kernels 190, 64 and 16, which read maps of 35, 161 and 209 pixels with 16, 8 and 4 channels. The paper names
    the first kernel, its 16 maps and three vectors; the rest is our choice. Finer kernels read finer maps (14 and 28 cells).
    """
    cells = side // CELL
    large = Scale(side - ENLARGED * cells + 1, cells, 16)
    return [large, Scale(round(side * 64 / 224), 2 * cells, 8), Scale(round(side * 16 / 224), 4 * cells, 4)][:count]


class Deconvolution(Composite):
    """Vectors [B, scale.units] -> frames before the sigmoid, [B, side, side, channels]."""

    def __init__(self, side: int, channels: int, scale: Scale, **kwargs):
        super().__init__(**kwargs)
        self.scale, self.enlarged = scale, side - scale.kernel + 1
        self.transposed = LargeConvTranspose(channels, scale.kernel, name="transposed")

    def call(self, vectors):
        cells = self.scale.cells
        maps = tf.reshape(vectors, [-1, cells, cells, self.scale.channels])
        return self.transposed(tf.image.resize(maps, [self.enlarged] * 2, "bilinear"))


class Painter(Composite):
    """One vector for each scale, [B, S, units] each -> frames in 0..1, float32 [B, S, side, side, channels].

    The pictures of all scales are added before the sigmoid.
    """

    def __init__(self, side: int, channels: int, scales: Sequence[Scale], **kwargs):
        super().__init__(**kwargs)
        self.scales, self.shape = list(scales), [side, side, channels]
        self.paths = [Deconvolution(side, channels, scale, name=f"kernel{scale.kernel}") for scale in scales]

    def call(self, vectors):
        steps = vectors[0].shape[1] or tf.shape(vectors[0])[1]
        folded = [tf.reshape(vector, [-1, scale.units]) for vector, scale in zip(vectors, self.scales, strict=True)]
        logits = tf.add_n([path(vector) for path, vector in zip(self.paths, folded, strict=True)])
        return tf.reshape(tf.sigmoid(tf.cast(logits, tf.float32)), [-1, steps, *self.shape])
