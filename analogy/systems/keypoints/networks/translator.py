"""The translator of a frame to other keypoints, and the image discriminator (spec sections 2.3 and 2.4)."""

from __future__ import annotations

import keras
import tensorflow as tf

from analogy.models.building import Composite
from analogy.systems.keypoints.networks.blocks import Stack, doubled
from analogy.systems.keypoints.networks.detector import scaled
from analogy.systems.keypoints.networks.halving import HalvingConvolution

DISCRIMINATOR = (64, 128, 256, 512, 1024, 2048)  # channels


class Translator(Composite, keras.Model):
    """Maps e3 of the reference frame and Gaussian maps of keypoints -> the painted frame s and the mask m.

    Args:
        channels: of a frame.
        mask: whether there is a mask; without one, s alone is returned, and is the whole answer (ablation b).
        resize: see `doubled`. width, momentum: as in `ImageEncoder`.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        mask: bool = True,
        resize: str = "half_pixel",
        width: float = 1.0,
        momentum: float = 0.999,
        name: str = "translator",
    ):
        super().__init__(name=name)
        self.resize = resize
        sizes = ((256, 4), (128, 4), (64, 2))
        self.stacks = [Stack(scaled(c, width), repeats, momentum=momentum, name=f"stack{c}") for c, repeats in sizes]
        self.paint = keras.layers.Conv2D(channels, 3, padding="same", dtype="float32", name="paint")
        self.mask = keras.layers.Conv2D(1, 3, padding="same", dtype="float32", name="mask") if mask else None

    def call(self, maps, training: bool = False):
        """maps [B, H/4, W/4, C] -> [s, m]: s [B, H, W, channels], not bounded, m [B, H, W, 1] in 0..1; [s] without a mask."""
        first, *others = self.stacks
        x = first(maps, training=training)
        for stack in others:
            x = stack(doubled(x, self.resize), training=training)
        return [self.paint(x), tf.sigmoid(self.mask(x))] if self.mask else [self.paint(x)]


class ImageDiscriminator(Composite, keras.Model):
    """Images [B, H, W, C] -> logits of "a true frame" [B, H', W', 1].

    Every layer pads twice, as published: one zero on all sides, and then "same". 128 pixels become 65, 34, 18, 10, 6, 4, and 6
    logits a side.

    Args:
        width: multiplier of all channels.
    """

    def __init__(self, *, width: float = 1.0, name: str = "discriminator"):
        super().__init__(name=name)
        self.convolutions = [
            HalvingConvolution(scaled(channels, width), name=f"convolution{index + 1}")
            for index, channels in enumerate(DISCRIMINATOR)
        ]
        self.last = keras.layers.Conv2D(1, 3, padding="same", use_bias=False, dtype="float32", name="logits")

    def call(self, image):
        x = tf.cast(image, self.compute_dtype)
        for convolution in self.convolutions:
            x = tf.nn.leaky_relu(convolution(x), 0.01)
        return self.last(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]))
