"""I3D of Carreira & Zisserman (arXiv:1705.07750), Kinetics-400: the network whose logits FVD compares.

The weights are those of DeepMind (Apache-2.0). `analogy.pretrained.fetch_i3d` downloads them.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from analogy.errors import UserError
from analogy.graphs import graph_function
from analogy.pretrained.archives import read_npz

MEND = "get it with `analogy fetch i3d`"

CLASSES = 400
SIDE = 224
EPSILON = 1e-3  # of the batch normalisation

# Channels of an inception module: 1x1; 1x1 then 3x3x3; 1x1 then 3x3x3; 1x1 after a pooling.
MODULES = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}
BRANCHES = ("Branch_0/Conv3d_0a_1x1", "Branch_1/Conv3d_0a_1x1", "Branch_1/Conv3d_0b_3x3", "Branch_2/Conv3d_0a_1x1",
            "Branch_2/Conv3d_0b_3x3", "Branch_3/Conv3d_0b_1x1")  # fmt: skip


def layer_shapes() -> dict[str, tuple[int, ...]]:
    """Layer name -> shape of its kernel (time, height, width, in, out), in the order of the network."""
    shapes = {"Conv3d_1a_7x7": (7, 7, 7, 3, 64), "Conv3d_2b_1x1": (1, 1, 1, 64, 64), "Conv3d_2c_3x3": (3, 3, 3, 64, 192)}
    width = 192
    for module, (single, reduce1, three1, reduce2, three2, pooled) in MODULES.items():
        sizes = ((1, width, single), (1, width, reduce1), (3, reduce1, three1), (1, width, reduce2), (3, reduce2, three2))
        for branch, (side, into, out) in zip(BRANCHES, (*sizes, (1, width, pooled)), strict=True):
            shapes[f"{module}/{branch}"] = (side, side, side, into, out)
        width = single + three1 + three2 + pooled
    return {**shapes, "Logits/Conv3d_0c_1x1": (1, 1, 1, width, CLASSES)}


class I3d(keras.Model):
    """Videos [B, T, 224, 224, 3] float32 in -1..1, T at least 9 -> logits [B, 400], averaged over time.

    The batch normalisation of the published weights is folded into the convolutions.

    Args:
        path: the .npz file from `analogy.pretrained.fetch_i3d`.

    Raises:
        UserError: the file is missing, or does not hold these layers.
    """

    def __init__(self, path: Path):
        super().__init__(name="i3d", dtype="float32")
        self.convolutions = {}
        for name, (kernel, bias) in _folded(path).items():
            strides = 2 if name == "Conv3d_1a_7x7" else 1
            layer = keras.layers.Conv3D(kernel.shape[-1], kernel.shape[:3], strides, padding="same", dtype="float32")
            layer.build((None, None, None, None, kernel.shape[-2]))
            layer.set_weights([kernel, bias])
            self.convolutions[name] = layer
        self.trainable = False
        self.logits = graph_function(
            lambda frames: self(prepare(frames)), reduce_retracing=True
        )  # frames: uint8 [B, T, H, W, 1 or 3]

    def call(self, video):
        def convolve(x, name):
            return tf.nn.relu(self.convolutions[name](x))

        def pool(x, depth, side, stride):
            return tf.nn.max_pool3d(x, (depth, side, side), stride, "SAME")

        x = pool(convolve(video, "Conv3d_1a_7x7"), 1, 3, (1, 2, 2))
        x = convolve(convolve(x, "Conv3d_2b_1x1"), "Conv3d_2c_3x3")
        x = pool(x, 1, 3, (1, 2, 2))
        for module in MODULES:
            if module == "Mixed_4b":
                x = pool(x, 3, 3, 2)
            elif module == "Mixed_5b":
                x = pool(x, 2, 2, 2)
            single, reduce1, three1, reduce2, three2, pooled = (f"{module}/{branch}" for branch in BRANCHES)
            branches = (
                convolve(x, single),
                convolve(convolve(x, reduce1), three1),
                convolve(convolve(x, reduce2), three2),
                convolve(pool(x, 3, 3, 1), pooled),
            )
            x = tf.concat(branches, -1)
        x = tf.nn.avg_pool3d(x, (2, SIDE // 32, SIDE // 32), 1, "VALID")
        return tf.reduce_mean(self.convolutions["Logits/Conv3d_0c_1x1"](x), [1, 2, 3])


def prepare(frames: tf.Tensor) -> tf.Tensor:
    """Frames uint8 [B, T, H, W, 1 or 3] -> float32 [B, T, 224, 224, 3] in -1..1.

    They are resized bilinearly as in TensorFlow 1, whose sampling grid begins at pixel 0 without a half-pixel offset. Gray
    frames become three equal channels.
    """
    batch, count = tf.shape(frames)[0], tf.shape(frames)[1]
    flat = tf.reshape(frames, tf.concat([[batch * count], tf.shape(frames)[2:]], 0))
    flat = tf.raw_ops.ResizeBilinear(images=flat, size=[SIDE, SIDE], align_corners=False, half_pixel_centers=False)
    if frames.shape[-1] == 1:
        flat = tf.repeat(flat, 3, -1)
    return 2.0 * tf.reshape(flat, [batch, count, SIDE, SIDE, 3]) / 255.0 - 1.0


def _folded(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Layer name -> (kernel, bias) that include the batch normalisation, which has a mean, a variance and a shift but no scale.

    Raises UserError.
    """
    try:
        arrays = read_npz(path)
    except FileNotFoundError as error:
        raise UserError(f"{path}: I3D's weights are not there; {MEND}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot be read ({reason}); delete it and {MEND}") from error
    layers = {}
    for name, shape in layer_shapes().items():
        kernel, bias = arrays.get(f"{name}/kernel"), arrays.get(f"{name}/bias")
        if kernel is None or bias is None or kernel.shape != shape or bias.shape != shape[-1:]:
            raise UserError(f"{path}: layer {name} is missing or not of shape {shape}; delete the file and {MEND}")
        if f"{name}/mean" in arrays:
            scale = 1.0 / np.sqrt(arrays[f"{name}/variance"].astype(np.float64) + EPSILON)
            kernel, bias = kernel * scale, bias - arrays[f"{name}/mean"] * scale
        layers[name] = kernel.astype(np.float32), bias.astype(np.float32)
    return layers
