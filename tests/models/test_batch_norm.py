"""Batch normalisation against its formula, on one replica and on two."""

import numpy as np
import pytest
import tensorflow as tf

from analogy.models.batch_norm import BatchNorm

X = np.random.default_rng(0).normal(2.0, 3.0, (4, 3, 5, 2)).astype(np.float32)
UPSTREAM = np.random.default_rng(1).normal(size=X.shape).astype(np.float32)


def made(x, **kwargs):
    layer = BatchNorm(**kwargs)
    layer.build(x.shape)
    layer.gamma.assign([2.0, 0.5])
    layer.beta.assign([1.0, -1.0])
    return layer


def by_hand(x, mean, variance):
    return (x - mean) / np.sqrt(variance + 1e-5) * [2.0, 0.5] + [1.0, -1.0]


@pytest.mark.parametrize("x", [X, X[:, 0, 0]])
def test_training_uses_the_batch_and_moves_the_running_statistics_as_pytorch_does(x):
    layer, axes = made(x), tuple(range(x.ndim - 1))
    y = layer(x, training=True)
    assert y.shape == x.shape
    np.testing.assert_allclose(y, by_hand(x, x.mean(axes), x.var(axes)), atol=1e-4)
    np.testing.assert_allclose(layer.moving_mean, 0.1 * x.mean(axes), rtol=1e-4)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * x.var(axes, ddof=1), rtol=1e-4)


def test_float64_is_computed_in_float64():
    layer, x, axes = made(X, dtype="float64"), X.astype(np.float64), (0, 1, 2)
    np.testing.assert_allclose(layer(x, training=True), by_hand(x, x.mean(axes), x.var(axes)), atol=1e-12)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * x.var(axes, ddof=1), rtol=1e-12)


def test_prediction_uses_the_running_statistics():
    layer = made(X)
    layer.moving_mean.assign([3.0, 4.0])
    layer.moving_variance.assign([5.0, 6.0])
    np.testing.assert_allclose(layer(X), by_hand(X, np.array([3.0, 4.0]), np.array([5.0, 6.0])), atol=1e-4)
    np.testing.assert_array_equal(layer.moving_mean, [3.0, 4.0])


def test_two_replicas_normalise_as_one(two_replicas):
    def step(layer, x, upstream):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
        return y, *tape.gradient(y, [x, layer.gamma.value, layer.beta.value], upstream)

    alone = made(X)
    expected = step(alone, tf.constant(X), tf.constant(UPSTREAM))
    with two_replicas.scope():
        shared = made(X)

    @tf.function
    def both():
        def part(context):
            first = 2 * context.replica_id_in_sync_group
            return tf.constant(X)[first : first + 2], tf.constant(UPSTREAM)[first : first + 2]

        return two_replicas.run(
            lambda parts: step(shared, *parts), (two_replicas.experimental_distribute_values_from_function(part),)
        )

    got = [two_replicas.experimental_local_results(value) for value in both()]
    for index, value in enumerate(expected):
        joined = np.concatenate(got[index]) if index < 2 else np.sum(got[index], 0)
        np.testing.assert_allclose(joined, value, atol=1e-3)
    for name in ("moving_mean", "moving_variance"):
        copies = two_replicas.experimental_local_results(getattr(shared, name).value)
        np.testing.assert_allclose(copies[0], getattr(alone, name), rtol=1e-4)
        np.testing.assert_array_equal(copies[0], copies[1])
