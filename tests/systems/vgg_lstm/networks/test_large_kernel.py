"""The transposed convolution in the frequency domain against Keras' own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from analogy.systems.vgg_lstm.networks.large_kernel import LargeConvTranspose
from tests.layers import random, result_and_gradients, with_equal_weights

SHAPES = [
    ((2, 6, 5, 3), 11, 2),
    ((1, 5, 6, 1), (4, 7), 3),
    ((3, 1, 8, 2), 1, 1),
    ((2, 20, 21, 2), 4, 3),
]  # maps, kernel, filters


def both(shape, kernel_size, filters, **options):
    """Our layer and Keras', with the same weights."""
    pair = [kind(filters, kernel_size, **options) for kind in (LargeConvTranspose, keras.layers.Conv2DTranspose)]
    with_equal_weights(*pair, shape)
    return pair


def assert_equal(ours, expected, tolerance=1e-4):
    """Equal to a part of the largest value."""
    for x, y in zip(ours, expected, strict=True):
        np.testing.assert_allclose(x, y, atol=tolerance * np.abs(y).max(), rtol=0)


@pytest.mark.parametrize("shape, kernel_size, filters", SHAPES)
def test_it_equals_keras_with_both_gradients(shape, kernel_size, filters):
    maps = random(*shape)
    ours, expected = (result_and_gradients(layer, maps) for layer in both(shape, kernel_size, filters))
    assert len(ours) == 4
    assert_equal(ours, expected, 1e-5)


def test_the_published_size():
    ours, expected = both((None, 35, 35, 16), 190, 3)
    assert ours.count_params() == 1_732_803
    maps = random(1, 35, 35, 16)
    result = ours(maps)
    assert tuple(result.shape) == tuple(ours.compute_output_shape(maps.shape)) == (1, 224, 224, 3)
    assert_equal([result], [expected(maps)])


def test_same_variables_in_the_same_order():
    ours, expected = both((None, 6, 5, 3), 11, 2)
    assert [(w.name, w.shape) for w in ours.weights] == [(w.name, w.shape) for w in expected.weights]
    unbiased = LargeConvTranspose(2, 11, use_bias=False)
    unbiased.build((None, 6, 5, 3))
    assert [weight.name for weight in unbiased.weights] == ["kernel"]


def test_bfloat16_is_rounded_only_at_its_ends():
    maps = tf.cast(random(2, 6, 5, 3), tf.bfloat16)
    ours, expected = both((None, 6, 5, 3), 11, 2)
    mixed = LargeConvTranspose(2, 11, dtype="mixed_bfloat16")
    mixed.build((None, 6, 5, 3))
    rounded = [tf.cast(tf.cast(weight, tf.bfloat16), tf.float32) for weight in ours.get_weights()]
    mixed.set_weights(ours.get_weights())
    expected.set_weights(rounded)
    result = mixed(maps)
    assert result.dtype == tf.bfloat16 and mixed.kernel.dtype == "float32"
    assert_equal([tf.cast(result, tf.float32)], [expected(tf.cast(maps, tf.float32))], 2**-8)


def test_a_saved_model_takes_any_batch(tmp_path):
    layer, _ = both((None, 6, 5, 3), 11, 2)
    module = tf.Module()
    module.layer = layer
    serve = tf.function(lambda maps: layer(maps), input_signature=[tf.TensorSpec([None, 6, 5, 3])])
    tf.saved_model.save(module, str(tmp_path), signatures=serve)
    loaded = tf.saved_model.load(str(tmp_path))
    for batch in (1, 3):
        maps = random(batch, 6, 5, 3)
        (result,) = loaded.signatures["serving_default"](maps).values()
        np.testing.assert_allclose(result, layer(maps), atol=1e-5)


def test_two_replicas_get_the_gradients_of_keras(two_replicas):
    maps = random(2, 6, 5, 3)
    with two_replicas.scope():
        layer, _ = both((None, 6, 5, 3), 11, 2)
    _, expected = both((None, 6, 5, 3), 11, 2)

    def gradients(layer, maps):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(maps) ** 2)
        return tape.gradient(loss, layer.trainable_variables)

    @tf.function
    def of_both():
        def step(part):
            return tf.distribute.get_replica_context().all_reduce("sum", gradients(layer, part))

        part = two_replicas.experimental_distribute_values_from_function(
            lambda context: maps[context.replica_id_in_sync_group :][:1]
        )
        return two_replicas.run(step, (part,))

    summed = [two_replicas.experimental_local_results(gradient)[1] for gradient in of_both()]
    assert_equal(summed, gradients(expected, maps), 1e-5)


def test_what_it_cannot_do_is_refused():
    with pytest.raises(ValueError, match="stride 1"):
        LargeConvTranspose(2, 11, strides=2)
    with pytest.raises(ValueError, match="known height and width"):
        LargeConvTranspose(2, 11).build((None, None, 5, 3))
