"""ResNet-18 against torchvision's sizes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from analogy.models.building import build, without_values
from analogy.models.resnet import ResNet18


def trained_count(network) -> int:
    return sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)


def test_it_has_the_weights_of_torchvisions_without_the_last_layer():
    with without_values():
        network = ResNet18()
        build(network, (None, 64, 96, 3))
    assert trained_count(network) == 11_689_512 - 513_000


@pytest.fixture(scope="module")
def small():
    network = ResNet18(width=0.0625)
    build(network, (None, 64, 96, 3))
    return network


def test_the_taps(small):
    taps = small(tf.zeros([2, 64, 96, 3]))
    assert [tuple(tap.shape) for tap in taps] == [
        (2, 32, 48, 4), (2, 16, 24, 4), (2, 8, 12, 8), (2, 4, 6, 16), (2, 2, 3, 32)
    ]  # fmt: skip


def test_the_first_tap_is_the_padded_convolution_alone(small):
    image = tf.random.stateless_normal([1, 64, 96, 3], [0, 1])
    r0 = small(image)[0].numpy()
    at = (5, 7)  # of r0; its window starts at twice that, less the padding of 3
    window = image.numpy()[0, 2 * at[0] - 3 : 2 * at[0] + 4, 2 * at[1] - 3 : 2 * at[1] + 4]
    np.testing.assert_allclose(r0[0, at[0], at[1]], np.einsum("ijc,ijcd->d", window, small.conv1.kernel.numpy()), atol=1e-5)
    np.testing.assert_allclose(r0[0, 0, 0], np.einsum("ijc,ijcd->d", image[0, :4, :4], small.conv1.kernel[3:, 3:]), atol=1e-5)


def test_training_uses_the_batch_and_moves_the_running_statistics(small):
    image = tf.random.stateless_normal([2, 64, 96, 3], [0, 2])
    before = small.bn1.moving_mean.numpy().copy()
    r0, r1, *_ = small(image, training=True)
    np.testing.assert_allclose(small.bn1.moving_mean, 0.9 * before + 0.1 * tf.reduce_mean(r0, [0, 1, 2]), atol=1e-5)
    assert np.abs(r1 - small(image)[1]).max() > 1e-3  # the running statistics are others


def test_freezing_by_the_optimisers_list_leaves_training_mode(small):
    assert all(isinstance(layer, keras.layers.Layer) for layer in small.named_layers().values())
    assert len(small.named_layers()) == 20 + 20  # convolutions and normalisations
