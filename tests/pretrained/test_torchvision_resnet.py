"""Reading torchvision's weights from files as PyTorch writes them, both old and new."""

import io
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

from analogy.errors import UserError
from analogy.models.building import build
from analogy.models.resnet import ResNet18
from analogy.pretrained import torchvision_resnet
from analogy.pretrained.torchvision_resnet import OLD_MAGIC, _arrays, _parts, _Tensor, load_into_resnet, load_resnet18


@pytest.fixture(scope="module")
def network():
    network = ResNet18(width=0.0625)
    build(network, (None, 32, 32, 3))
    return network


@pytest.fixture
def weights(network):
    """Random weights of a small ResNet-18 with PyTorch's names and axes."""
    rng, named = np.random.default_rng(0), {}
    for name, layer in network.named_layers().items():
        for part, variable in _parts(layer).items():
            shape = tuple(variable.shape)
            value = rng.uniform(0.5, 1.5, shape).astype(np.float32)
            named[f"{name}.{part}"] = np.ascontiguousarray(value.transpose(3, 2, 0, 1)) if len(shape) == 4 else value
        if "bn" in name:
            named[f"{name}.num_batches_tracked"] = np.array(7)
    return {**named, "fc.weight": np.zeros((10, 4), np.float32), "fc.bias": np.zeros(10, np.float32)}


class Global:
    """Something that the pickle calls by its name in a module of PyTorch."""

    def __init__(self, name):
        self.name = name


class Storage:
    """The numbers of a tensor, which lie outside of the pickle."""

    def __init__(self, key, array):
        self.key, self.array = key, array


class Pickled:
    """A tensor, pickled as PyTorch does it."""

    def __init__(self, key, array):
        self.storage, self.array = Storage(key, array), array

    def __reduce_ex__(self, protocol):
        strides = tuple(stride // self.array.itemsize for stride in self.array.strides)
        arguments = (self.storage, 0, self.array.shape, strides, False, OrderedDict())
        return _rebuild_tensor_v2, arguments


def _rebuild_tensor_v2(*_):
    """Stands for the function of that name in torch._utils."""


class Pickler(pickle._Pickler):
    """Writes the names of PyTorch's functions and classes, which are not installed here."""

    def __init__(self, file, old):
        super().__init__(file, 2)
        self.old = old

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, Global):
            return self.write(f"ctorch\n{obj.name}\n".encode())
        if obj is _rebuild_tensor_v2:
            return self.write(b"ctorch._utils\n_rebuild_tensor_v2\n")
        return super().save(obj, save_persistent_id)

    def persistent_id(self, obj):
        if not isinstance(obj, Storage):
            return None
        kind = Global("LongStorage" if obj.array.dtype == np.int64 else "FloatStorage")
        return ("storage", kind, obj.key, "cpu", obj.array.size, *([None] if self.old else []))


def pickled(content, old: bool) -> bytes:
    file = io.BytesIO()
    Pickler(file, old).dump(content)
    return file.getvalue()


def write(path, weights, *, old: bool = False):
    """Write a `.pth` file as torch.save does, in its old form or as a ZIP archive."""
    content = OrderedDict((name, Pickled(str(index), array)) for index, (name, array) in enumerate(weights.items()))
    raw = {value.storage.key: value.array for value in content.values()}
    if old:
        parts = [pickled(part, True) for part in (OLD_MAGIC, 1001, {"little_endian": True}, content, list(raw))]
        numbers = [np.int64(array.size).tobytes() + array.tobytes() for array in raw.values()]
        path.write_bytes(b"".join([*parts, *numbers]))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("resnet18/data.pkl", pickled(content, False))
            for key, array in raw.items():
                archive.writestr(f"resnet18/data/{key}", array.tobytes())
    return str(path)


@pytest.mark.parametrize("old", [False, True])
def test_weights_arrive_where_they_belong(network, weights, tmp_path, old):
    load_into_resnet(network, write(tmp_path / "w.pth", weights, old=old))
    kernel = weights["layer2.0.downsample.0.weight"]
    np.testing.assert_array_equal(network.stages[1][0].downsample[0].kernel, kernel.transpose(2, 3, 1, 0))
    np.testing.assert_array_equal(network.bn1.moving_variance, weights["bn1.running_var"])
    np.testing.assert_array_equal(network.stages[3][1].bn2.beta, weights["layer4.1.bn2.bias"])
    assert not any(name.startswith("fc") or "tracked" in name for name in load_resnet18(str(tmp_path / "w.pth")))


def one_line(network, path) -> str:
    before = network.conv1.kernel.numpy().copy()
    with pytest.raises(UserError) as caught:
        load_into_resnet(network, str(path))
    np.testing.assert_array_equal(network.conv1.kernel, before)  # nothing was half loaded
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    return str(caught.value)


def test_weights_of_another_architecture_are_one_line(network, weights, tmp_path):
    path = tmp_path / "w.pth"
    write(path, {**weights, "layer1.2.conv1.weight": weights["layer1.1.conv1.weight"]})
    assert "it has layer1.2.conv1.weight, which ResNet-18 does not have" in one_line(network, path)
    write(path, {name: value for name, value in weights.items() if name != "layer4.1.conv2.weight"})
    assert "it has no layer4.1.conv2.weight" in one_line(network, path)
    write(path, {**weights, "conv1.weight": np.zeros((8, 3, 7, 7), np.float32)})
    assert "conv1.weight is (7, 7, 3, 8), and the network's is (7, 7, 3, 4)" in one_line(network, path)


def test_other_files_are_one_line(network, tmp_path):
    assert "there is no such file" in one_line(network, tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("hello")
    assert "cannot be read" in one_line(network, tmp_path / "text.pth")
    (tmp_path / "list.pth").write_bytes(pickle.dumps([1, 2]))
    assert "no file of PyTorch" in one_line(network, tmp_path / "list.pth")
    with zipfile.ZipFile(tmp_path / "model.pth", "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps({"epoch": 3}))
    assert "no state dict" in one_line(network, tmp_path / "model.pth")


def test_many_tensors_of_one_storage_are_refused(monkeypatch):
    """A small file of them could fill the memory."""
    monkeypatch.setattr(torchvision_resnet, "LARGEST", 20_000)
    tensors = {str(number): _Tensor("<f4", "0", 0, (1000,), (1,)) for number in range(9)}
    assert len(_arrays(dict(list(tensors.items())[:5]), lambda storage: bytes(4000))) == 5
    with pytest.raises(ValueError, match=r"its tensors take .* or more, which are no weights"):
        _arrays(tensors, lambda storage: bytes(4000))


def test_nothing_in_the_file_is_executed(network, tmp_path):
    with zipfile.ZipFile(tmp_path / "evil.pth", "w") as archive:
        archive.writestr("a/data.pkl", b"cbuiltins\nprint\n(S'executed'\ntR.")
    assert "it asks for builtins.print" in one_line(network, tmp_path / "evil.pth")
