"""Measures of poses, worked out by hand."""

import numpy as np
import pytest

from analogy.metrics.pose import measure_poses

BOX = np.array([10, 20, 60, 120], np.float32)  # 50 x 100


def measure(error, survives, valid=((1, 1),)):
    """The figures of predictions whose joints are wrong by `error` [.., 13, 2], in pixels."""
    truth = np.random.default_rng(0).uniform(0, 100, (1, 2, 13, 2))
    return measure_poses(truth, truth + error, np.array(survives, np.float32), BOX, np.array(valid))


def test_by_hand():
    error = np.zeros([1, 2, 13, 2])
    error[0, 0, 0] = (3, 4)  # distance 5 = 0.05 of the longer side
    error[0, 1, 1] = (0, 10.5)
    error[0, 1, 2] = np.nan  # hidden at some time: may lie anywhere
    measured = measure(error, [1, 1, 0] + [0] * 10)
    np.testing.assert_allclose(measured["pose_mse"], [[(0.06**2 + 0.04**2) / 26, 0.105**2 / 26]])
    np.testing.assert_allclose(measured["joint_error"], [[2.5, 5.25]])
    np.testing.assert_allclose(measured["pck_05"], [[1.0, 0.5]])
    np.testing.assert_allclose(measured["pck_10"], [[1.0, 0.5]])
    assert measured["pose_mse_start0"].shape == (1, 2)


def test_frames_past_the_end_and_clips_without_a_lasting_joint_are_undefined():
    measured = measure(np.ones([1, 2, 13, 2]), [1] * 13, [[1, 0]])
    assert all(np.isnan(values[0, 1]) and np.isfinite(values[0, 0]) for values in measured.values())
    assert measure(np.ones([1, 2, 13, 2]), [0] * 13) == {}


def test_only_the_first_window_counts_for_start_0():
    truth = np.zeros([3, 2, 13, 2])
    guess = np.arange(3)[:, None, None, None] + truth
    measured = measure_poses(truth, guess, np.ones(13), BOX, np.ones([3, 2]))
    assert measured["joint_error_start0"].tolist() == [[0, 0]]
    assert measured["joint_error"][2, 0] == pytest.approx(100 * np.hypot(2, 2) / 100)
