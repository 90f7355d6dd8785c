"""ResNet-18 (He et al. 2016) as torchvision builds it, with five taps for a decoder (spec lvln, section 2.1)."""

from __future__ import annotations

import keras
import tensorflow as tf

from analogy.models.batch_norm import BatchNorm
from analogy.models.building import Composite


def padded(x, pad: int):
    """[B, H, W, C] with `pad` zeros on every side, as PyTorch pads. Keras' "same" pads unevenly where the stride is 2."""
    return tf.pad(x, [[0, 0], [pad, pad], [pad, pad], [0, 0]])


def _convolution(channels: int, size: int, stride: int, name: str) -> keras.layers.Conv2D:
    he_normal = keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")
    return keras.layers.Conv2D(channels, size, stride, use_bias=False, kernel_initializer=he_normal, name=name)


class BasicBlock(Composite):
    """Two 3 x 3 convolutions beside a shortcut: [B, H, W, C] -> [B, H / stride, W / stride, channels].

    Args:
        channels: of the output.
        stride: of the first convolution.
        downsample: the shortcut is a 1 x 1 convolution of this stride, for an output of another shape than the input.
    """

    def __init__(self, channels: int, stride: int, *, downsample: bool, **kwargs):
        super().__init__(**kwargs)
        self.conv1, self.bn1 = _convolution(channels, 3, stride, "conv1"), BatchNorm(name="bn1")
        self.conv2, self.bn2 = _convolution(channels, 3, 1, "conv2"), BatchNorm(name="bn2")
        self.downsample = [_convolution(channels, 1, stride, "downsample"), BatchNorm(name="bn")] if downsample else []

    def call(self, x, training: bool = False):
        y = tf.nn.relu(self.bn1(self.conv1(padded(x, 1)), training=training))
        y = self.bn2(self.conv2(padded(y, 1)), training=training)
        if self.downsample:
            convolution, norm = self.downsample
            x = norm(convolution(x), training=training)
        return tf.nn.relu(x + y)


class ResNet18(Composite, keras.Model):
    """Images [B, H, W, 3] -> five taps: r0 [B, H/2, W/2, 64], the first convolution before its batch normalisation; r1 to r4,
    the four stages, [B, H/4, W/4, 64] to [B, H/32, W/32, 512]. H and W are multiples of 32.

    In training mode, every call moves the running statistics of batch normalisation, which no optimiser trains.

    Args:
        width: multiplier of all channels; 1.0 is ResNet-18.
    """

    def __init__(self, *, width: float = 1.0, name: str = "resnet18"):
        super().__init__(name=name)
        channels = [max(1, round(width * count)) for count in (64, 128, 256, 512)]
        self.conv1, self.bn1 = _convolution(channels[0], 7, 2, "conv1"), BatchNorm(name="bn1")
        self.stages = []
        for index, count in enumerate(channels):
            first = BasicBlock(count, 2 if index else 1, downsample=index > 0, name=f"layer{index + 1}_0")
            self.stages.append([first, BasicBlock(count, 1, downsample=False, name=f"layer{index + 1}_1")])

    def call(self, image, training: bool = False):
        r0 = self.conv1(padded(image, 3))
        x = tf.nn.relu(self.bn1(r0, training=training))
        x = tf.nn.max_pool2d(padded(x, 1), 3, 2, "VALID")  # x is not negative, so zeros may pad it
        taps = [r0]
        for blocks in self.stages:
            for block in blocks:
                x = block(x, training=training)
            taps.append(x)
        return taps

    def named_layers(self) -> dict[str, keras.layers.Layer]:
        """torchvision's name, such as "layer2.0.downsample.0" -> the layer: convolutions and batch normalisations."""
        named = {"conv1": self.conv1, "bn1": self.bn1}
        for stage, blocks in enumerate(self.stages, 1):
            for index, block in enumerate(blocks):
                parts = {"conv1": block.conv1, "bn1": block.bn1, "conv2": block.conv2, "bn2": block.bn2}
                parts |= {f"downsample.{place}": layer for place, layer in enumerate(block.downsample)}
                named |= {f"layer{stage}.{index}.{name}": layer for name, layer in parts.items()}
        return named
