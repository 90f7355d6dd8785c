"""What keypoints say of joints, what they do over time, and their pictures."""

from types import SimpleNamespace

import numpy as np

from analogy.systems.keypoints.joints_from_keypoints import joint_regression
from analogy.systems.keypoints.pictures import with_keypoints
from analogy.systems.keypoints.predicted import keypoint_figures
from analogy.systems.keypoints.translation import TranslationSystem


def test_the_regression_finds_a_linear_relation_and_the_mean_pose():
    rng = np.random.default_rng(0)
    keypoints, mixing = rng.uniform(-1, 1, (400, 3, 2)), rng.normal(size=(6, 26))
    joints = (keypoints.reshape(400, 6) @ mixing).reshape(400, 13, 2) + 30.0
    visible = np.ones((400, 13))
    visible[:200, 4] = 0
    joints[:200, 4] = 1e6  # where a joint is hidden, its place means nothing
    regression = joint_regression(keypoints, joints, visible)
    np.testing.assert_allclose(regression.predict(keypoints)[200:], joints[200:], atol=0.1)
    np.testing.assert_allclose(regression.mean[5], joints[:, 5].mean(0))
    np.testing.assert_allclose(regression.mean[4], joints[200:, 4].mean(0))


def test_keypoint_figures():
    keypoints = np.zeros((4, 2, 2))
    keypoints[:, 0, 0] = [-1, -0.5, 0.5, 0.5]  # second differences 0.5 and -1; the other one rests
    body = np.zeros((4, 3, 5), bool)
    body[:, 1, 2] = True  # where the other one is
    figures = keypoint_figures(keypoints, body)
    np.testing.assert_allclose(figures["keypoints_on_body"], [0.5, 0.5, 0.5])
    np.testing.assert_allclose(figures["keypoint_jitter"], [12.5, 25.0, np.nan])


def test_dots_lie_on_their_pixels():
    frames = np.zeros((2, 40, 20, 1), np.uint8)
    picture = with_keypoints(frames, np.array([[[0.0, -1.0]], [[np.nan, 0.0]]]))
    assert picture.shape == (2, 320, 160, 3)
    rows, columns = np.nonzero(picture[0].max(-1))
    assert abs(columns.mean() - 79.5) < 1 and abs(rows.mean() - 3.5) < 2  # a pixel is 8 x 8 pixels of the picture
    assert not picture[1].any()  # of a place that is no number, nothing is drawn


def test_without_labels_no_training_frame_is_read_for_a_regression():
    dataset = SimpleNamespace(reader=SimpleNamespace(labelled=False))  # with nothing to load
    assert TranslationSystem._regression(None, dataset) is None
