"""ImageNet weights: every layout of the files, the feature networks, and an encoder that starts from them."""

import os
import pickle
import struct
from pathlib import Path

import cv2
import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from analogy.errors import UserError
from analogy.models.building import build
from analogy.models.vgg import VGG_16, Encoder
from analogy.pretrained import imagenet as pretrained
from analogy.pretrained.imagenet import feature_network, load_into_encoder, load_vgg16
from analogy.training.precision import use_precision

NAMES = [f"conv{stage}_{index + 1}" for stage, (_, repeats) in enumerate(VGG_16, 1) for index in range(repeats)]


def keras_name(name):
    stage, index = name.removeprefix("conv").split("_")
    return f"block{stage}_conv{index}"


@pytest.fixture(scope="module")
def vgg16():
    """Keras' own VGG-16 with random weights; biases too, which Keras would leave zero."""
    keras.utils.set_random_seed(0)
    model = keras.applications.VGG16(weights=None, include_top=False, input_shape=(None, None, 3))
    for name in NAMES:
        bias = model.get_layer(keras_name(name)).bias
        bias.assign(np.random.default_rng(1).normal(size=bias.shape))
    return model


@pytest.fixture(scope="module")
def weights(vgg16):
    """Name -> [kernel, bias] of the first three stages."""
    return {name: vgg16.get_layer(keras_name(name)).get_weights() for name in NAMES[:7]}


@pytest.fixture(scope="module")
def npy(weights, tmp_path_factory):
    path = tmp_path_factory.mktemp("vgg") / "vgg16.npy"
    np.save(path, weights)
    return str(path)


@pytest.fixture
def image():
    """Two non-square images, sides no multiples of 4."""
    return np.random.default_rng(2).uniform(-1, 1, (2, 38, 47, 3)).astype(np.float32)


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


# -------------------------------------------------------------------- the feature networks


def test_vgg_features_equal_keras_application(npy, vgg16, image):
    last = vgg16.get_layer("block3_conv3")
    bytes_rgb = (image[:, :36, :44] + 1) * 127.5  # Keras' poolings round down
    inside = keras.Model(vgg16.input, last.input)(keras.applications.vgg16.preprocess_input(bytes_rgb.copy()))
    expected = tf.nn.conv2d(inside, last.kernel, 1, "SAME") + last.bias
    features = feature_network(npy)(image[:, :36, :44])
    assert features.shape == (2, 9, 11, 256)
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_random_conv1_1_is_glorot_uniform_and_the_same_again(npy, weights, image):
    kernel, bias = pretrained._random_conv1_1()
    assert 0.099 < np.abs(kernel).max() < 0.0998 and 0.2 < np.abs(bias).max() < 0.2166
    features = feature_network(npy, random_conv1_1=True)(image)
    np.testing.assert_array_equal(features, feature_network(npy, random_conv1_1=True)(image))
    replaced = {name: tuple(map(tf.constant, pair)) for name, pair in {**weights, "conv1_1": (kernel, bias)}.items()}
    bgr = (image[..., ::-1] + 1) * 127.5 - pretrained.VGG_MEAN_BGR
    np.testing.assert_allclose(features, pretrained._vgg_conv3_3(replaced, tf.cast(bgr, tf.float32)), rtol=1e-4, atol=0.1)


def test_random_conv1_1_of_squeezenet_is_refused(squeezenet):
    with pytest.raises(UserError, match="feature_random_conv1_1=false"):
        feature_network(squeezenet, random_conv1_1=True)


def test_squeezenet_equals_numpy(squeezenet, image):
    """Windows and matrix products only, pooling with windows cut at the edge."""
    with np.load(squeezenet) as file:
        arrays = {name: file[name].astype(np.float64) for name in file.files}

    def convolution(x, name, stride=1):
        kernel, bias = arrays[f"{name}/kernel"], arrays[f"{name}/bias"]
        windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(1, 2))[:, ::stride, ::stride]
        return np.einsum("byxcij,ijco->byxo", windows, kernel, optimize=True) + bias

    def pool(x):
        rows, columns = (range(0, side - 1 if side % 2 == 0 else side - 2, 2) for side in x.shape[1:3])
        return np.stack([np.stack([x[:, r : r + 3, c : c + 3].max((1, 2)) for c in columns], 1) for r in rows], 1)

    def fire(x, name):
        x = np.maximum(convolution(x, f"{name}/conv1x1_1"), 0)
        padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
        return np.concatenate([convolution(x, f"{name}/conv1x1_2"), convolution(padded, f"{name}/conv3x3_2")], -1)

    x = (image[..., ::-1].astype(np.float64) + 1) * 127.5 - (104, 117, 123)
    x = pool(np.maximum(convolution(x, "conv1", stride=2), 0))  # 16 x 21 before, rounded up to 8 x 10
    expected = fire(np.maximum(fire(np.maximum(fire(x, "fire2"), 0), "fire3"), 0), "fire4")
    features = feature_network(squeezenet)(image)
    assert features.shape == expected.shape == (2, 8, 10, 256)
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_squeezenet_sees_what_is_in_a_photograph(squeezenet):
    """The rest of the network on top of the features: the admiral's portrait that comes with matplotlib is of her clothes."""
    matplotlib = pytest.importorskip("matplotlib")
    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    if not path.is_file():
        pytest.skip("this matplotlib came without its sample data")
    photograph = cv2.resize(cv2.imread(str(path))[44:556, :, ::-1], (227, 227)).astype(np.float32)
    weights = pretrained._read_npz(squeezenet)
    x = pretrained._caffe_pool(tf.nn.relu(feature_network(squeezenet)(photograph[None] / 127.5 - 1)))
    for fire in ("fire5", "fire6", "fire7", "fire8"):
        x = tf.nn.relu(pretrained._fire(weights, fire, x))
    x = tf.nn.relu(pretrained._fire(weights, "fire9", pretrained._caffe_pool(x)))
    x = pretrained._convolution(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), weights["conv10"])
    probability = tf.nn.softmax(tf.reduce_mean(tf.nn.relu(x), [1, 2]))[0].numpy()
    bow_tie, suit, windsor_tie = 457, 834, 906
    assert set(probability.argsort()[-3:]) == {bow_tie, suit, windsor_tie}


def test_squeezenet_files_that_do_not_fit(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.npz: there is no such file; expected SqueezeNet"):
        feature_network(str(tmp_path / "nowhere.npz"))
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(UserError, match=r"text\.npz: the weights cannot be read"):
        feature_network(str(tmp_path / "text.npz"))
    np.savez(tmp_path / "part.npz", **{"conv1/kernel": np.zeros((7, 7, 3, 96)), "conv1/bias": np.zeros(96)})
    with pytest.raises(UserError, match=r"part\.npz: layer fire2/conv1x1_1 with its kernel and bias is missing"):
        feature_network(str(tmp_path / "part.npz"))


@pytest.fixture(params=["vgg", "squeezenet"])
def source(request) -> str:
    return request.getfixturevalue({"vgg": "npy", "squeezenet": "squeezenet"}[request.param])


SIZES = {  # image -> map of VGG-16, of SqueezeNet
    (32, 32): ((8, 8), (6, 6)),
    (33, 61): ((9, 16), (7, 14)),
    (64, 48): ((16, 12), (14, 10)),
    (224, 227): ((56, 57), (54, 55)),
}


@pytest.mark.parametrize("size", SIZES)
def test_sizes_of_the_feature_maps(source, size):
    expected = SIZES[size][str(source).endswith(".npz")]
    assert feature_network(source)(tf.zeros([1, *size, 3])).shape == (1, *expected, 256)


def test_gray_is_the_repeated_channel(source, image):
    features = feature_network(source)
    np.testing.assert_array_equal(features(image[..., :1]), features(np.repeat(image[..., :1], 3, -1)))


def test_gradient_reaches_every_pixel(source):
    """Without padding SqueezeNet sees the last row and column of odd sides only."""
    image = tf.random.stateless_uniform([2, 47, 47, 3], [0, 1], -1, 1)
    features = feature_network(source)
    with tf.GradientTape() as tape:
        tape.watch(image)
        loss = tf.reduce_mean(features(image) ** 2)
    gradient = tape.gradient(loss, image).numpy()
    assert np.isfinite(gradient).all()
    assert (np.abs(gradient).max(-1) > 0).all()


def test_float32_whatever_the_policy(source, image):
    features = feature_network(source)
    expected = features(image)
    with use_precision("bfloat16"):
        under_policy = feature_network(source)(image)
    assert under_policy.dtype == features(tf.cast(image, tf.bfloat16)).dtype == tf.float32
    np.testing.assert_array_equal(under_policy, expected)


def test_a_graph_holds_the_constants_once(source):
    features = feature_network(source)

    @tf.function
    def error(truth, generated):
        return tf.reduce_mean((features(truth) - features(generated)) ** 2)

    concrete = error.get_concrete_function(*[tf.TensorSpec([None, 32, 32, 3])] * 2)
    layers = 10 if str(source).endswith(".npz") else 7
    assert len(concrete.captured_inputs) == 2 * layers
    assert len(concrete.graph.as_graph_def().SerializeToString()) < 100_000


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
