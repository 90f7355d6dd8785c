"""The VGG-16 encoder up to pool2, pool3, pool4 or pool5, and the decoder that mirrors it (paper 3.4; spec 3.2 to 3.4)."""

from __future__ import annotations

import keras
import tensorflow as tf

from analogy.models.building import Composite
from analogy.models.layers import Maxout, Stage, deconvolution

# depth -> (channels, number of convolutions) of each stage. The published pool2 network has three convolutions per stage, where
# VGG-16 has two.
VGG_16 = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
STAGES = {2: ((64, 3), (128, 3)), 3: VGG_16[:3], 4: VGG_16[:4], 5: VGG_16}
SKIP_STAGE = 3
VGG_MEAN_BGR = (103.939, 116.779, 123.68)  # ImageNet's mean colour in 0..255, which VGG-16's input has subtracted


def stages(depth: int, width: float = 1.0) -> tuple[tuple[int, int], ...]:
    """(channels, number of convolutions) of each stage; `width` multiplies the channels."""
    return tuple((round(channels * width), repeats) for channels, repeats in STAGES[depth])


def caffe_range(image, mean_bgr=VGG_MEAN_BGR):
    """RGB in -1..1 -> BGR in 0..255 minus ImageNet's mean: the input range of weights published for Caffe. [..., 3]."""
    return (image[..., ::-1] + 1.0) * 127.5 - tf.constant(mean_bgr, image.dtype)


class Encoder(Composite, keras.Model):
    """VGG-16 stages: [B, H, W, C] -> the latent [B, H / 2^depth, W / 2^depth, channels of the last stage / maxout].

    Args:
        depth: number of stages, 2 to 5 (the latent is "pool<depth>").
        width: multiplier of all channels.
        simplified: one convolution per stage instead of two or three.
        maxout: the latent is the maximum of each group of `maxout` consecutive channels; 1 leaves it as it is.
        frozen_stages: the number of first stages that are not trained and have plain ReLU.
        skip: the call also returns stage 3's activation before its pooling, [B, H/4, W/4, channels of stage 3].
    """

    def __init__(
        self,
        depth: int,
        *,
        width: float = 1.0,
        simplified: bool = False,
        maxout: int = 1,
        frozen_stages: int = 0,
        skip: bool = False,
        name: str = "encoder",
    ):
        super().__init__(name=name)
        self.skip = skip
        self.stages = [
            Stage(channels, 1 if simplified else repeats, frozen=index < frozen_stages, name=f"stage{index + 1}")
            for index, (channels, repeats) in enumerate(stages(depth, width))
        ]
        self.maxout = Maxout(maxout, name="maxout") if maxout > 1 else None

    def call(self, x, recompute: bool = False):
        """recompute: do not store the activations of the first stage, which are the largest; the backward pass computes them
        again."""
        first, *later_stages = self.stages
        x, skip = tf.recompute_grad(first)(x) if recompute else first(x), None
        for stage in later_stages:
            if self.skip and stage is self.stages[SKIP_STAGE - 1]:
                x, skip = stage(x, with_skip=True)
            else:
                x = stage(x)
        x = self.maxout(x) if self.maxout else x
        return (x, skip) if self.skip else x


def decoder_plan(depth: int, image_channels: int, width: float = 1.0, maxout: int = 1) -> list[tuple[int, int]]:
    """(output channels, stride) of each deconvolution of the decoder (spec table 3.3).

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
