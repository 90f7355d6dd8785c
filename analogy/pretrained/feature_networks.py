"""The fixed networks of the feature loss and of the feature distance.

VGG-16: see `analogy.pretrained.vgg16`. SqueezeNet v1.0: Iandola et al. (arXiv:1602.07360), trained on ImageNet with Caffe; it
expects images in BGR order, 0..255 minus a mean.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from analogy.errors import UserError
from analogy.models.vgg import VGG_MEAN_BGR, caffe_range
from analogy.pretrained.archives import read_npz
from analogy.pretrained.names import weights_name
from analogy.pretrained.vgg16 import Weights, load_vgg16, read_weights, vgg16_name
from analogy.random_streams import generator

SQUEEZENET_MEND = "expected SqueezeNet v1.0 as arrays LAYER/kernel (height, width, in, out) and LAYER/bias"
SQUEEZENET_MEAN_BGR = (104.0, 117.0, 123.0)
FIRES = {"fire2": (16, 64), "fire3": (16, 64), "fire4": (32, 128)}  # channels of the squeeze layer, and of each expand layer


def feature_network(source: str, *, random_conv1_1: bool = False) -> Callable:
    """The fixed network of the feature loss, from images to feature maps. It always computes in float32.

    VGG-16: up to conv3_3 without its ReLU, with pooling after the stages 1 and 2.
    SqueezeNet: up to the concatenated expand layers of fire4, also without their ReLU, so that every position has a gradient.
    They correspond to conv3_3: both are the seventh convolution, at a quarter of the image's size, with 256 channels.

    Args:
        source: as in `load_vgg16`; or the path of an .npz file with SqueezeNet v1.0 as arrays LAYER/kernel and LAYER/bias.
        random_conv1_1: reproduce a defect of the original: conv1_1 of VGG-16 has random weights (the same in every run).

    Returns:
        A function from images [B, H, W, 3] (RGB) or [B, H, W, 1] (gray), in -1..1, to feature maps [B, H/4, W/4, 256], rounded
        up. SqueezeNet does not pad: for sides that are multiples of 4 it gives [B, H/4 - 2, W/4 - 2, 256]. Images should have
        sides of at least 32 pixels.

    Raises:
        UserError: as in `load_vgg16`; or random_conv1_1 with SqueezeNet.
    """
    if Path(source).suffix.lower() != ".npz":
        weights, network, mean = load_vgg16(source, 3), _vgg_conv3_3, VGG_MEAN_BGR
        if random_conv1_1:
            weights["conv1_1"] = _random_conv1_1()
    elif random_conv1_1:
        raise UserError(
            f"{source}: this is SqueezeNet, which has no conv1_1 to leave random; set loss.feature_random_conv1_1=false"
        )
    else:
        weights, network, mean = _load_squeezenet(source), _squeezenet_fire4, SQUEEZENET_MEAN_BGR
    # Tensors, because a graph captures them once. It would get a new copy of arrays at every call.
    constants = {name: (tf.constant(kernel), tf.constant(bias)) for name, (kernel, bias) in weights.items()}

    def features(image):
        image = tf.cast(image, tf.float32)
        rgb = tf.repeat(image, 3, -1) if image.shape[-1] == 1 else image
        return network(constants, caffe_range(rgb, mean))

    return features


def feature_network_name(source: str) -> str:
    """How the network of `feature_network` is called in a protocol."""
    return weights_name("SqueezeNet", source) if Path(source).suffix.lower() == ".npz" else vgg16_name(source)


def _random_conv1_1() -> tuple[np.ndarray, np.ndarray]:
    """Random (kernel, bias): Glorot-uniform, the default of TensorFlow 1, which the original uses for the bias too."""
    random = generator(0)
    kernel = random.uniform(-1, 1, (3, 3, 3, 64)) * np.sqrt(6 / (9 * 3 + 9 * 64))  # within 0.0998
    bias = random.uniform(-1, 1, 64) * np.sqrt(6 / (64 + 64))  # within 0.2165
    return kernel.astype(np.float32), bias.astype(np.float32)


def _convolution(x, layer, stride: int = 1, padding: str = "SAME"):
    kernel, bias = layer
    return tf.nn.bias_add(tf.nn.conv2d(x, kernel, stride, padding), bias)


def _vgg_conv3_3(weights, x):
    x = _convolution(x, weights["conv1_1"])
    for name in list(weights)[1:]:
        if name in ("conv2_1", "conv3_1"):
            x = tf.nn.max_pool2d(x, 2, 2, "SAME")
        x = _convolution(tf.nn.relu(x), weights[name])  # ReLU after the pooling, which is equivalent because ReLU is monotonic
    return x


def _squeezenet_fire4(weights, x):
    x = _caffe_pool(tf.nn.relu(_convolution(x, weights["conv1"], 2, "VALID")))
    x = tf.nn.relu(_fire(weights, "fire2", x))
    x = tf.nn.relu(_fire(weights, "fire3", x))
    return _fire(weights, "fire4", x)


def _caffe_pool(x):
    """3 x 3 max pooling with stride 2 as in Caffe, which rounds the size up. x is not negative, so zeros may pad it."""
    return tf.nn.max_pool2d(tf.pad(x, [[0, 0], [0, 1], [0, 1], [0, 0]]), 3, 2, "VALID")


def _fire(weights, name: str, x):
    """A fire module without its last ReLU."""
    x = tf.nn.relu(_convolution(x, weights[f"{name}/conv1x1_1"]))
    return tf.concat([_convolution(x, weights[f"{name}/{expand}"]) for expand in ("conv1x1_2", "conv3x3_2")], -1)


def _load_squeezenet(path: str) -> Weights:
    """The weights of SqueezeNet up to fire4, from an .npz file. Raises UserError."""
    shapes, channels = {"conv1": (7, 7, 3, 96)}, 96
    for fire, (squeeze, expand) in FIRES.items():
        shapes[f"{fire}/conv1x1_1"] = (1, 1, channels, squeeze)
        shapes[f"{fire}/conv1x1_2"] = (1, 1, squeeze, expand)
        shapes[f"{fire}/conv3x3_2"] = (3, 3, squeeze, expand)
        channels = 2 * expand
    return read_weights(path, _read_npz, shapes, SQUEEZENET_MEND)


def _read_npz(path: str) -> dict[str, list[np.ndarray]]:
    arrays = read_npz(path)
    names = {key.rpartition("/")[0] for key in arrays}
    return {name: [arrays[f"{name}/kernel"], arrays[f"{name}/bias"]] for name in names}
