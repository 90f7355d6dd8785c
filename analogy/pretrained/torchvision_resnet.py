"""Reading torchvision's weights of ResNet-18 from a `.pth` file, without PyTorch and without executing anything in it.

A `.pth` file is a pickle of tensors' names and shapes beside their raw numbers: since PyTorch 1.6 as a ZIP archive, before that
as several pickles followed by the numbers.
"""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

import keras
import numpy as np

from analogy.errors import UserError
from analogy.files.reading import check_regular
from analogy.models.resnet import ResNet18
from analogy.pretrained.archives import LARGEST, check_unpacked
from analogy.pretrained.pickles import ArrayUnpickler, Inert

URL = "https://download.pytorch.org/models/resnet18-f37072fd.pth"  # the name holds the beginning of the file's SHA-256
MEND = "give imagenet (a download), or torchvision's weights of resnet18 as .pth"
DTYPES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "LongStorage": "<i8"}
OLD_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of a file that is no ZIP archive


class _Tensor(NamedTuple):
    """A tensor whose numbers have not been read. storage: key of its block of numbers. offset, shape, strides: in numbers."""

    dtype: str
    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Unpickler(ArrayUnpickler):
    """Reads a state dict: a dict of name -> `_Tensor`."""

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return _Names
        if module == "torch._utils" and name == "_rebuild_tensor_v2":
            return lambda storage, offset, shape, strides, *_: _Tensor(*storage, offset, tuple(shape), tuple(strides))
        if module == "torch._utils" and name == "_rebuild_parameter":
            return lambda tensor, *_: tensor
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        return super().find_class(module, name)

    def persistent_load(self, identity):
        kind, dtype, storage, *_ = identity
        if kind != "storage" or not isinstance(dtype, str):
            raise ValueError(f"a {kind}")
        return dtype, str(storage)


class _Names(dict, Inert):
    """An OrderedDict of a state dict, without its metadata."""

    def __init__(self, *_):
        super().__init__()


def load_resnet18(source: str) -> dict[str, np.ndarray]:
    """torchvision's weights of ResNet-18, without the last layer (fc).

    Args:
        source: "imagenet" (torchvision's file, downloaded once into Keras' cache), or the path of a `.pth` file.

    Returns:
        name, such as "layer1.0.conv1.weight" -> float32 array with PyTorch's axes: (out, in, height, width), or (channels,).

    Raises:
        UserError: the file is missing, cannot be read, or holds another architecture.
    """
    path = _download() if source == "imagenet" else source
    try:
        weights = _read(Path(path))
    except FileNotFoundError as error:
        raise UserError(f"{path}: there is no such file; {MEND}") from error
    except Exception as error:  # zip, pickle and NumPy raise many kinds on a foreign file
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        raise UserError(f"{path}: the weights cannot be read ({reason}); {MEND}") from error
    weights = {name: value for name, value in weights.items() if not name.startswith("fc.") and value.dtype != np.int64}
    return {name: value.astype(np.float32) for name, value in weights.items()}


def load_into_resnet(resnet: ResNet18, source: str) -> None:
    """Copy torchvision's weights into a built network of width 1. source: as in `load_resnet18`.

    Raises:
        UserError: as in `load_resnet18`, or a layer is missing, unknown or of another shape.
    """
    weights, found = load_resnet18(source), []
    for name, layer in resnet.named_layers().items():
        for part, variable in _parts(layer).items():
            key = f"{name}.{part}"
            if key not in weights:
                raise UserError(f"{source}: it has no {key}, so it is not ResNet-18; {MEND}")
            value = weights[key].transpose(2, 3, 1, 0) if weights[key].ndim == 4 else weights[key]
            if value.shape != tuple(variable.shape):
                ours = tuple(variable.shape)
                raise UserError(f"{source}: {key} is {value.shape}, and the network's is {ours}; {MEND}, and width 1.0")
            found.append((key, variable, value))
    if others := sorted(set(weights) - {key for key, _, _ in found}):
        raise UserError(f"{source}: it has {others[0]}, which ResNet-18 does not have; {MEND}")
    for _, variable, value in found:
        variable.assign(value)


def _parts(layer: keras.layers.Layer) -> dict[str, keras.Variable]:
    """PyTorch's names of a layer's weights -> the weights."""
    if isinstance(layer, keras.layers.Conv2D):
        return {"weight": layer.kernel}
    statistics = {"running_mean": layer.moving_mean, "running_var": layer.moving_variance}
    return {"weight": layer.gamma, "bias": layer.beta, **statistics}


def _download() -> str:
    """The path of torchvision's file, downloaded if it is not in Keras' cache. Raises UserError."""
    name = URL.rpartition("/")[2]
    try:
        path = keras.utils.get_file(name, URL, cache_subdir="models")
    except Exception as error:  # Keras raises a bare Exception without network
        raise UserError(
            f"imagenet: {name} cannot be downloaded ({error}); fetch {URL} where there is a network, and give the path of that "
            "file in place of imagenet"
        ) from error
    if not hashlib.sha256(Path(path).read_bytes()).hexdigest().startswith(name[len("resnet18-") :][:8]):
        raise UserError(f"{path}: the download is damaged: delete it, and start again")
    return path


def _read(path: Path) -> dict[str, np.ndarray]:
    """name -> array. Raises all kinds of errors on a file that is something else."""
    check_regular(path, LARGEST)
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            return _read_old(file)
    with zipfile.ZipFile(path) as archive:
        check_unpacked(archive)
        (index,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        folder = index.removesuffix("data.pkl")
        tensors = _Unpickler(io.BytesIO(archive.read(index))).load()
        return _arrays(tensors, cache(lambda storage: archive.read(f"{folder}data/{storage}")))


def _read_old(file: BinaryIO) -> dict[str, np.ndarray]:
    """A file from before PyTorch 1.6: magic number, version, machine, tensors, keys of the storages; then each storage with its
    length."""
    magic = _Unpickler(file).load()
    if magic != OLD_MAGIC:
        raise ValueError("no file of PyTorch")
    _Unpickler(file).load()
    _Unpickler(file).load()
    tensors = _Unpickler(file).load()
    size_of = {tensor.storage: np.dtype(tensor.dtype).itemsize for tensor in _tensors(tensors).values()}
    storages = {}
    for key in map(str, _Unpickler(file).load()):
        count = int(np.frombuffer(file.read(8), "<i8")[0])
        storages[key] = file.read(count * size_of.get(key, 4))
    return _arrays(tensors, storages.__getitem__)


def _tensors(content: object) -> dict[str, _Tensor]:
    """The tensors of a state dict, by name. Raises ValueError if it is none."""
    if not isinstance(content, dict) or not all(isinstance(value, _Tensor) for value in content.values()):
        raise ValueError("it is no state dict: a dict of tensors")
    return content


def _arrays(tensors: object, storage: Callable[[str], bytes]) -> dict[str, np.ndarray]:
    """name -> `_Tensor` -> name -> array. storage: key -> the numbers of a storage."""
    arrays, size = {}, 0  # in bytes, as float32
    for name, tensor in _tensors(tensors).items():
        if (size := size + 4 * math.prod(tensor.shape)) > LARGEST:  # many may be parts of one storage
            raise ValueError(f"its tensors take {size / 1e9:.0f} GB or more, which are no weights")
        numbers = np.frombuffer(storage(tensor.storage), tensor.dtype)[tensor.offset :]
        count = int(np.prod(tensor.shape, dtype=np.int64))
        strides = tuple(np.cumprod((1, *tensor.shape[:0:-1]), dtype=np.int64)[::-1]) if tensor.shape else ()
        if tensor.strides != strides and count > 1:
            raise ValueError(f"{name} is not stored in the order of its axes")
        arrays[name] = numbers[:count].reshape(tensor.shape)
    return arrays
