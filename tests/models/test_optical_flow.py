"""The optical flow in TensorFlow against known motions."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from analogy.models.mixing import blur
from analogy.models.optical_flow import optical_flows


def texture(channels=3):
    noise = np.random.default_rng(0).integers(0, 256, (1, 96, 96 * channels)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise.reshape(96, 96, channels), (0, 0), 2).reshape(96, 96, channels)
    return cv2.normalize(smooth, None, 0, 1, cv2.NORM_MINMAX).reshape(96, 96, channels)


@pytest.mark.parametrize(("right", "down"), [(3, -2), (-6, 1), (0, 0)])
def test_a_shift_is_found(right, down):
    image = texture()
    before = image[None, 16:64, 16:80]
    frame = image[None, 16 - down : 64 - down, 16 - right : 80 - right]  # what it shows moved by (right, down)
    flow = optical_flows(tf.constant(frame), tf.constant(before))
    assert len(flow) == 3 and flow[2].shape == flow[0].shape  # 48, 24 and 12 rows
    for level in flow[:2]:
        np.testing.assert_allclose(np.median(level.numpy()[0, 8:-8, 8:-8], (0, 1)), [-right, -down], atol=0.2)


def test_gray_frames_have_flow_and_flat_ones_have_none():
    image = texture(1)[None]
    assert np.abs(optical_flows(tf.constant(image[:, :32, 1:33]), tf.constant(image[:, :32, :32]))[0]).mean() > 0.5
    flat = tf.fill([1, 16, 24, 3], 0.5)
    np.testing.assert_allclose(optical_flows(flat, flat)[0], np.zeros((1, 16, 24, 2)))


def test_gaussian_keeps_constants_and_spreads_a_point():
    np.testing.assert_allclose(blur(tf.fill([1, 9, 7, 2], 3.0), 2.0), np.full((1, 9, 7, 2), 3.0), rtol=1e-6)
    point = np.zeros((1, 21, 21, 1), np.float32)
    point[0, 10, 10] = 1
    expected = cv2.GaussianBlur(point[0, ..., 0], (21, 21), 1.5)
    np.testing.assert_allclose(blur(tf.constant(point), 1.5)[0, ..., 0], expected, atol=1e-6)
