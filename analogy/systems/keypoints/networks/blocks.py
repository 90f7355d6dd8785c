"""The blocks of all networks of this paper: a convolution with batch normalisation and ReLU, and doubling of maps."""

from __future__ import annotations

import keras
import tensorflow as tf

from analogy.models.batch_norm import BatchNorm
from analogy.models.building import Composite
from analogy.systems.keypoints.networks.winograd import WinogradConvolution


class ConvNorm(Composite):
    """Convolution, batch normalisation, ReLU ("CBR"): [B, H, W, C] -> [B, H / stride, W / stride, channels].

    Args:
        momentum: the share of the running statistics that stays at each step.
    """

    def __init__(self, channels: int, size: int = 3, stride: int = 1, *, momentum: float, **kwargs):
        super().__init__(**kwargs)
        if (size, stride) == (3, 1):
            self.convolution = WinogradConvolution(channels, name="convolution")
        else:
            self.convolution = keras.layers.Conv2D(channels, size, stride, padding="same", name="convolution")
        self.norm = BatchNorm(momentum, name="norm")

    def call(self, x, training: bool = False):
        return tf.nn.relu(self.norm(self.convolution(x), training=training))


class Stack(Composite):
    """`repeats` blocks with 3 x 3 convolutions, one after the other: [B, H, W, C] -> [B, H, W, channels]."""

    def __init__(self, channels: int, repeats: int, *, momentum: float, **kwargs):
        super().__init__(**kwargs)
        self.blocks = [ConvNorm(channels, momentum=momentum, name=f"block{index + 1}") for index in range(repeats)]

    def call(self, x, training: bool = False):
        for block in self.blocks:
            x = block(x, training=training)
        return x


def doubled(x, resize: str = "half_pixel"):
    """Maps of twice the size, bilinearly: [B, H, W, C] -> [B, 2H, 2W, C].

    resize: "half_pixel" as TensorFlow 2 does; "legacy" as TensorFlow 1 did, which reads at i / 2, without that shift of
    a quarter of a pixel.
    """
    size = [2 * side for side in x.shape[1:3]]
    larger = tf.raw_ops.ResizeBilinear(images=x, size=size, half_pixel_centers=resize == "half_pixel")
    return tf.cast(larger, x.dtype)
