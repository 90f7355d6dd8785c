"""The shared losses against their formulas, in NumPy."""

import cv2
import numpy as np
import tensorflow as tf

from analogy import losses


def test_squared_error_per_example_and_its_two_domains():
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, (2, 3, 4, 4, 3)).astype(np.float32)
    unit = ((a - b) ** 2).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(losses.squared_error(a, b), unit, rtol=1e-5)
    as_bytes = (((a + 1) * 127.5 - (b + 1) * 127.5) ** 2).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(losses.squared_error(a, b, domain="byte"), as_bytes, rtol=1e-4)
    np.testing.assert_allclose(as_bytes / unit, 16256.25, rtol=1e-4)


def test_dissimilarity_is_one_minus_the_ssim_that_is_reported():
    rng = np.random.default_rng(0)
    truth = rng.uniform(-1, 1, (2, 24, 32, 3)).astype(np.float32)
    generated = np.clip(truth + rng.normal(0, 0.3, truth.shape), -1, 1).astype(np.float32)
    expected = 1 - tf.image.ssim((truth + 1) / 2, (generated + 1) / 2, 1.0)
    np.testing.assert_allclose(losses.dissimilarity(truth, generated), expected, atol=1e-5)
    np.testing.assert_allclose(losses.dissimilarity(truth, truth), 0, atol=1e-5)


def test_with_zero_padding_every_pixel_is_measured():
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 1, (2, 1, 16, 12, 1)).astype(np.float32)

    def window(image):
        return cv2.GaussianBlur(image[0, ..., 0], (11, 11), 1.5, borderType=cv2.BORDER_CONSTANT)

    mean_x, mean_y = window(x), window(y)
    variance_x, variance_y = window(x * x) - mean_x**2, window(y * y) - mean_y**2
    covariance = window(x * y) - mean_x * mean_y
    ssim = (2 * mean_x * mean_y + 1e-4) * (2 * covariance + 9e-4)
    ssim /= (mean_x**2 + mean_y**2 + 1e-4) * (variance_x + variance_y + 9e-4)
    np.testing.assert_allclose(losses.dssim(x, y, zero_padding=True), [1 - ssim.mean()], atol=1e-5)
