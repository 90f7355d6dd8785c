"""Every loss of the paper against its formula in the spec's section 4, in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from analogy.systems.hierarchical import losses

LOGITS = np.array([-30.0, -6.0, -2.0, 0.0, 1.0, 4.0, 30.0])


def sigmoid(x):
    return 1 / (1 + np.exp(-x.astype(np.float64)))


def test_guards_equal_the_published_formulas():
    d, x = sigmoid(LOGITS), tf.constant(LOGITS, tf.float32)
    np.testing.assert_allclose(losses.log_true(x), -np.log(d), rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(losses.log_true(x, guard="original"), -np.log(np.maximum(d, 0.01)), rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(losses.log_true(x, guard="combined2"), -np.log(np.maximum(d, 1e-4)), rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(losses.log_false(x, guard="original"), -np.log(1.01 - d), rtol=1e-4, atol=1e-6)
    clipped = -np.log(np.maximum(sigmoid(-LOGITS), 1e-4))
    np.testing.assert_allclose(losses.log_false(x, guard="combined2"), clipped, rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(losses.log_fooled(x, guard="original"), -np.log(d), rtol=1e-5, atol=1e-12)


def test_the_originals_false_term_has_its_published_bounds():
    x = tf.constant([-100.0, 100.0])
    np.testing.assert_allclose(losses.log_false(x, guard="original"), [-np.log(1.01), -np.log(0.01)], rtol=1e-4)


@pytest.mark.parametrize("loss", [losses.log_true, losses.log_false, losses.log_fooled])
@pytest.mark.parametrize("guard", ["logits", "original", "combined2"])
def test_finite_with_finite_gradient_at_extreme_logits(loss, guard):
    x = tf.constant([-1e4, -88.0, 0.0, 88.0, 1e4])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = loss(x, guard=guard)
    assert np.isfinite(y).all() and np.isfinite(tape.gradient(y, x)).all()


@pytest.mark.parametrize(("guard", "bound"), [("original", 0.01), ("combined2", 1e-4)])
def test_no_gradient_below_the_bound(guard, bound):
    x = tf.constant([np.log(bound / (1 - bound)) - 0.1, np.log(bound / (1 - bound)) + 0.1], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = losses.log_true(x, guard=guard)
    below, above = tape.gradient(y, x).numpy()
    assert below == 0 and above < 0


def test_latent_error_absolute_and_relative():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3, 2, 2, 5)).astype(np.float32)
    plain = ((a - b) ** 2).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(losses.latent_error(a, b), plain, rtol=1e-5)
    np.testing.assert_allclose(losses.latent_error(a, b, relative=True), plain / (a**2).mean(), rtol=1e-5)


def test_log_error_falls_by_one_where_the_psnr_rises_by_ten():
    truth = np.zeros((2, 4, 4, 3), np.float32)
    far, near = truth + 0.5, truth + 0.5 / np.sqrt(10).astype(np.float32)
    np.testing.assert_allclose(losses.log_error(truth, far) - losses.log_error(truth, near), 1, atol=1e-2)
    assert np.isfinite(losses.log_error(truth, truth)).all()
