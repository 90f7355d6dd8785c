"""The stacked hourglass network, which estimates a heatmap of each joint (Newell, Yang & Deng 2016)."""

from __future__ import annotations

import keras
import tensorflow as tf

from analogy.joints import JOINTS
from analogy.models.building import Composite

# Group normalisation instead of batch normalisation needs no statistics of other examples, nor of other replicas.
GROUPS = 8


class Residual(Composite):
    """A residual bottleneck block: [B, H, W, C] -> [B, H, W, channels]. Normalisation and ReLU precede each convolution."""

    def __init__(self, channels: int, **kwargs):
        super().__init__(**kwargs)
        sizes = ((channels // 2, 1), (channels // 2, 3), (channels, 1))
        self.norms = [keras.layers.GroupNormalization(GROUPS, name=f"norm{i}") for i in range(3)]
        self.convolutions = [
            keras.layers.Conv2D(width, size, padding="same", name=f"conv{i}") for i, (width, size) in enumerate(sizes)
        ]
        self.project = keras.layers.Conv2D(channels, 1, name="project")

    def call(self, x):
        y = x
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            y = convolution(tf.nn.relu(norm(y)))
        return y + (x if x.shape[-1] == y.shape[-1] else self.project(x))


class Hourglass(Composite):
    """One hourglass: [B, H, W, channels] -> the same shape. It halves the size `depth` times and doubles it again, with a skip
    connection at each size."""

    def __init__(self, channels: int, depth: int, **kwargs):
        super().__init__(**kwargs)
        names = [(part, level) for level in range(depth) for part in ("past", "down", "up")]
        self.parts = {f"{part}{level}": Residual(channels, name=f"{part}{level}") for part, level in names}
        self.bottom = Residual(channels, name="bottom")
        self.depth = depth

    def call(self, x):
        skips = []
        for level in range(self.depth):
            skips.append(self.parts[f"past{level}"](x))
            x = self.parts[f"down{level}"](tf.nn.max_pool2d(x, 2, 2, "VALID"))
        x = self.bottom(x)
        for level in reversed(range(self.depth)):
            x = self.parts[f"up{level}"](x)
            x = skips[level] + tf.repeat(tf.repeat(x, 2, 1), 2, 2)
        return x


class StackedHourglass(Composite, keras.Model):
    """Images [B, H, W, C] in -1..1 -> the heatmaps of every stack [S, B, H / stride, W / stride, 13], about 0..1.

    Args:
        channels: of all feature maps.
        stacks: S, the number of hourglasses.
        depth: how many times an hourglass halves the size.
        stride: 2 or 4, of the layers before the first hourglass.
    """

    def __init__(self, *, channels: int, stacks: int, depth: int, stride: int, name: str = "hourglass"):
        super().__init__(name=name)
        self.stride = stride
        self.first = keras.layers.Conv2D(channels // 2, 7, 2, padding="same", name="first")
        self.stem = [Residual(channels, name=f"stem{i}") for i in range(2)]
        self.hourglasses = [Hourglass(channels, depth, name=f"hourglass{i}") for i in range(stacks)]
        self.features = [Residual(channels, name=f"features{i}") for i in range(stacks)]
        self.norms = [keras.layers.GroupNormalization(GROUPS, name=f"norm{i}") for i in range(stacks)]
        # True heatmaps are nearly 0 everywhere, so the untrained network's should be too.
        empty = {"kernel_initializer": keras.initializers.RandomNormal(0.0, 1e-3), "dtype": "float32"}
        self.heads = [keras.layers.Conv2D(JOINTS, 1, name=f"head{i}", **empty) for i in range(stacks)]
        # The input of the next stack also gets the features and the heatmaps of this one.
        self.features_back = [keras.layers.Conv2D(channels, 1, name=f"features_back{i}") for i in range(stacks - 1)]
        self.heatmaps_back = [keras.layers.Conv2D(channels, 1, name=f"heatmaps_back{i}") for i in range(stacks - 1)]

    def call(self, image):
        x = self.stem[0](tf.nn.relu(self.first(tf.cast(image, self.compute_dtype))))
        if self.stride == 4:
            x = tf.nn.max_pool2d(x, 2, 2, "VALID")
        x = self.stem[1](x)
        heatmaps = []
        for index, head in enumerate(self.heads):
            y = tf.nn.relu(self.norms[index](self.features[index](self.hourglasses[index](x))))
            heatmaps.append(head(y))
            if index < len(self.features_back):
                x += self.features_back[index](y) + self.heatmaps_back[index](tf.cast(heatmaps[-1], self.compute_dtype))
        return tf.stack(heatmaps)


def read_heatmaps(heatmaps, stride: int):
    """Find the joints in heatmaps. A joint is the centre of mass of the 3 x 3 pixels around the heatmap's maximum.

    Args:
        heatmaps: [B, h, w, J]. stride: image pixels per heatmap pixel.

    Returns:
        joints [B, J, 2] in pixels of the image, x then y, and the maxima [B, J].
    """
    height, width = heatmaps.shape[1], heatmaps.shape[2]
    flat = tf.reshape(tf.transpose(heatmaps, [0, 3, 1, 2]), [-1, heatmaps.shape[3], height * width])
    peak = tf.argmax(flat, -1, tf.int32)  # [B, J]
    row, column = peak // width, peak % width
    y, x = (tf.range(size, dtype=tf.float32) for size in (height, width))
    near_y = tf.cast(tf.abs(y - tf.cast(row, tf.float32)[..., None]) <= 1.0, tf.float32)  # [B, J, h]
    near_x = tf.cast(tf.abs(x - tf.cast(column, tf.float32)[..., None]) <= 1.0, tf.float32)  # [B, J, w]
    weights = tf.reshape(tf.maximum(flat, 1e-6), [-1, heatmaps.shape[3], height, width])
    weights *= near_y[..., None] * near_x[..., None, :]
    total = tf.reduce_sum(weights, [2, 3])
    centre = [tf.reduce_sum(weights * coordinate, [2, 3]) / total for coordinate in (x, y[:, None])]
    return (tf.stack(centre, -1) + 0.5) * stride - 0.5, tf.reduce_max(flat, -1)
