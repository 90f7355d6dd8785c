"""The collapse index and the error of moving pixels, by hand."""

import numpy as np

from analogy.metrics.collapse import changed_psnr, collapse_index, moving_psnr
from analogy.metrics.table import METRICS


def video(*values):
    return np.stack([np.full((2, 3, 1), value, np.uint8) for value in values])


def test_the_mean_is_the_change_of_the_prediction_over_that_of_the_truth():
    truth = video(0, 10, 20)
    assert np.isnan(collapse_index(truth, truth)[0])
    np.testing.assert_allclose(collapse_index(truth, truth)[1:], [1, 1])
    np.testing.assert_allclose(collapse_index(truth, video(7, 7, 7))[1:], [0, 0])
    np.testing.assert_allclose(collapse_index(truth, video(0, 5, 25))[1:], [0.25, 4])
    uneven = video(0, 10, 40)  # the truth's changes are 100 and 900, 500 in the mean
    np.testing.assert_allclose(collapse_index(uneven, truth)[1:], [0.2, 0.2])


def test_it_is_undefined_where_nothing_changes():
    assert np.isnan(collapse_index(video(3, 3), video(3, 9))).all()
    assert np.isnan(collapse_index(video(3), video(3))).all() and METRICS["collapse_index"].better == "neither"


def test_the_psnr_of_moving_pixels_leaves_out_what_stands_still():
    truth = video(0, 100, 100)
    truth[1, :, 0] = 0  # the first column of the second frame stays, and moves a step later
    prediction = truth.copy()
    prediction[1, :, 0] = 200  # wrong, where nothing moves
    prediction[1, :, 1:] = 90
    prediction[2, :, 1:] = 0  # wrong, where nothing moves
    measured = moving_psnr(truth, prediction)
    assert np.isnan(measured[0])
    np.testing.assert_allclose(measured[1], 10 * np.log10(255**2 / 10**2))
    assert measured[2] > 90  # the first column is right
    assert np.isnan(moving_psnr(video(3, 9), video(3, 3))).all()


def test_the_psnr_where_the_first_frame_changes_leaves_out_what_does_not():
    first = np.zeros((2, 3, 1), np.uint8)
    truth = video(25, 26, 100)  # 25 grey levels are no change
    truth[2, :, 0] = 0
    prediction = truth.copy()
    prediction[1] = 36  # 10 beside
    prediction[2, :, 0] = 200  # wrong, where nothing changes
    measured = changed_psnr(truth, prediction, first=first)
    assert np.isnan(measured[0]) and measured[2] > 90
    np.testing.assert_allclose(measured[1], 10 * np.log10(255**2 / 10**2))
    copied = changed_psnr(truth, video(0, 0, 0), first=first)
    np.testing.assert_allclose(copied[2], 10 * np.log10(255**2 / 100**2))  # the first frame copied
