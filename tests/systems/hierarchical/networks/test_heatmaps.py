"""Heatmaps against the original's formula, written again in NumPy pixel by pixel."""

import numpy as np
import tensorflow as tf

from analogy.systems.hierarchical.networks.heatmaps import joint_heatmaps, pose_maps


def original(joint, sigma, height, width):
    """The uint8 map of one joint: support about the rounded centre, exponent about the unrounded one, truncation."""
    (x, y), (sx, sy) = joint, sigma
    map_ = np.zeros((height, width), np.uint8)
    rx, ry = int(3 * sx) + 1, int(3 * sy) + 1
    for py in range(max(round(y) - ry, 0), min(round(y) + ry + 1, height)):
        for px in range(max(round(x) - rx, 0), min(round(x) + rx + 1, width)):
            map_[py, px] = int(255 * np.exp(-((px - x) ** 2 / (2 * sx**2) + (py - y) ** 2 / (2 * sy**2))))
    return map_


def test_equals_the_originals_formula_within_its_truncation():
    rng = np.random.default_rng(0)
    height, width = 40, 56
    joints = rng.uniform(-8, 60, (3, 13, 2)).astype(np.float32)
    visibility = rng.integers(0, 2, (3, 13)).astype(np.float32)
    sigma = rng.uniform(1.5, 7, (3, 2)).astype(np.float32)
    ours = 255 * joint_heatmaps(joints, visibility, sigma, (height, width)).numpy()
    assert ours.shape == (3, height, width, 13)
    for b in range(3):
        for j in range(13):
            theirs = original(joints[b, j], sigma[b], height, width) * visibility[b, j]
            difference = ours[b, :, :, j] - theirs
            assert difference.min() >= -1e-3 and difference.max() < 1.0 + 1e-3
    assert ours.max() > 200  # the comparison is not of empty maps


def test_hidden_joint_is_background_and_background_is_minus_one():
    joints = np.full((1, 13, 2), 16.0, np.float32)
    visibility = np.ones((1, 13), np.float32)
    visibility[0, 3] = 0
    maps = pose_maps(joints, visibility, np.full((1, 2), 2.0, np.float32), (32, 32)).numpy()
    assert (maps[..., 3] == -1).all()
    assert maps[0, 16, 16, 0] == 1
    assert maps[0, 0, 0, 0] == -1


def test_far_and_huge_coordinates_give_an_empty_finite_map():
    joints = np.full((1, 13, 2), 1e6, np.float32)
    maps = joint_heatmaps(joints, np.ones((1, 13)), np.full((1, 2), 2.0, np.float32), (16, 16)).numpy()
    assert (maps == 0).all()


def test_gradient_reaches_the_joints():
    joints = tf.fill([1, 13, 2], 15.3)
    with tf.GradientTape() as tape:
        tape.watch(joints)
        value = joint_heatmaps(joints, tf.ones([1, 13]), tf.fill([1, 2], 3.0), (32, 32))[0, 12, 12, 0]
    gradient = tape.gradient(value, joints).numpy()
    assert gradient[0, 0].all() and not gradient[0, 1:].any()
