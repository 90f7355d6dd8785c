"""The VGG-16 encoder up to pool2, pool3, pool4 or pool5 (Simonyan & Zisserman 2015)."""

from __future__ import annotations

import keras
import tensorflow as tf

from analogy.models.activations import leaky_relu
from analogy.models.building import Composite

# depth -> (channels, number of convolutions) of each stage. The published pool2 network has three convolutions per stage, where
# VGG-16 has two.
VGG_16 = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
VGG_19 = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
STAGES = {2: ((64, 3), (128, 3)), 3: VGG_16[:3], 4: VGG_16[:4], 5: VGG_16}
SKIP_STAGE = 3
LEAKY_SLOPE = 0.2
VGG_MEAN_BGR = (103.939, 116.779, 123.68)  # ImageNet's mean colour in 0..255, which VGG-16's input has subtracted


def stages(depth: int, width: float = 1.0) -> tuple[tuple[int, int], ...]:
    """(channels, number of convolutions) of each stage; `width` multiplies the channels."""
    return tuple((round(channels * width), repeats) for channels, repeats in STAGES[depth])


def caffe_range(image, mean_bgr=VGG_MEAN_BGR):
    """RGB in -1..1 -> BGR in 0..255 minus ImageNet's mean: the input range of weights published for Caffe. [..., 3]."""
    return (image[..., ::-1] + 1.0) * 127.5 - tf.constant(mean_bgr, image.dtype)


def leaky(x):
    return leaky_relu(x, LEAKY_SLOPE)


class Stage(Composite):
    """One VGG stage: `repeats` convolutions with leaky ReLU, then 2 x 2 max pooling.

    The last activation is applied after the pooling: it is monotonic, so the result is the same for a quarter of the work.

    Args:
        channels: output channels of each convolution.
        repeats: number of convolutions.
        frozen: the stage is not trained and has plain ReLU, with which the published weights were trained.
    """

    def __init__(self, channels: int, repeats: int, *, frozen: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.convolutions = [
            keras.layers.Conv2D(channels, 3, padding="same", name=f"conv{index + 1}") for index in range(repeats)
        ]
        self.pool = keras.layers.MaxPooling2D(2, name="pool")
        self.activation = tf.nn.relu if frozen else leaky
        self.trainable = not frozen

    def call(self, x, with_skip: bool = False):
        """[B, H, W, C] -> [B, H/2, W/2, channels]. with_skip: also return the last activation before the pooling,
        [B, H, W, channels]."""
        for convolution in self.convolutions[:-1]:
            x = self.activation(convolution(x))
        x = self.convolutions[-1](x)
        pooled = self.activation(self.pool(x))
        return (pooled, self.activation(x)) if with_skip else pooled


class Maxout(keras.layers.Layer):
    """The maximum of each group of `pieces` consecutive channels: [B, H, W, C] -> [B, H, W, C / pieces]."""

    def __init__(self, pieces: int, **kwargs):
        super().__init__(**kwargs)
        self.pieces = pieces

    def call(self, x):
        *batch, channels = x.shape
        groups = [-1 if side is None else side for side in (*batch, channels // self.pieces)]
        return tf.reduce_max(tf.reshape(x, [*groups, self.pieces]), -1)


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
