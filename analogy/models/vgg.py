"""VGG-16 stages up to pool2 .. pool5, and the mirrored deconvolution decoder (paper 3.4; spec tables 3.2 and 3.3)."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from analogy.errors import UserError
from analogy.models.layers import Stage, build_once, deconvolution

# (channels, convolutions) per stage, by depth. The published pool2 network has three convolutions a stage, unlike VGG.
VGG_16 = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
STAGES = {2: ((64, 3), (128, 3)), 3: VGG_16[:3], 4: VGG_16[:4], 5: VGG_16}


def stages(depth: int, width: float = 1.0) -> tuple[tuple[int, int], ...]:
    """(channels, convolutions) of each stage; `width` multiplies the channels."""
    return tuple((round(channels * width), repeats) for channels, repeats in STAGES[depth])


class Encoder(keras.Model):
    """VGG-16 stages: [B, H, W, C] -> [B, H / 2^depth, W / 2^depth, channels of the last stage].

    Args:
        depth: number of stages, 2 to 5 (the latent is "pool<depth>").
        width: multiplier of the channels.
        simplified: one convolution per stage instead of two or three.
    """

    def __init__(self, depth: int, *, width: float = 1.0, simplified: bool = False, name: str = "encoder"):
        super().__init__(name=name)
        self.stages = [
            Stage(channels, 1 if simplified else repeats, name=f"stage{index + 1}")
            for index, (channels, repeats) in enumerate(stages(depth, width))
        ]

    def build(self, input_shape):
        for stage in self.stages:
            build_once(stage, input_shape)
            input_shape = stage.compute_output_shape(input_shape)
        self.built = True

    def compute_output_shape(self, input_shape):
        for stage in self.stages:
            input_shape = stage.compute_output_shape(input_shape)
        return input_shape

    def call(self, x, recompute: bool = False):
        """recompute: the backward pass computes the first stage again, which would otherwise keep the largest activations."""
        first, *rest = self.stages
        x = tf.recompute_grad(first)(x) if recompute else first(x)
        for stage in rest:
            x = stage(x)
        return x


def decoder_plan(depth: int, image_channels: int, width: float = 1.0) -> list[tuple[int, int]]:
    """(out channels, stride) of each deconvolution (spec table 3.3).

    The encoder read backwards: each convolution becomes a deconvolution to its own input channels, and the one at the
    bottom of a stage has stride 2 in place of the pooling below it. The topmost pooling gets a stride-2 layer of its own.
    """
    blocks = stages(depth, width)
    below = [image_channels] + [channels for channels, _ in blocks]
    plan = [(blocks[-1][0], 2)]
    for index in reversed(range(depth)):
        channels, repeats = blocks[index]
        plan += [(channels, 1)] * (repeats - 1)
        plan.append((below[index], 2 if index else 1))
    return plan


class Decoder(keras.Model):
    """The encoder mirrored: [B, h, w, channels] -> [B, h * 2^depth, w * 2^depth, image channels] in -1..1.

    ReLU after every deconvolution, tanh after the last.
    """

    def __init__(self, depth: int, *, image_channels: int, width: float = 1.0, name: str = "decoder"):
        super().__init__(name=name)
        plan = decoder_plan(depth, image_channels, width)
        self.deconvolutions = [
            deconvolution(channels, stride, "tanh" if index == len(plan) - 1 else "relu", name=f"deconv{index + 1}")
            for index, (channels, stride) in enumerate(plan)
        ]

    def build(self, input_shape):
        for layer in self.deconvolutions:
            build_once(layer, input_shape)
            input_shape = layer.compute_output_shape(input_shape)
        self.built = True

    def call(self, z):
        for layer in self.deconvolutions:
            z = layer(z)
        return z


def load_vgg_features(path: str):
    """VGG-16 up to conv3_3 with ImageNet weights, as the constant network of the feature loss (spec 3.5, "C1").

    ReLU after every convolution but the last, pooling after stages 1 and 2.

    Args:
        path: `vgg16.npy`, a pickled dict of layer name -> [kernel (3, 3, in, out), bias] in Caffe's BGR order.

    Returns:
        A function [B, H, W, 3] in -1..1 RGB -> [B, H/4, W/4, 256].

    Raises:
        UserError: the file is missing, not such a dict, or a layer has the wrong shape.
    """
    weights = _read_caffe_weights(path)

    def features(image):
        x = (tf.cast(image, tf.float32)[..., ::-1] + 1.0) * 127.5 - CAFFE_MEAN_BGR
        for stage, repeats in ((1, 2), (2, 2), (3, 3)):
            for index in range(1, repeats + 1):
                kernel, bias = weights[f"conv{stage}_{index}"]
                x = tf.nn.conv2d(x, kernel, 1, "SAME") + bias
                x = x if (stage, index) == (3, 3) else tf.nn.relu(x)
            x = x if stage == 3 else tf.nn.max_pool2d(x, 2, 2, "SAME")
        return x

    return features


def _read_caffe_weights(path: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    mend = "expected vgg16.npy, a dict of layer name -> [kernel (3, 3, in, out), bias]"
    try:
        content = np.load(path, allow_pickle=True, encoding="latin1").item()
    except Exception as error:  # numpy and pickle raise many kinds on a foreign file
        raise UserError(f"{path}: the VGG-16 weights cannot be read ({error}); {mend}") from error
    weights, channels = {}, 3
    for stage, (out, repeats) in enumerate(VGG_16[:3], 1):
        for index in range(1, repeats + 1):
            name = f"conv{stage}_{index}"
            pair = content.get(name) if isinstance(content, dict) else None
            if pair is None or np.shape(pair[0]) != (3, 3, channels, out) or np.shape(pair[1]) != (out,):
                raise UserError(f"{path}: layer {name} is missing or has the wrong shape; {mend}")
            weights[name] = (np.asarray(pair[0], np.float32), np.asarray(pair[1], np.float32))
            channels = out
    return weights
