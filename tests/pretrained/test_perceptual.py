"""The perceptual distance, beside Keras' own VGG-19."""

from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from analogy.errors import UserError
from analogy.models.vgg import VGG_16, VGG_19
from analogy.pretrained import perceptual, vgg16
from analogy.pretrained.perceptual import last_activations, load_vgg19, perceptual_distance, perceptual_name
from tests.pretrained.conftest import keras_name

NARROW = tuple((channels // 16, repeats) for channels, repeats in VGG_19)


def narrow_weights(plan=NARROW, seed=0):
    random, weights, channels = np.random.default_rng(seed), {}, 3
    for stage, (out, repeats) in enumerate(plan, 1):
        for index in range(1, repeats + 1):
            kernel = random.normal(size=(3, 3, channels, out), scale=np.sqrt(2 / (9 * channels))).astype(np.float32)
            weights[f"conv{stage}_{index}"] = (kernel, random.normal(size=out).astype(np.float32))
            channels = out
    return weights


def write_keras(path, weights):
    """A file in the layout of the one that Keras downloads."""
    with h5py.File(path, "w") as file:
        for name, pair in weights.items():
            for part, array in zip("Wb", pair, strict=True):
                file[f"{keras_name(name)}/{keras_name(name)}_{part}_1:0"] = array
    return str(path)


def keras_vgg19(weights):
    """Keras' VGG-19 in layers, with these weights -> a model of its last activations."""
    x = image = keras.Input((None, None, 3))
    answers = []
    for stage, (out, repeats) in enumerate(NARROW, 1):
        for index in range(1, repeats + 1):
            x = keras.layers.Conv2D(out, 3, padding="same", activation="relu", name=keras_name(f"conv{stage}_{index}"))(x)
        answers.append(x)
        x = keras.layers.MaxPooling2D(2)(x)
    model = keras.Model(image, answers)
    for name, pair in weights.items():
        model.get_layer(keras_name(name)).set_weights(pair)
    return model


def test_the_plan_and_the_file_are_those_of_keras_vgg19(monkeypatch):
    network = keras.applications.VGG19(weights=None, include_top=False)
    kernels = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    names = [f"block{s}_conv{i}" for s, (_, repeats) in enumerate(VGG_19, 1) for i in range(1, repeats + 1)]
    assert [layer.name for layer in kernels] == names
    assert [layer.filters for layer in kernels] == [out for out, repeats in VGG_19 for _ in range(repeats)]
    asked = []
    monkeypatch.setattr(keras.utils, "get_file", lambda *names, **options: asked.append((names, options)) or "file.h5")
    monkeypatch.setattr(perceptual, "read_vgg", lambda path, *plan: path)
    assert load_vgg19("imagenet") == "file.h5"
    [((_, url), options)] = asked
    assert url == keras.applications.VGG19.__globals__["WEIGHTS_PATH_NO_TOP"]
    assert options["file_hash"] in Path(keras.applications.VGG19.__code__.co_filename).read_text()


def test_it_is_the_mean_difference_of_keras_activations(tmp_path, monkeypatch):
    monkeypatch.setattr(perceptual, "VGG_19", NARROW)
    weights = narrow_weights()
    distance = perceptual_distance(write_keras(tmp_path / "vgg19.h5", weights))
    random = np.random.default_rng(1)
    truth, generated = (random.uniform(-1, 1, (2, 38, 47, 3)).astype(np.float32) for _ in range(2))
    network = keras_vgg19(weights)
    read = [network(keras.applications.vgg19.preprocess_input((image + 1) * 127.5)) for image in (truth, generated)]
    expected = np.mean([np.abs(a - b).mean((1, 2, 3)) for a, b in zip(*read, strict=True)], 0)
    np.testing.assert_allclose(distance(truth, generated), expected, rtol=1e-4)
    np.testing.assert_array_equal(distance(truth, truth), [0.0, 0.0])
    gray = truth[..., :1]
    np.testing.assert_allclose(distance(gray, generated), distance(np.repeat(gray, 3, -1), generated), rtol=1e-6)


def test_a_gradient_reaches_the_generated_image(tmp_path, monkeypatch):
    monkeypatch.setattr(perceptual, "VGG_19", NARROW)
    distance = perceptual_distance(write_keras(tmp_path / "vgg19.h5", narrow_weights()))
    truth = tf.zeros([1, 32, 32, 3])
    generated = tf.Variable(tf.random.stateless_uniform([1, 32, 32, 3], [0, 1], -1, 1))
    with tf.GradientTape() as tape:
        loss = distance(truth, generated)
    gradient = tape.gradient(loss, generated).numpy()
    assert np.isfinite(gradient).all() and (np.abs(gradient).max(-1) > 0).mean() > 0.99


def test_hed_is_a_vgg16(tmp_path, monkeypatch):
    plan = tuple((channels // 16, repeats) for channels, repeats in VGG_16)
    weights = narrow_weights(plan)
    path = Path(write_keras(tmp_path / "hed.weights.h5", weights))
    monkeypatch.setattr(vgg16, "VGG_16", plan)
    monkeypatch.setattr(vgg16, "vgg16_hed_file", lambda: path)
    image = np.random.default_rng(0).uniform(-1, 1, (1, 32, 32, 3)).astype(np.float32)
    true, ours = (last_activations(weights, x) for x in (image, -image))
    assert [x.shape[-1] for x in true] == [out for out, _ in plan]
    expected = np.mean([np.abs(a - b).mean() for a, b in zip(true, ours, strict=True)])
    np.testing.assert_allclose(perceptual_distance("hed")(image, -image), [expected], rtol=1e-5)


def test_names_in_a_protocol():
    assert perceptual_name("imagenet") == "VGG-19 (ImageNet)"
    assert perceptual_name("hed") == "VGG-16 (HED)"
    assert perceptual_name("/folder/vgg19.h5") == "VGG-19 (vgg19.h5)"


def test_weights_that_do_not_fit(tmp_path, monkeypatch):
    def refused(source, message):
        with pytest.raises(UserError, match=message) as error:
            perceptual_distance(str(source))
        assert "imagenet" in str(error.value) and "\n" not in str(error.value)

    monkeypatch.setattr(perceptual, "VGG_19", NARROW)
    weights = narrow_weights()
    refused(tmp_path / "nowhere.h5", r"nowhere\.h5: there is no such file; .*VGG-19")
    refused(tmp_path / "vgg19.pth", r"vgg19\.pth: an unknown kind of VGG weights")
    vgg16_alone = {name: pair for name, pair in weights.items() if not name.startswith("conv3_4")}
    refused(write_keras(tmp_path / "vgg16.h5", vgg16_alone), r"vgg16\.h5: layer conv3_4 .* is missing")

    def offline(*names, **options):
        raise Exception("no route")

    monkeypatch.setattr(keras.utils, "get_file", offline)
    refused("imagenet", r"vgg19_weights\S+notop\.h5 cannot be downloaded .*fetch https://.*/vgg19/")
