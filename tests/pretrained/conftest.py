"""A VGG-16 with random weights, and its file."""

import keras
import numpy as np
import pytest

from analogy.models.vgg import VGG_16

NAMES = [f"conv{stage}_{index + 1}" for stage, (_, repeats) in enumerate(VGG_16, 1) for index in range(repeats)]


def keras_name(name):
    stage, index = name.removeprefix("conv").split("_")
    return f"block{stage}_conv{index}"


@pytest.fixture(scope="session")
def vgg16():
    """Keras' own VGG-16 with random weights; biases too, which Keras would leave zero."""
    keras.utils.set_random_seed(0)
    model = keras.applications.VGG16(weights=None, include_top=False, input_shape=(None, None, 3))
    for name in NAMES:
        bias = model.get_layer(keras_name(name)).bias
        bias.assign(np.random.default_rng(1).normal(size=bias.shape))
    return model


@pytest.fixture(scope="session")
def weights(vgg16):
    """Name -> [kernel, bias] of the first three stages."""
    return {name: vgg16.get_layer(keras_name(name)).get_weights() for name in NAMES[:7]}


@pytest.fixture(scope="session")
def npy(weights, tmp_path_factory):
    path = tmp_path_factory.mktemp("vgg") / "vgg16.npy"
    np.save(path, weights)
    return str(path)


@pytest.fixture
def image():
    """Two non-square images, sides no multiples of 4."""
    return np.random.default_rng(2).uniform(-1, 1, (2, 38, 47, 3)).astype(np.float32)
