"""Optimisers and schedules against a few steps by hand, on one replica and on two."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError

from analogy.optimizers import (
    FusedAdam,
    LossScaling,
    average_weights,
    clip_global_norm,
    held_variables,
    keeps_averages,
    make_optimizer,
    make_schedule,
)
from analogy.settings.sections import OptimizerSettings

PLAIN = {"name": "adam", "learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3, "decay": 1.0, "decay_steps": 2}
START = np.array([1.0, -2.0, 0.5])
GRADIENTS = [np.array(g) for g in ([0.3, -1.0, 2.0], [-0.6, 0.2, 1.0], [0.1, 0.1, -3.0])]


def section(**keys) -> OptimizerSettings:
    return OptimizerSettings.model_validate(PLAIN | keys)


def adam(w, rates, weight_decay=0.0, b1=0.8, b2=0.9, epsilon=1e-3):
    """Kingma and Ba, with the epsilon of TensorFlow; the decay is decoupled (Loshchilov and Hutter)."""
    m = v = np.zeros(3)
    for t, (rate, g) in enumerate(zip(rates, GRADIENTS, strict=True), start=1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        w = w - rate * weight_decay * w - rate * np.sqrt(1 - b2**t) / (1 - b1**t) * m / (np.sqrt(v) + epsilon)
    return w


def sgd(w, rates, momentum=0.0):
    velocity = np.zeros(3)
    for rate, g in zip(rates, GRADIENTS, strict=True):
        velocity = momentum * velocity - rate * g
        w = w + velocity
    return w


def rmsprop(w, rates, momentum=0.0, rho=0.9, epsilon=1e-3):
    """TensorFlow 1's: the mean square starts at 1, and epsilon is under the root."""
    square, velocity = np.ones(3), np.zeros(3)
    for rate, g in zip(rates, GRADIENTS, strict=True):
        square = rho * square + (1 - rho) * g**2
        velocity = momentum * velocity + rate * g / np.sqrt(square + epsilon)
        w = w - velocity
    return w


def adagrad(w, rates, epsilon=1e-3):
    """Duchi et al., with the sum of squares from 0 and epsilon under the root."""
    total = np.zeros(3)
    for rate, g in zip(rates, GRADIENTS, strict=True):
        total = total + g**2
        w = w - rate * g / np.sqrt(total + epsilon)
    return w


RATES = [0.1, 0.1, 0.1]
CASES = [
    ({}, adam(START, RATES)),
    ({"decay": 0.5}, adam(START, [0.1, 0.1, 0.05])),
    ({"name": "adamw", "weight_decay": 0.2}, adam(START, RATES, 0.2)),
    ({"name": "adamw", "weight_decay": 0.2, "decay": 0.5, "decay_steps": 1}, adam(START, [0.1, 0.05, 0.025], 0.2)),
    ({"name": "sgd"}, sgd(START, RATES)),
    ({"name": "sgd", "momentum": 0.9, "warmup_steps": 2}, sgd(START, [0.05, 0.1, 0.1], 0.9)),
    ({"name": "rmsprop"}, rmsprop(START, RATES)),
    ({"name": "rmsprop", "momentum": 0.5}, rmsprop(START, RATES, 0.5)),
    ({"name": "adagrad"}, adagrad(START, RATES)),
]


@pytest.mark.parametrize("loss_scaling", [False, True])
@pytest.mark.parametrize(("keys", "expected"), CASES)
def test_three_steps_by_hand(two_replicas, keys, expected, loss_scaling):
    def build():
        variable = keras.Variable(START, dtype="float32")
        return variable, make_optimizer(section(**keys), [variable], steps=10, loss_scaling=loss_scaling)

    alone, optimizer = build()
    with two_replicas.scope():
        shared, distributed = build()
    scale = 2.0**15 if loss_scaling else 1.0  # what loss scaling starts from
    apply = tf.function(lambda g: optimizer.apply([g], [alone]))
    apply_on_two = tf.function(lambda g: two_replicas.run(lambda g: distributed.apply([g], [shared]), (g,)))
    for gradient in GRADIENTS:
        apply(tf.constant(scale * gradient, tf.float32))
        # The replicas' shares are unequal, and sum up to the gradient.
        shares = [tf.constant(scale * share * gradient, tf.float32) for share in (0.25, 0.75)]
        apply_on_two(
            two_replicas.experimental_distribute_values_from_function(lambda c, s=shares: s[c.replica_id_in_sync_group])
        )
    np.testing.assert_allclose(alone.numpy(), expected, rtol=2e-6, atol=1e-6)
    for copy in two_replicas.experimental_local_results(shared.value):
        np.testing.assert_allclose(copy.numpy(), expected, rtol=2e-6, atol=1e-6)
    assert held_variables(optimizer) == [alone]


def cosine(progress):
    return 0.1 * 0.5 * (1 + np.cos(np.pi * progress))


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, [0.1] * 6),
        ({"decay": 0.5}, [0.1, 0.1, 0.05, 0.05, 0.025, 0.025]),
        ({"decay": 0.25, "staircase": False}, [0.1, 0.05, 0.025, 0.0125, 0.00625, 0.003125]),
        ({"schedule": "cosine"}, [cosine(t / 6) for t in range(6)]),
        ({"warmup_steps": 3}, [0.1 / 3, 0.2 / 3, 0.1, 0.1, 0.1, 0.1]),
        ({"warmup_steps": 50}, [0.1 / 3, 0.2 / 3, 0.1, 0.1, 0.1, 0.1]),  # a short trial: half of it
        ({"warmup_steps": 50, "schedule": "cosine"}, [0.1 / 3, 0.2 / 3, 0.1, *(cosine(t / 3) for t in range(3))]),
        ({"warmup_steps": 2, "decay": 0.5}, [0.05, 0.1, 0.1, 0.1, 0.05, 0.05]),
        ({"warmup_steps": 2, "decay": 0.25, "staircase": False}, [0.05, 0.1, 0.1, 0.05, 0.025, 0.0125]),
        ({"warmup_steps": 2, "schedule": "cosine"}, [0.05, 0.1, *(cosine(t / 4) for t in range(4))]),
    ],
)
def test_schedules_by_hand(keys, expected):
    schedule = make_schedule(section(**keys), 6)
    rates = [float(schedule(tf.constant(step, tf.int64))) if callable(schedule) else schedule for step in range(6)]
    np.testing.assert_allclose(rates, expected, rtol=1e-6)
    if keys.get("schedule") == "cosine":
        assert float(schedule(6)) == pytest.approx(0, abs=1e-9)


def test_a_warm_up_that_is_too_long_for_the_training_is_said(caplog):
    caplog.set_level("INFO", "analogy")
    make_schedule(section(warmup_steps=3), 6)
    assert not caplog.text
    make_schedule(section(warmup_steps=50), 6)
    assert "the learning rate rises over 3 steps, half of the training, not 50" in caplog.text


def test_averaged_weights_by_hand():
    variable = keras.Variable(START, dtype="float32")
    optimizer = make_optimizer(section(name="sgd", average=0.9), [variable], steps=10)
    average_weights(optimizer)  # there are none yet
    np.testing.assert_array_equal(variable.numpy(), START)
    assert not keeps_averages(optimizer)
    expected = None
    for gradient in GRADIENTS:
        optimizer.apply([tf.constant(gradient, tf.float32)], [variable])
        now = variable.numpy()
        expected = now if expected is None else 0.9 * expected + 0.1 * now  # the first weights are the first average
    average_weights(optimizer)
    np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("norm", [0.5, 100.0])
def test_the_sum_of_all_replicas_is_clipped(two_replicas, norm):
    """(3, 0) and (0, 4) have the global norm 5 together, each of them a smaller one."""
    shares = [[tf.constant([3.0]), tf.constant([0.0])], [tf.constant([0.0]), tf.constant([4.0])]]
    parts = [
        two_replicas.experimental_distribute_values_from_function(lambda c, k=k: shares[c.replica_id_in_sync_group][k])
        for k in range(2)
    ]
    clip = tf.function(lambda a, b: two_replicas.run(lambda a, b: clip_global_norm([a, b], norm), (a, b)))
    summed = [float(two_replicas.reduce("SUM", part, axis=None)[0]) for part in clip(*parts)]
    scale = min(1.0, norm / 5.0)
    np.testing.assert_allclose(summed, [3.0 * scale, 4.0 * scale], rtol=1e-6)
    alone = clip_global_norm([tf.constant([3.0]), tf.constant([4.0])], norm)
    np.testing.assert_allclose(np.ravel(alone), summed, rtol=1e-6)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"schedule": "cosine", "decay": 0.5}, "leave decay at 1.0"),
        ({"staircase": False}, "needs schedule: exponential with a decay below 1"),
        ({"staircase": False, "schedule": "cosine"}, "needs schedule: exponential"),
        ({"momentum": 0.9}, "momentum is for sgd and rmsprop, not for adam"),
        ({"name": "adamw"}, "adamw needs a weight_decay"),
        ({"weight_decay": 0.1}, "weight_decay is for adamw, not for adam"),
        ({"name": "adadelta"}, "'adam', 'adamw', 'sgd', 'rmsprop' or 'adagrad'"),
        ({"average": 1.0}, "less than 1"),
    ],
)
def test_what_cannot_be_is_refused(keys, said):
    with pytest.raises(ValidationError, match=said):
        section(**keys)


@pytest.mark.parametrize("overflowing", [0, 1])
def test_an_overflow_on_any_replica_skips_the_update_on_all(two_replicas, overflowing):
    with two_replicas.scope():
        variable = keras.Variable([1.0, 2.0])
        optimizer = LossScaling(keras.optimizers.SGD(0.5), initial_scale=8.0)
        optimizer.build([variable])

    def gradient(context):
        bad = context.replica_id_in_sync_group == overflowing
        return tf.constant([np.inf if bad else 8.0, 8.0])

    overflow = two_replicas.experimental_distribute_values_from_function(gradient)
    fine = two_replicas.experimental_distribute_values_from_function(lambda _: tf.constant([4.0, 4.0]))
    apply = tf.function(lambda g: two_replicas.run(lambda g: optimizer.apply([g], [variable]), (g,)))
    apply(overflow)
    np.testing.assert_array_equal(variable.numpy(), [1.0, 2.0])
    assert float(optimizer.dynamic_scale.numpy()) == 4.0
    apply(fine)  # the sum of two replicas' gradients of 1, times 0.5
    np.testing.assert_allclose(variable.numpy(), [0.0, 1.0])


def test_fused_adam_equals_keras_adam():
    start, gradients = np.random.default_rng(0).normal(size=5).astype(np.float32), np.arange(5.0) - 2
    pair = []
    for kind in (FusedAdam, keras.optimizers.Adam):
        variable, optimizer = keras.Variable(start), kind(0.1, epsilon=1e-8)
        optimizer.build([variable])
        for scale in (1.0, -0.3, 2.0):
            optimizer.apply([tf.constant(scale * gradients, tf.float32)], [variable])
        pair.append(variable.numpy())
    np.testing.assert_allclose(pair[0], pair[1], atol=5e-6)
