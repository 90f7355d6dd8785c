"""A small U-Net that is quick on a CPU."""

from __future__ import annotations

import keras
import tensorflow as tf

from analogy.models.activations import leaky_relu
from analogy.models.building import Composite


def leaky(x):
    return leaky_relu(x, 0.1)


def same_conv(channels: int, name: str, *, size: int = 3, kernel_initializer="he_normal", **kwargs) -> keras.layers.Conv2D:
    """A convolution that keeps height and width, or with `strides` divides them, for use before `leaky`."""
    return keras.layers.Conv2D(channels, size, padding="same", kernel_initializer=kernel_initializer, name=name, **kwargs)


class Pair(Composite):
    """Two 3 x 3 convolutions with leaky ReLU: [B, H, W, C] -> [B, H, W, channels].

    residual: the second one's result is added to the pair's input x; otherwise, to the first one's result.
    """

    def __init__(self, channels: int, *, residual: bool, **kwargs):
        super().__init__(**kwargs)
        self.residual = residual
        self.first = keras.layers.Conv2D(channels, 3, padding="same", name="first")
        self.second = keras.layers.Conv2D(channels, 3, padding="same", name="second")

    def call(self, x):
        y = leaky(self.first(x))
        return (x if self.residual else y) + leaky(self.second(y))


class Unet(Composite, keras.Model):
    """A U-Net: [B, H, W, inputs] -> [B, H, W, outputs] float32. H and W are divisible by 2^len(widths).

    The convolutions run at the sizes H/2, H/4, ...; a pixel of the last layer holds a 2 x 2 block of the output.

    Args:
        outputs: channels of the result.
        widths: channels of each level, the largest map first.
        halved: the result is [B, H/2, W/2, outputs].
        last: the initializer of the last layer. With "zeros" the untrained result is 0.
    """

    def __init__(self, outputs: int, widths: tuple[int, ...], *, halved: bool = False, last: str = "zeros", name: str = "unet"):
        super().__init__(name=name)
        self.entries = [keras.layers.Conv2D(width, 1, name=f"entry{level}") for level, width in enumerate(widths)]
        self.down = [Pair(width, residual=True, name=f"down{level}") for level, width in enumerate(widths)]
        self.up = [Pair(width, residual=False, name=f"up{level}") for level, width in enumerate(widths[:-1])]
        channels = outputs if halved else 4 * outputs
        self.last = keras.layers.Conv2D(channels, 1, kernel_initializer=last, dtype="float32", name="last")
        self.widths, self.halved = widths, halved

    def call(self, x):
        x = tf.nn.space_to_depth(tf.cast(x, self.compute_dtype), 2)
        skips = []
        for level, (entry, pair) in enumerate(zip(self.entries, self.down, strict=True)):
            # Pooling instead of a strided convolution, whose backward pass is several times slower on a CPU.
            x = tf.nn.avg_pool2d(x, 2, 2, "SAME") if level else x
            x = pair(leaky(entry(x)))  # [B, S / 2^(level + 1), same, widths[level]]
            skips.append(x)
        for level in reversed(range(len(self.up))):
            x = tf.cast(tf.image.resize(x, tf.shape(skips[level])[1:3]), x.dtype)
            x = self.up[level](tf.concat([x, skips[level]], -1))
        x = self.last(x)
        return x if self.halved else tf.nn.depth_to_space(x, 2)
