"""Filters equal Pillow's, rotations and warps take keypoints along, and both frames of a pair change alike."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance

from analogy.systems.keypoints import warps
from analogy.systems.keypoints.augmentation import FACTORS, KERNELS, augment_pair, filtered, rotated

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (17, 23, 3), dtype=np.uint8)


def unit(frames):
    return tf.constant(frames.astype(np.float32) / 127.5 - 1.0)


def test_filters_are_those_of_pillow():
    image = Image.fromarray(BYTES)
    expected = [image.filter(kernel) for kernel in KERNELS]
    enhancers = ImageEnhance.Sharpness, ImageEnhance.Brightness, ImageEnhance.Color, ImageEnhance.Contrast
    factors = [round(low + 0.4 * (high - low), 1) for low, high in FACTORS.values()]
    assert factors == [2.0, 1.2, 2.0, 1.6]
    expected += [enhancer(image).enhance(factor) for enhancer, factor in zip(enhancers, factors, strict=True)]
    for which, picture in enumerate(expected):
        ours = (filtered(unit(BYTES), tf.constant(which), tf.constant(0.4)).numpy() + 1) * 127.5
        # Pillow rounds between its steps, which factors of 2 enlarge.
        assert np.quantile(np.abs(ours - np.asarray(picture, np.float32)), 0.98) <= 3, which


def test_a_quarter_turn():
    square = unit(BYTES[None, :17, :17])
    turned = rotated(square, tf.constant([np.pi / 2]))
    np.testing.assert_allclose(turned[0], np.rot90(square[0]), atol=1e-4)


def test_both_frames_change_alike():
    frames = unit(np.stack([BYTES] * 6))
    draws = tf.constant(RNG.uniform(size=(6, 3)).astype(np.float32))
    one, other = augment_pair(frames, frames, draws, rotation=10.0, filters=True)
    np.testing.assert_array_equal(one, other)
    assert len({np.round(image, 3).tobytes() for image in one.numpy()}) == 6  # and every pair in its own way


@pytest.mark.parametrize("changes", [{}, {"rotation": 25.0}, {"zoom": 0.2, "stretch": 0.2}, {"shift": 0.2, "rotation": 10.0}])
def test_keypoints_stay_on_their_pixels(changes):
    how = {"rotation": 0.0, "zoom": 0.0, "stretch": 0.0, "shift": 0.0, **changes}
    x, y = np.meshgrid(np.linspace(-1, 1, 49), np.linspace(-1, 1, 33))
    place = np.array([0.2, -0.1], np.float32)
    image = np.exp(-(((x - place[0]) ** 2 + (y - place[1]) ** 2) / 0.02))[None, ..., None].astype(np.float32)
    warp = warps.random_warps(tf.constant(RNG.uniform(size=(1, warps.DRAWS)).astype(np.float32)), **how)
    moved = warps.warped(tf.constant(image), warp).numpy()[0, ..., 0]
    found = np.array([(moved * axis).sum() for axis in (x, y)]) / moved.sum()
    before = warps.places_before(tf.constant(found.astype(np.float32)[None, None]), warp).numpy()[0, 0]
    np.testing.assert_allclose(before, place, atol=0.01)
    assert np.allclose(found, place, atol=0.01) == (not changes)
