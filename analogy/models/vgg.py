"""VGG-16 stages up to pool2 .. pool5, and the mirrored deconvolution decoder (paper 3.4; spec 3.2 to 3.4)."""

from __future__ import annotations

import keras
import tensorflow as tf

from analogy.models.building import Composite
from analogy.models.layers import Maxout, Stage, deconvolution

# (channels, convolutions) per stage, by depth. The published pool2 network has three convolutions a stage, unlike VGG.
VGG_16 = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
STAGES = {2: ((64, 3), (128, 3)), 3: VGG_16[:3], 4: VGG_16[:4], 5: VGG_16}
SKIP_STAGE = 3
VGG_MEAN_BGR = (103.939, 116.779, 123.68)  # of ImageNet, in 0..255, as VGG-16's published weights expect


def stages(depth: int, width: float = 1.0) -> tuple[tuple[int, int], ...]:
    """(channels, convolutions) of each stage; `width` multiplies the channels."""
    return tuple((round(channels * width), repeats) for channels, repeats in STAGES[depth])


def caffe_range(image, mean_bgr=VGG_MEAN_BGR):
    """RGB in -1..1 -> BGR in 0..255 less ImageNet's mean: what weights published for Caffe expect."""
    return (image[..., ::-1] + 1.0) * 127.5 - tf.constant(mean_bgr, image.dtype)


class Encoder(Composite, keras.Model):
    """VGG-16 stages: [B, H, W, C] -> [B, H / 2^depth, W / 2^depth, channels of the last stage / maxout].

    Args:
        depth: number of stages, 2 to 5 (the latent is "pool<depth>").
        width: multiplier of the channels.
        simplified: one convolution per stage instead of two or three.
        maxout: keep the largest of so many consecutive channels of the latent; 1 keeps all.
        frozen_stages: so many first stages are not trained and have plain ReLU.
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
        """recompute: the backward pass computes the first stage again, which would otherwise keep the largest activations."""
        first, *rest = self.stages
        x, skip = tf.recompute_grad(first)(x) if recompute else first(x), None
        for stage in rest:
            if self.skip and stage is self.stages[SKIP_STAGE - 1]:
                x, skip = stage(x, with_skip=True)
            else:
                x = stage(x)
        x = self.maxout(x) if self.maxout else x
        return (x, skip) if self.skip else x


def decoder_plan(depth: int, image_channels: int, width: float = 1.0, maxout: int = 1) -> list[tuple[int, int]]:
    """(out channels, stride) of each deconvolution (spec table 3.3).

    The encoder read backwards: each convolution becomes a deconvolution to its own input channels, and the one at the
    bottom of a stage has stride 2 in place of the pooling below it. The topmost pooling gets a stride-2 layer of its own.
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
    """The encoder mirrored: [B, h, w, channels] -> [B, h * 2^depth, w * 2^depth, image channels] in -1..1.

    ReLU after every deconvolution, tanh after the last.

    Args:
        depth, width, maxout: as the encoder's.
        image_channels: 3 or 1.
        upsampling: how the map is doubled: "deconvolution" (stride 2), "nearest" (nearest neighbour, then stride 1), or
            "nearest_valid" (the same without padding).
        skip: stage 3's activation is concatenated where the map has its size again.
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
        # The map has stage 3's size after so many doublings.
        doublings = [index for index, (_, stride) in enumerate(plan) if stride == 2]
        self.skip_after = doublings[depth - SKIP_STAGE] if skip else None

    def call(self, z):
        """z: the latent, or (latent, skip) as the encoder returns them."""
        z, skip = z if self.skip_after else (z, None)
        for index, layer in enumerate(self.deconvolutions):
            z = layer(z)
            if index == self.skip_after:
                z = tf.concat([z, skip], -1)
        return z
