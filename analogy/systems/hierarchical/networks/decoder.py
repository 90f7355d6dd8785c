"""The decoder that mirrors the VGG-16 encoder (paper 3.4)."""

from __future__ import annotations

import keras
import tensorflow as tf

from analogy.models.building import Composite
from analogy.models.vgg import SKIP_STAGE, stages


def decoder_plan(depth: int, image_channels: int, width: float = 1.0, maxout: int = 1) -> list[tuple[int, int]]:
    """(output channels, stride) of each deconvolution of the decoder.

    The plan is the encoder in reverse order: each convolution becomes a deconvolution whose output channels are the
    convolution's input channels. An extra first deconvolution of stride 2 undoes the last pooling. The last deconvolution of a
    stage has stride 2 too: it undoes the pooling of the stage before it in the encoder.
    """
    blocks = stages(depth, width / maxout)
    below = [image_channels] + [channels for channels, _ in blocks]
    plan = [(blocks[-1][0], 2)]
    for index in reversed(range(depth)):
        channels, repeats = blocks[index]
        plan += [(channels, 1)] * (repeats - 1)
        plan.append((below[index], 2 if index else 1))
    return plan


class Decoder(Composite, keras.Model):
    """The mirrored encoder: latent [B, h, w, channels] -> image [B, h * 2^depth, w * 2^depth, image channels] in -1..1.

    Each deconvolution is followed by ReLU, the last one by tanh.

    Args:
        depth, width, maxout: as in the encoder.
        image_channels: 3 or 1.
        upsampling: how the map is doubled: "deconvolution" (stride 2), "nearest" (nearest-neighbour enlargement, then a
            deconvolution of stride 1), or "nearest_valid" (the same without padding).
        skip: the encoder's stage-3 activation is concatenated to the map where it has the same size.
    """

    def __init__(
        self,
        depth: int,
        *,
        image_channels: int,
        width: float = 1.0,
        maxout: int = 1,
        upsampling: str = "deconvolution",
        skip: bool = False,
        name: str = "decoder",
    ):
        super().__init__(name=name)
        plan = decoder_plan(depth, image_channels, width, maxout)
        last = len(plan) - 1
        self.deconvolutions = [
            deconvolution(
                channels, stride, "relu" if index < last else "tanh", upsampling=upsampling, name=f"deconv{index + 1}"
            )
            for index, (channels, stride) in enumerate(plan)
        ]
        # The index of the deconvolution after which the map has the size of stage 3's activation.
        doublings = [index for index, (_, stride) in enumerate(plan) if stride == 2]
        self.skip_after = doublings[depth - SKIP_STAGE] if skip else None

    def call(self, z):
        """z: the latent; with `skip`, the pair (latent, activation) that the encoder returns."""
        z, skip = z if self.skip_after else (z, None)
        for index, layer in enumerate(self.deconvolutions):
            z = layer(z)
            if index == self.skip_after:
                z = tf.concat([z, skip], -1)
        return z


def deconvolution(
    channels: int, stride: int, activation: str = "relu", *, upsampling: str = "deconvolution", name: str | None = None
):
    """A layer that enlarges a map `stride` (1 or 2) times: [B, H, W, C] -> [B, stride H, stride W, channels].

    It is a 3 x 3 transposed convolution. With stride 1 that equals a convolution with the flipped kernel, so a plain
    convolution is used, which is faster. For `upsampling` see `Decoder`.
    """
    if stride == 2 and upsampling != "deconvolution":
        return ResizeConvolution(channels, activation, valid=upsampling == "nearest_valid", name=name)
    options = {"padding": "same", "activation": activation, "name": name}
    if stride == 1:
        return keras.layers.Conv2D(channels, 3, **options)
    return keras.layers.Conv2DTranspose(channels, 3, strides=stride, **options)


class ResizeConvolution(Composite):
    """Nearest-neighbour enlargement, then a 3 x 3 deconvolution of stride 1: [B, H, W, C] -> [B, 2H, 2W, channels].

    Args:
        channels, activation: output channels and activation of the deconvolution.
        valid: enlarge to (2H - 2) x (2W - 2) only; the deconvolution then has no padding, and adds 2 pixels.
    """

    def __init__(self, channels: int, activation: str, *, valid: bool, **kwargs):
        super().__init__(**kwargs)
        self.valid = valid
        padding = "valid" if valid else "same"
        self.convolution = keras.layers.Conv2D(channels, 3, padding=padding, activation=activation, name="convolution")

    def call(self, x):
        size = 2 * tf.shape(x)[1:3] - (2 if self.valid else 0)
        # As in TensorFlow 1, output pixel i copies input pixel floor(i * in / out). With `valid`, tf.image.resize would give
        # another result, because it uses half-pixel centres.
        x = tf.raw_ops.ResizeNearestNeighbor(images=x, size=size)
        # A deconvolution without padding equals a convolution over the map with two zero pixels around it.
        return self.convolution(tf.pad(x, [[0, 0], [2, 2], [2, 2], [0, 0]]) if self.valid else x)
