"""Means over clips, over windows, and at a distance."""

import numpy as np
import pytest

from analogy.metrics.frames import measure_frames
from analogy.metrics.horizon import HorizonMetrics


def test_means_are_over_clips_and_curves_over_frames_at_a_distance():
    metrics = HorizonMetrics()
    metrics.add(np.array([1, 2, 3]), {"ours": {"psnr": np.array([40.0, 50.0, 60.0])}})
    row = metrics.add(np.array([1]), {"ours": {"psnr": np.array([20.0])}})
    assert row == {"ours": {"psnr": 20.0}}
    assert metrics.mean("ours") == {"psnr": 35.0}
    curves = metrics.curves()
    assert curves["distance"] == [1, 2, 3] and curves["frames"] == [2, 1, 1]
    assert curves["methods"] == {"ours": {"psnr": [30.0, 50.0, 60.0]}}


def test_pooled_means_count_every_window_alike():
    metrics = HorizonMetrics(pooled=True)
    metrics.add(np.array([1, 2]), {"ours": {"pose_mse": np.array([[1.0, 3.0], [5.0, np.nan], [6.0, 9.0]])}})
    metrics.add(np.array([1, 2]), {"ours": {"pose_mse": np.array([[0.0, 0.0]])}})
    assert metrics.mean("ours") == {"pose_mse": pytest.approx(24 / 7)}
    assert metrics.curves()["methods"]["ours"]["pose_mse"] == [3.0, 4.0]


def test_a_clip_that_cannot_be_measured_counts_nowhere():
    metrics = HorizonMetrics(pooled=True)
    metrics.add(np.array([1, 2]), {"ours": {}, "hold": {}})
    metrics.add(np.array([1, 2]), {"ours": {"pose_mse": np.array([[1.0, 2.0]])}, "hold": {"pose_mse": np.array([[1.0, 2.0]])}})
    assert metrics.curves()["frames"] == [1, 1] and metrics.mean("ours") == {"pose_mse": 1.5}


def test_undefined_frames_are_left_out_and_a_clip_without_regions_lacks_their_metrics():
    metrics = HorizonMetrics()
    truth = np.random.default_rng(0).integers(0, 256, (2, 12, 12, 1), dtype=np.uint8)
    wrong = truth // 2
    new = np.zeros([2, 12, 12], bool)
    new[0, 3:6, 3:6] = True
    regions = {"old": np.zeros_like(new), "new": new}
    with_regions = metrics.add(np.array([1, 2]), {"ours": measure_frames(truth, wrong, regions)})["ours"]
    without = metrics.add(np.array([1]), {"ours": measure_frames(truth[:1], wrong[:1], {})})["ours"]
    assert "ghosting" not in with_regions and "pose_following" not in without  # the body never left its old place
    error = np.sqrt(np.square(truth[0, 3:6, 3:6].astype(float) - wrong[0, 3:6, 3:6]).mean())
    assert metrics.mean("ours")["pose_following"] == pytest.approx(error) == with_regions["pose_following"]
    expected = {
        "psnr",
        "ssim",
        "sharpness_ratio",
        "gradient_energy_ratio",
        "checkerboard_ratio",
        "pose_following",
        "background",
    }
    assert set(metrics.mean("ours")) == expected
    curves = metrics.curves()["methods"]["ours"]
    assert curves["pose_following"] == [pytest.approx(error), None] and "ghosting" not in curves


def test_bands_are_over_clips():
    metrics = HorizonMetrics(pooled=True)
    for value in (2.0, 6.0, 7.0):
        metrics.add(np.array([1, 2]), {"ours": {"pose_mse": np.array([[value, value]])}})
    error = np.std([2, 6, 7], ddof=1) / np.sqrt(3)
    assert metrics.curves()["bands"]["ours"]["pose_mse"][0] == pytest.approx(
        4.302653 * error
    )  # Student's t, two degrees of freedom


def test_a_clip_of_many_windows_weighs_more_in_the_error_too():
    metrics = HorizonMetrics(pooled=True)
    metrics.add(np.array([1, 2]), {"ours": {"pose_mse": np.array([[1.0, 2.0], [3.0, np.nan]])}})
    metrics.add(np.array([1]), {"ours": {"pose_mse": np.array([[7.0]])}})
    curves = metrics.curves()
    mean = 11 / 3  # of 1, 3 and 7
    expected = np.sqrt(2 * ((4 - 2 * mean) ** 2 + (7 - mean) ** 2)) / 3
    assert curves["methods"]["ours"]["pose_mse"][0] == pytest.approx(mean)
    assert curves["bands"]["ours"]["pose_mse"] == [pytest.approx(12.706205 * expected), None]
