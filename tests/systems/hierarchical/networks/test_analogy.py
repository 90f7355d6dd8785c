"""Sizes and parameter counts of the spec's tables 3.2 and 3.3."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from analogy.models.building import build, without_values
from analogy.systems.hierarchical.networks.analogy import AnalogyGenerator, Discriminator
from analogy.systems.hierarchical.networks.block_dense import BlockDense
from analogy.systems.hierarchical.networks.decoder import Decoder, decoder_plan, deconvolution

# depth -> (latent side and channels at 224, millions of parameters of f_img, f_pose, f_dec, D, units of D)
TABLE = {
    2: ((56, 128), (0.44, 0.45, 0.59, 205.97), 512),
    3: ((28, 256), (1.74, 1.74, 2.33, 207.27), 1024),
    4: ((14, 512), (7.64, 7.64, 9.99, 110.41), 1024),
    5: ((7, 512), (14.71, 14.72, 17.07, 40.41), 1024),
}
DECODERS = {
    2: "128/2,128,128,64/2,64,64,3",
    3: "256/2,256,256,128/2,128,64/2,64,3",
    4: "512/2,512,512,256/2,256,256,128/2,128,64/2,64,3",
    5: "512/2,512,512,512/2,512,512,256/2,256,256,128/2,128,64/2,64,3",
}


def millions(model):
    return round(sum(int(np.prod(v.shape)) for v in model.trainable_variables) / 1e6, 2)


@pytest.mark.parametrize("depth", TABLE)
def test_parameter_counts_and_latent_sizes_of_the_published_networks(depth):
    (side, channels), counts, units = TABLE[depth]
    image, pose = (None, 224, 224, 3), (None, 224, 224, 13)
    with without_values():  # the counts, without the gigabyte
        generator = AnalogyGenerator(depth=depth, image_channels=3)
        build(generator, [image, pose, pose])
        latent = generator.image_encoder(keras.KerasTensor(image)).shape
        discriminator = Discriminator(depth=depth, units=units)
        build(discriminator, [image, pose, (None, units)])
    networks = (generator.image_encoder, generator.pose_encoder, generator.decoder, discriminator)
    assert tuple(millions(network) for network in networks) == counts
    assert latent == (None, side, side, channels)
    hidden = discriminator.hidden
    assert sum(hidden.rows) == side * side * channels
    assert [kernel.shape for kernel in hidden.kernels] == [(rows, units) for rows in hidden.rows]


@pytest.mark.parametrize("depth", DECODERS)
def test_decoder_layers_of_the_published_networks(depth):
    written = ",".join(f"{channels}/2" if stride == 2 else str(channels) for channels, stride in decoder_plan(depth, 3))
    assert written == DECODERS[depth]


def test_shapes_on_a_non_square_gray_image():
    generator = AnalogyGenerator(depth=3, image_channels=1, width=0.125)
    image, pose = tf.zeros([2, 32, 48, 1]), tf.zeros([2, 32, 48, 13])
    assert generator.image_encoder(image).shape == (2, 4, 6, 32)
    assert generator([image, pose, pose]).shape == (2, 32, 48, 1)
    discriminator = Discriminator(depth=3, width=0.125, units=8)
    assert discriminator([image, pose, tf.ones([2, 8])]).shape == (2,)


def test_analogy_of_equal_poses_is_the_autoencoding_of_the_image():
    generator = AnalogyGenerator(depth=2, image_channels=3, width=0.125)
    image, pose = tf.random.normal([1, 16, 16, 3]), tf.random.normal([1, 16, 16, 13])
    np.testing.assert_allclose(generator.latent(image, pose, pose), generator.image_encoder(image), atol=1e-6)
    np.testing.assert_allclose(generator.paint(generator.encode(image, pose), pose), generator([image, pose, pose]), atol=1e-6)


def test_stride_one_deconvolution_is_a_convolution_with_the_flipped_kernel():
    layer, x = deconvolution(5, 1), tf.random.normal([2, 6, 7, 3])
    y = layer(x)
    kernel = tf.transpose(layer.kernel[::-1, ::-1], [0, 1, 3, 2])
    expected = tf.nn.relu(tf.nn.conv2d_transpose(x, kernel, [2, 6, 7, 5], 1, "SAME") + layer.bias)
    np.testing.assert_allclose(y, expected, atol=1e-5)


def test_glorot_limits_and_tanh_at_the_end():
    decoder = Decoder(2, image_channels=3, width=0.25)
    y = decoder(100.0 * tf.random.normal([1, 4, 4, 32]))
    assert float(tf.reduce_max(tf.abs(y))) <= 1.0
    kernel = decoder.deconvolutions[0].kernel.numpy()
    assert abs(kernel).max() <= np.sqrt(6 / (9 * 32 + 9 * 32))
    assert abs(kernel).max() > 0.9 * np.sqrt(6 / (9 * 32 + 9 * 32))


def test_block_dense_equals_dense(monkeypatch):
    """Result, gradients and Glorot's bounds, with the kernel in three blocks."""
    monkeypatch.setattr("analogy.systems.hierarchical.networks.block_dense.BLOCK_WEIGHTS", 20)
    keras.utils.set_random_seed(0)
    x = tf.constant(np.random.default_rng(0).normal(size=(4, 11)), tf.float32)
    layer, dense = BlockDense(5), keras.layers.Dense(5)
    layer(x), dense(x)
    assert layer.rows == [3, 4, 4]
    kernel = np.concatenate([block.numpy() for block in layer.kernels])
    limit = np.sqrt(6 / (11 + 5))
    assert 0.8 * limit < np.abs(kernel).max() <= limit
    dense.kernel.assign(kernel)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        ours, plain = (tf.reduce_sum(tf.sin(part(x))) for part in (layer, dense))
    np.testing.assert_allclose(ours, plain, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(tape.gradient(ours, x), tape.gradient(plain, x), atol=1e-6)
    at_blocks = tf.concat(tape.gradient(ours, [block.value for block in layer.kernels]), 0)
    np.testing.assert_allclose(at_blocks, tape.gradient(plain, dense.kernel.value), atol=1e-6)
    np.testing.assert_allclose(tape.gradient(ours, layer.bias.value), tape.gradient(plain, dense.bias.value), atol=1e-6)
