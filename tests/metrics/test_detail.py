"""Blur and checkerboards: known answers."""

import cv2
import numpy as np
import pytest

from analogy.metrics.detail import (
    checkerboard,
    checkerboard_ratio,
    gradient_energy,
    gradient_energy_ratio,
    sharpness,
    sharpness_ratio,
)


def as_bytes(frames):
    return np.clip(np.rint(frames), 0, 255).astype(np.uint8)


def blur(frames, sigma):
    return np.stack([cv2.GaussianBlur(frame, (0, 0), sigma)[..., None] for frame in frames])


@pytest.fixture
def natural():
    """Two grey pictures, uint8 [2, 64, 48, 1], whose energy falls with the frequency as in photographs."""
    noise = np.random.default_rng(0).normal(0, 1, [2, 64, 48, 1])
    return as_bytes(128 + 6 * noise + 12 * sum(sigma**2 * blur(noise, sigma) for sigma in (1, 3, 9)))


def test_sharpness_of_a_known_pattern():
    y, x = np.mgrid[:16, :16]
    ramp, checker = 4 * x, 100 + 10 * ((x + y) % 2)
    frames = np.stack([ramp, checker, np.full_like(ramp, 7)]).astype(np.uint8)[..., None]
    # A ramp bends only where the border is mirrored: 8 in two columns of 16. A checker differs from its 4 neighbours by 10.
    np.testing.assert_allclose(sharpness(frames), [8 * 2 / 16, 40.0, 0.0])
    np.testing.assert_allclose(sharpness(np.repeat(frames, 3, axis=3)), sharpness(frames))


def test_the_sharpness_ratio_is_one_for_the_truth_and_falls_with_blur(natural):
    np.testing.assert_allclose(sharpness_ratio(natural, natural), 1.0)
    assert (sharpness_ratio(natural, blur(natural, 2)) < 0.6).all()
    flat = np.zeros_like(natural)
    assert np.isnan(sharpness_ratio(flat, natural)).all() and not sharpness_ratio(natural, flat).any()


def test_gradient_energy_of_a_known_pattern_and_its_ratio(natural):
    y, x = np.mgrid[:16, :16]
    frames = np.stack([4 * x + 3 * y, np.full_like(x, 7)]).astype(np.uint8)[..., None]
    np.testing.assert_allclose(gradient_energy(frames), [16 + 9, 0])
    np.testing.assert_allclose(gradient_energy_ratio(natural, natural // 2 * 2), 1.0, atol=0.02)
    assert (gradient_energy_ratio(natural, blur(natural, 2)) < 0.5).all()


@pytest.mark.parametrize("pattern", [(1, 0), (0, 1), (1, 1)])
def test_a_pattern_of_period_two_is_nearly_all_checkerboard(pattern):
    y, x = np.mgrid[:32, :40]
    for size in [(32, 40), (31, 39)]:  # with and without a coefficient at exactly one half
        frame = as_bytes(128 + 50 * (-1.0) ** (pattern[0] * y + pattern[1] * x))[: size[0], : size[1], None]
        assert checkerboard(frame[None])[0] > 0.95


def test_a_slow_wave_has_no_checkerboard_and_white_noise_as_much_as_the_discs_are_wide():
    x = np.arange(64)
    wave = as_bytes(128 + 100 * np.sin(2 * np.pi * x / 16)) * np.ones([64, 1], np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, [30, 64, 64, 3], dtype=np.uint8)
    assert checkerboard(wave[None, ..., None])[0] < 1e-4
    assert checkerboard(noise).mean() == pytest.approx(3 * np.pi / 16**2, rel=0.15)
    assert np.isnan(checkerboard(np.full([1, 16, 16, 3], 9, np.uint8)))[0]


def test_a_stride_two_checker_scores_far_higher_than_blur_or_noise_of_the_same_energy(natural):
    rng = np.random.default_rng(1)
    height, width = natural.shape[1:3]
    y, x = np.mgrid[:height, :width]
    # A transposed convolution with kernel 3 and stride 2 multiplies the picture: pixels are hit once, twice or 4 times.
    pattern = np.where(y % 2, 1.0, 0.9) * np.where(x % 2, 1.0, 0.9)
    checkered = as_bytes(natural * (pattern / pattern.mean())[..., None])
    energy = np.square(checkered.astype(float) - natural).mean()
    noisy = as_bytes(natural + rng.normal(0, np.sqrt(energy), natural.shape))
    sigma = next(s for s in np.arange(0.5, 20, 0.25) if np.square(blur(natural, s).astype(float) - natural).mean() > energy)
    blurred = blur(natural, sigma)
    of_checker, of_noise, of_blur = (checkerboard_ratio(natural, x).mean() for x in (checkered, noisy, blurred))
    assert of_checker > 10 * of_noise > 10 * of_blur
    np.testing.assert_allclose(checkerboard_ratio(natural, natural), 1.0)


def test_the_checkerboard_does_not_depend_on_contrast(natural):
    pale = as_bytes(64 + natural / 2.0)
    assert checkerboard_ratio(natural, pale) == pytest.approx([1, 1], rel=0.3)  # but for rounding to whole levels
