"""VGG-16 with weights that others trained: reading them, and starting an encoder from them.

VGG-16: Simonyan & Zisserman (arXiv:1409.1556). All these weights expect images in BGR order, 0..255 minus ImageNet's mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np

from analogy.errors import UserError
from analogy.files.reading import check_regular
from analogy.models.vgg import VGG_16, Encoder
from analogy.pretrained.archives import LARGEST
from analogy.pretrained.fetch_vgg16 import vgg16_hed_file
from analogy.pretrained.names import weights_name
from analogy.pretrained.pickles import ArrayUnpickler, array_of

Weights = dict[str, tuple[np.ndarray, np.ndarray]]  # layer name -> (kernel (height, width, in, out), bias), float32

Plan = tuple[tuple[int, int], ...]  # (channels, number of convolutions) of each stage

KERAS_URL = "https://storage.googleapis.com/tensorflow/keras-applications"
KERAS_MD5 = {"vgg16": "6d6bbae143d832006294945121d1f1fc", "vgg19": "253f8cb515780f3b799900260a226db6"}
MEND = (
    "give imagenet (a download), hed (from `analogy fetch vgg16-hed`), a vgg16.npy (a dict of layer name -> "
    "[kernel (3, 3, in, out), bias] in Caffe's BGR order), or Keras' VGG-16 weights as .h5"
)


def vgg16_name(source: str) -> str:
    """How these weights are called in a protocol. source: as in `load_vgg16`."""
    return weights_name("VGG-16", source)


def load_vgg16(source: str, stages: int = 5) -> Weights:
    """The weights of VGG-16's convolutions, in Caffe's BGR order.

    Args:
        source: "imagenet" (Keras' file, downloaded once into Keras' cache); "hed" (fine-tuned from ImageNet to find edges;
            the file of `analogy fetch vgg16-hed`); or a path: a `vgg16.npy`, which is a pickled dict
            layer name -> [kernel, bias] (read without executing anything in it); or a Keras VGG-16 `.h5`, with or without its
            dense layers.
        stages: the number of stages to read, 1 to 5. The file need not hold the later ones.

    Returns:
        Layer name, "conv1_1" to "conv5_3" in this order -> (kernel (3, 3, in, out), bias (out,)), float32.

    Raises:
        UserError: there is no network; the file is missing, unreadable, damaged or of another VGG; a layer is missing or has
            the wrong shape.
    """
    found = {"imagenet": lambda: download_from_keras("vgg16"), "hed": vgg16_hed_file}.get(source, lambda: source)()
    return read_vgg(str(found), VGG_16, stages, MEND)


def read_vgg(path: str, plan: Plan, stages: int, mend: str) -> Weights:
    """The convolutions of a file of VGG weights, checked against the plan of all its stages.

    stages: how many are read. mend: the end of error messages. Raises UserError.
    """
    reader = {".npy": _read_npy, ".h5": _read_h5}.get(Path(path).suffix.lower())
    if reader is None:
        raise UserError(f"{path}: an unknown kind of VGG weights; {mend}")
    shapes, channels = {}, 3
    for stage, (out, repeats) in enumerate(plan[:stages], 1):
        for index in range(1, repeats + 1):
            shapes[f"conv{stage}_{index}"] = (3, 3, channels, out)
            channels = out
    return read_weights(path, lambda path: _without_others(reader(path), plan), shapes, mend)


def _without_others(layers: dict[str, list[np.ndarray]], plan: Plan) -> dict[str, list[np.ndarray]]:
    """The same layers. Raises ValueError if the plan lacks one: all layers of VGG-16 have names and shapes of VGG-19's."""
    names = {f"conv{stage}_{index + 1}" for stage, (_, repeats) in enumerate(plan, 1) for index in range(repeats)}
    if others := sorted(set(layers) - names):
        raise ValueError(f"it has a layer {others[0]}, so it is of another VGG, such as VGG-19")
    return layers


def download_from_keras(network: str) -> str:
    """The path of Keras' file of `vgg16` or `vgg19` without dense layers, downloaded if Keras' cache has it not. Raises
    UserError."""
    file = f"{network}_weights_tf_dim_ordering_tf_kernels_notop.h5"
    url = f"{KERAS_URL}/{network}/{file}"
    try:
        return keras.utils.get_file(file, url, cache_subdir="models", file_hash=KERAS_MD5[network])
    except Exception as error:  # Keras raises a bare Exception without network
        raise UserError(
            f"imagenet: {file} cannot be downloaded ({error}); fetch {url} where there is a network, "
            "and give the path of that file in place of imagenet"
        ) from error


def read_weights(path: str, reader: Callable, shapes: dict[str, tuple[int, ...]], mend: str) -> Weights:
    """Read a weights file with `reader` and check its layers.

    shapes: layer name -> shape of its kernel. mend: the end of error messages. Raises UserError.
    """
    try:
        check_regular(path, LARGEST)
        layers = reader(path)
    except FileNotFoundError as error:
        raise UserError(f"{path}: there is no such file; {mend}") from error
    except Exception as error:  # pickle, zip and HDF5 raise many kinds on a foreign file
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UserError(f"{path}: the weights cannot be read ({reason}); {mend}") from error
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
    """Layer name -> [kernel, bias]. Versions of Keras differ in names of arrays and in groups, but not in names of layers.

    The layer is named in the path of its arrays; in a `.weights.h5` of Keras 3, in the attribute `name` of their group.
    """
    layers: dict[str, list[np.ndarray]] = {}

    def visit(name, item):
        layer = re.search(r"block(\d)_conv(\d)", f"{name} {item.parent.attrs.get('name')}")
        if layer and isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:  # bytes of any file of this machine would become weights
                raise ValueError(f"it takes {name} from another file")
            if (size := item.nbytes + sum(array.nbytes for arrays in layers.values() for array in arrays)) > LARGEST:
                raise ValueError(f"it unpacks to {size / 1e9:.0f} GB or more, which are no weights")
            layers.setdefault("conv{}_{}".format(*layer.groups()), []).append(item[()])

    with h5py.File(path) as file:
        if isinstance(file.get("model_weights", getlink=True), h5py.ExternalLink):
            raise ValueError("it takes model_weights from another file")
        file.get("model_weights", file).visititems(visit)  # a saved model keeps its weights in the group `model_weights`
    return {name: sorted(arrays, key=np.ndim, reverse=True) for name, arrays in layers.items()}


def _read_npy(path: str) -> dict[str, list[np.ndarray]]:
    with open(path, "rb") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        [content] = ArrayUnpickler(file, encoding="latin1").load().state[-1]
    return {name: [array_of(part) for part in pair] for name, pair in content.items() if name.startswith("conv")}


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
