"""Metrics against known answers."""

import numpy as np
import pytest
import tensorflow as tf

from analogy.metrics.image import mae, mae_sum, mse, mse_sum, psnr, ssim


def test_psnr_of_a_known_error():
    truth = np.full((2, 16, 16, 3), 100, np.uint8)
    prediction = truth.copy()
    prediction[1] += 10
    np.testing.assert_allclose(psnr(truth, prediction), [100.0, 10 * np.log10(255**2 / 100)])


def test_psnr_does_not_wrap_around_in_uint8():
    black, white = np.zeros((1, 12, 12, 1), np.uint8), np.full((1, 12, 12, 1), 255, np.uint8)
    np.testing.assert_allclose(psnr(black, white), [0.0], atol=1e-9)


def gaussian_ssim(a, b):
    """SSIM of two gray images in float64, written from the definition."""
    t = np.arange(11) - 5
    g = np.exp(-(t**2) / (2 * 1.5**2))
    kernel = np.outer(g, g) / g.sum() ** 2

    def blur(x):
        windows = np.lib.stride_tricks.sliding_window_view(x, (11, 11))
        return (windows * kernel).sum(axis=(2, 3))

    a, b = a.astype(float), b.astype(float)
    ma, mb = blur(a), blur(b)
    va, vb, vab = blur(a * a) - ma**2, blur(b * b) - mb**2, blur(a * b) - ma * mb
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return (((2 * ma * mb + c1) * (2 * vab + c2)) / ((ma**2 + mb**2 + c1) * (va + vb + c2))).mean()


def test_ssim_equals_its_definition_and_is_one_for_equal_images():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 256, (2, 20, 24, 1), dtype=np.uint8)
    b = np.clip(a + rng.normal(0, 20, a.shape), 0, 255).astype(np.uint8)
    np.testing.assert_allclose(ssim(a, b), [gaussian_ssim(a[i, ..., 0], b[i, ..., 0]) for i in range(2)], atol=1e-4)
    np.testing.assert_allclose(ssim(a, a), 1.0, atol=1e-6)


def test_ssim_of_a_long_clip_equals_that_of_its_frames():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 256, (2, 70, 12, 12, 3), dtype=np.uint8)
    np.testing.assert_allclose(ssim(a, b)[40], tf.image.ssim(a[40], b[40], 255), atol=1e-6)


def test_shapes_types_and_sizes_are_checked():
    a = np.zeros((1, 16, 16, 3), np.uint8)
    with pytest.raises(ValueError, match="one shape"):
        psnr(a, a[:, :8])
    with pytest.raises(ValueError, match="uint8"):
        psnr(a, a.astype(np.float32))
    with pytest.raises(ValueError, match="at least 11"):
        ssim(a[:, :8, :8], a[:, :8, :8])


def test_errors_by_hand():
    truth = np.zeros((2, 2, 2, 1), np.uint8)
    prediction = truth.copy()
    prediction[0, 0, 0], prediction[0, 1, 1] = 255, 51
    np.testing.assert_allclose(mse(truth, prediction), [(1 + 0.04) / 4, 0])
    np.testing.assert_allclose(mae(truth, prediction), [(1 + 0.2) / 4, 0])
    np.testing.assert_allclose(mse_sum(truth, prediction), [1.04, 0])
    np.testing.assert_allclose(mae_sum(truth, prediction), [1.2, 0])
    mask = np.zeros((2, 2, 2), bool)
    mask[0, 1] = True
    np.testing.assert_allclose(mse(truth, prediction, mask), [0.02, np.nan])
    np.testing.assert_allclose(psnr(truth, prediction, mask), [-10 * np.log10(0.02), np.nan])


def test_masked_ssim_is_that_of_the_masked_part():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 256, (1, 40, 60, 3), dtype=np.uint8)
    prediction = truth.copy()
    prediction[:, :, 30:] = rng.integers(0, 256, (1, 40, 30, 3))
    left = np.zeros((1, 40, 60), bool)
    left[:, :, :25] = True  # windows reach five pixels further
    right = ~left & (np.arange(60) >= 35)
    assert ssim(truth, prediction, left)[0] == pytest.approx(1)
    assert ssim(truth, prediction, right)[0] == pytest.approx(ssim(truth[:, :, 30:], prediction[:, :, 30:])[0], abs=1e-6)
    np.testing.assert_allclose(ssim(truth, prediction, np.ones_like(left)), ssim(truth, prediction), rtol=1e-6)
