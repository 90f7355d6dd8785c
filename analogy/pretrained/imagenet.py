"""Networks with ImageNet weights: the fixed network of the feature loss, and VGG-16 for an encoder.

VGG-16: Simonyan & Zisserman (arXiv:1409.1556). SqueezeNet v1.0: Iandola et al. (arXiv:1602.07360). The published weights of
both were trained with Caffe and expect images in BGR order, 0..255 minus a mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
import tensorflow as tf

from analogy.errors import UserError
from analogy.models.vgg import VGG_16, VGG_MEAN_BGR, Encoder, caffe_range
from analogy.pretrained.pickles import ArrayUnpickler, array_of
from analogy.random_streams import generator

Weights = dict[str, tuple[np.ndarray, np.ndarray]]  # layer name -> (kernel (height, width, in, out), bias), float32

# The file that keras.applications.VGG16 downloads.
KERAS_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
KERAS_URL = f"https://storage.googleapis.com/tensorflow/keras-applications/vgg16/{KERAS_FILE}"
KERAS_MD5 = "6d6bbae143d832006294945121d1f1fc"
VGG_MEND = (
    "give imagenet (a download), a vgg16.npy (a dict of layer name -> [kernel (3, 3, in, out), bias] in Caffe's BGR order), "
    "or Keras' VGG-16 weights as .h5"
)

SQUEEZENET_MEND = "expected SqueezeNet v1.0 as arrays LAYER/kernel (height, width, in, out) and LAYER/bias"
SQUEEZENET_MEAN_BGR = (104.0, 117.0, 123.0)
FIRES = {"fire2": (16, 64), "fire3": (16, 64), "fire4": (32, 128)}  # channels of the squeeze layer, and of each expand layer


def load_vgg16(source: str, stages: int = 5) -> Weights:
    """VGG-16's convolutions with ImageNet weights, in Caffe's BGR order.

    Args:
        source: "imagenet" (Keras' file, downloaded once into Keras' cache), or a path: a `vgg16.npy`, which is a pickled dict
            layer name -> [kernel, bias] (read without executing anything in it); or a Keras VGG-16 `.h5`, with or without its
            dense layers.
        stages: the number of stages to read, 1 to 5. The file need not hold the later ones.

    Returns:
        Layer name, "conv1_1" to "conv5_3" in this order -> (kernel (3, 3, in, out), bias (out,)), float32.

    Raises:
        UserError: there is no network; the file is missing or unreadable; a layer is missing or has the wrong shape.
    """
    path = _download() if source == "imagenet" else source
    reader = {".npy": _read_npy, ".h5": _read_h5}.get(Path(path).suffix.lower())
    if reader is None:
        raise UserError(f"{path}: an unknown kind of VGG-16 weights; {VGG_MEND}")
    shapes, channels = {}, 3
    for stage, (out, repeats) in enumerate(VGG_16[:stages], 1):
        for index in range(1, repeats + 1):
            shapes[f"conv{stage}_{index}"] = (3, 3, channels, out)
            channels = out
    return _read(path, reader, shapes, VGG_MEND)


def _load_squeezenet(path: str) -> Weights:
    """The weights of SqueezeNet up to fire4, from an .npz file. Raises UserError."""
    shapes, channels = {"conv1": (7, 7, 3, 96)}, 96
    for fire, (squeeze, expand) in FIRES.items():
        shapes[f"{fire}/conv1x1_1"] = (1, 1, channels, squeeze)
        shapes[f"{fire}/conv1x1_2"] = (1, 1, squeeze, expand)
        shapes[f"{fire}/conv3x3_2"] = (3, 3, squeeze, expand)
        channels = 2 * expand
    return _read(path, _read_npz, shapes, SQUEEZENET_MEND)


def _download() -> str:
    """The path of Keras' VGG-16 file, downloaded if it is not in Keras' cache. Raises UserError."""
    try:
        return keras.utils.get_file(KERAS_FILE, KERAS_URL, cache_subdir="models", file_hash=KERAS_MD5)
    except Exception as error:  # Keras raises a bare Exception without network
        raise UserError(
            f"imagenet: {KERAS_FILE} cannot be downloaded ({error}); fetch {KERAS_URL} where there is a network, "
            "and give the path of that file in place of imagenet"
        ) from error


def _read(path: str, reader: Callable, shapes: dict[str, tuple[int, ...]], mend: str) -> Weights:
    """Read a weights file with `reader` and check its layers.

    shapes: layer name -> shape of its kernel. mend: the end of error messages. Raises UserError.
    """
    try:
        layers = reader(path)
    except FileNotFoundError as error:
        raise UserError(f"{path}: there is no such file; {mend}") from error
    except Exception as error:  # pickle, zip and HDF5 raise many kinds on a foreign file
        raise UserError(f"{path}: the weights cannot be read ({error}); {mend}") from error
    weights = {}
    for name, shape in shapes.items():
        try:
            kernel, bias = (np.asarray(part, np.float32) for part in layers[name])
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: layer {name} with its kernel and bias is missing; {mend}") from error
        if kernel.shape != shape or bias.shape != shape[-1:]:
            written = f"kernel {kernel.shape} and bias {bias.shape}"
            raise UserError(f"{path}: layer {name} has {written}, not {shape} and {shape[-1:]}; {mend}")
        weights[name] = (kernel, bias)
    return weights


def _read_h5(path: str) -> dict[str, list[np.ndarray]]:
    """Layer name -> [kernel, bias]. Versions of Keras differ in names of arrays and in groups, but not in names of layers."""
    layers: dict[str, list[np.ndarray]] = {}

    def visit(name, item):
        layer = re.search(r"block(\d)_conv(\d)", name)
        if layer and isinstance(item, h5py.Dataset):
            layers.setdefault("conv{}_{}".format(*layer.groups()), []).append(item[()])

    with h5py.File(path) as file:
        file.get("model_weights", file).visititems(visit)  # a saved model keeps its weights in the group `model_weights`
    return {name: sorted(arrays, key=np.ndim, reverse=True) for name, arrays in layers.items()}


def _read_npz(path: str) -> dict[str, list[np.ndarray]]:
    with np.load(path) as file:
        names = {key.rpartition("/")[0] for key in file.files}
        return {name: [file[f"{name}/kernel"], file[f"{name}/bias"]] for name in names}


def _read_npy(path: str) -> dict[str, list[np.ndarray]]:
    with open(path, "rb") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        [content] = ArrayUnpickler(file, encoding="latin1").load().state[-1]
    return {name: [array_of(part) for part in pair] for name, pair in content.items() if name.startswith("conv")}


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


def load_into_encoder(encoder: Encoder, weights: Weights, *, stages: int, skip_conv1_1: bool = False) -> None:
    """Copy weights of VGG-16 into the first stages of a built encoder.

    The weights of conv1_1 expect images in BGR order, 0..255 minus VGG_MEAN_BGR. The published encoders get RGB in -1..1, and
    their conv1_1 starts from random weights.

    Args:
        encoder: an encoder of full width with the convolutions of VGG-16 in these stages.
        weights: from `load_vgg16`, with at least `stages` stages.
        stages: the number of stages to copy, at most those of the encoder.
        skip_conv1_1: whether to leave conv1_1 as it is.

    Raises:
        UserError: these stages of the encoder are not those of VGG-16.
    """
    for stage, ((_, repeats), block) in enumerate(zip(VGG_16[:stages], encoder.stages[:stages], strict=True), 1):
        if len(block.convolutions) != repeats:
            count = f"stage {stage} of the encoder has {len(block.convolutions)} convolutions, that of VGG-16 {repeats}"
            raise UserError(f"VGG-16 weights: {count}; set generator.depth 3, 4 or 5, and no simplified encoder")
        for index, layer in enumerate(block.convolutions, 1):
            name = f"conv{stage}_{index}"
            if name == "conv1_1" and skip_conv1_1:
                continue
            kernel, bias = weights[name]
            if kernel.shape != tuple(layer.kernel.shape):
                shapes = f"{name} is {kernel.shape}, the encoder's {tuple(layer.kernel.shape)}"
                raise UserError(f"VGG-16 weights: {shapes}; set generator.width 1.0, and data.gray false")
            layer.kernel.assign(kernel)
            layer.bias.assign(bias)
