"""The ladder network: an encoder, memory beside each of its levels, and a decoder (spec sections 2.2 to 2.4).

Every network here is a cell: it reads one frame and predicts the next, `network(frame, states) -> (next frame, next states)`.
`analogy.models.rollout` runs it over time.
"""

from __future__ import annotations

from typing import NamedTuple

import keras
import tensorflow as tf

from analogy.models.batch_norm import BatchNorm
from analogy.models.building import Composite
from analogy.models.resnet import ResNet18
from analogy.systems.lvln.networks.lateral import Lateral, scaled, torch_conv
from analogy.systems.lvln.networks.shuffle import pixel_shuffle

States = list  # for each lateral block a list of the states of its cells


class Levels(NamedTuple):
    """The sizes of a ladder, from the finest level C1 to C4.

    units: channels of each part of a lateral block. located: whether its 1 x 1 convolution is location-dependent.
    top_shuffle: by how much the decoder enlarges the deepest tap.
    """

    units: tuple[int, ...]
    located: tuple[bool, ...]
    top_shuffle: int


LADDER = Levels((64, 64, 64, 64), (False, False, True, True), 2)  # C1 to C4 at r0 to r3
FULL_RESOLUTION = Levels((16, 32, 64, 64), (False, False, True, True), 4)  # C1 at the image itself, C2 to C4 at r0 to r2


class Rise(Composite):
    """One block of the decoder: [B, H, W, C] -> [B, H block, W block, channels of 64].

    ReLU, batch normalisation, a 3 x 3 convolution, a pixel shuffle, and another 3 x 3 convolution.

    Args:
        width: multiplier of all channels.
        block: how much larger the output is.
        normalised: whether there is batch normalisation.
    """

    def __init__(self, width: float, *, block: int = 2, normalised: bool = True, **kwargs):
        super().__init__(**kwargs)
        self.width, self.block = width, block
        self.norm = BatchNorm(name="norm") if normalised else None

    def build(self, input_shape):
        between = scaled(1024 // self.block**2, self.width)
        self.first = torch_conv(between * self.block**2, 3, input_shape[-1], "first")
        self.second = torch_conv(scaled(64, self.width), 3, between, "second")
        super().build(input_shape)

    def call(self, x, training: bool = False):
        x = tf.nn.relu(x)
        x = self.norm(x, training=training) if self.norm else x
        # The order of the channels does not matter here: the first convolution learns them in any order.
        return self.second(tf.nn.depth_to_space(self.first(x), self.block))


class Head(Composite):
    """The finest level [B, H, W, C] -> a frame float32 [B, H block, W block, channels], linear.

    Args:
        channels: of the frame.
        kind: "shuffle": a pixel shuffle, then a 1 x 1 convolution; "bilinear" or "nearest": the convolution, then resizing;
            "none": the convolution alone, for a level that is as large as the frame.
    """

    def __init__(self, channels: int, kind: str, **kwargs):
        super().__init__(**kwargs)
        self.channels, self.kind = channels, kind

    def build(self, input_shape):
        inputs = input_shape[-1] // 4 if self.kind == "shuffle" else input_shape[-1]
        self.convolution = torch_conv(self.channels, 1, inputs, "convolution")
        super().build(input_shape)

    def call(self, x):
        frame = self.convolution(pixel_shuffle(x, 2) if self.kind == "shuffle" else x)
        if self.kind in ("bilinear", "nearest"):
            frame = tf.image.resize(frame, [2 * side for side in frame.shape[1:3]], self.kind)
        return tf.cast(frame, self.variable_dtype)  # float32, also where the layers compute in bfloat16


class Ladder(Composite, keras.Model):
    """One frame [B, H, W, C] -> the next one, float32 [B, H, W, C], without limits. H and W are multiples of 32.

    Args:
        channels: C, 3 or 1. A grey frame is repeated to three channels for the encoder.
        full_resolution: the variant whose finest level has the frame's own size (spec section 2.4).
        head: "shuffle", "bilinear" or "nearest"; the full-resolution variant needs none of them.
        columns: see `location_maps`.
        width: multiplier of all channels, the encoder's too.
        encoder_in_training: whether batch normalisation of the encoder uses the batch's statistics when the call is `training`.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        full_resolution: bool = False,
        head: str = "shuffle",
        columns: str = "published",
        width: float = 1.0,
        encoder_in_training: bool = True,
        name: str = "ladder",
    ):
        super().__init__(name=name)
        levels = FULL_RESOLUTION if full_resolution else LADDER
        self.encoder, self.encoder_in_training = ResNet18(width=width, name="encoder"), encoder_in_training
        self.full = torch_conv(scaled(64, width), 7, 3, "full") if full_resolution else None
        self.laterals = [
            Lateral(scaled(units, width), located=located, columns=columns, name=f"c{index}")
            for index, (units, located) in enumerate(zip(levels.units, levels.located, strict=True), 1)
        ]
        self.top = Rise(width, block=levels.top_shuffle, normalised=False, name="l4")
        self.rises = [Rise(width, name=f"l{index}") for index in (3, 2, 1)]
        self.head = Head(channels, "none" if full_resolution else head, name="out")

    def call(self, frame, states: States | None = None, training: bool = False):
        """states: after the frame before; None: zeros. training: batch normalisation uses the batch's statistics.

        Returns:
            the next frame, and the states after this one.
        """
        image = tf.repeat(frame, 3, -1) if frame.shape[-1] == 1 else frame
        *taps, deepest = self.encoder(image, training=training and self.encoder_in_training)
        if self.full:
            taps = [self.full(image), *taps[:3]]
        memories, next_states = [], []
        for lateral, tap, state in zip(self.laterals, taps, states or [None] * len(taps), strict=True):
            memory, state = lateral(tap, state)
            memories.append(memory)
            next_states.append(state)
        x = self.top(deepest, training=training)
        for rise, memory in zip(self.rises, memories[:0:-1], strict=True):
            x = rise(tf.concat([memory, x], -1), training=training)
        return self.head(tf.concat([memories[0], x], -1)), next_states
