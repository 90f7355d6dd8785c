"""The fixed networks of the feature loss and of the feature distance."""

from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf

from analogy.errors import UserError
from analogy.models.vgg import VGG_MEAN_BGR
from analogy.pretrained import feature_networks
from analogy.pretrained.feature_networks import feature_network, feature_network_name
from analogy.training.precision import use_precision


def test_vgg_features_equal_keras_application(npy, vgg16, image):
    last = vgg16.get_layer("block3_conv3")
    bytes_rgb = (image[:, :36, :44] + 1) * 127.5  # Keras' poolings round down
    inside = keras.Model(vgg16.input, last.input)(keras.applications.vgg16.preprocess_input(bytes_rgb.copy()))
    expected = tf.nn.conv2d(inside, last.kernel, 1, "SAME") + last.bias
    features = feature_network(npy)(image[:, :36, :44])
    assert features.shape == (2, 9, 11, 256)
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_random_conv1_1_is_glorot_uniform_and_the_same_again(npy, weights, image):
    kernel, bias = feature_networks._random_conv1_1()
    assert 0.099 < np.abs(kernel).max() < 0.0998 and 0.2 < np.abs(bias).max() < 0.2166
    features = feature_network(npy, random_conv1_1=True)(image)
    np.testing.assert_array_equal(features, feature_network(npy, random_conv1_1=True)(image))
    replaced = {name: tuple(map(tf.constant, pair)) for name, pair in {**weights, "conv1_1": (kernel, bias)}.items()}
    bgr = (image[..., ::-1] + 1) * 127.5 - VGG_MEAN_BGR
    np.testing.assert_allclose(features, feature_networks._vgg_conv3_3(replaced, tf.cast(bgr, tf.float32)), rtol=1e-4, atol=0.1)


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
    weights = feature_networks._read_npz(squeezenet)
    x = feature_networks._caffe_pool(tf.nn.relu(feature_network(squeezenet)(photograph[None] / 127.5 - 1)))
    for fire in ("fire5", "fire6", "fire7", "fire8"):
        x = tf.nn.relu(feature_networks._fire(weights, fire, x))
    x = tf.nn.relu(feature_networks._fire(weights, "fire9", feature_networks._caffe_pool(x)))
    x = feature_networks._convolution(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), weights["conv10"])
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


def test_names_for_a_protocol():
    assert feature_network_name("hed") == "VGG-16 (HED)"
    assert feature_network_name("/folder/squeeze.npz") == "SqueezeNet (squeeze.npz)"
