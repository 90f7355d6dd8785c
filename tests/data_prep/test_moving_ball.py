"""moving_ball: the report's ball to the pixel, its five sequences, and balls that are never trained on."""

import numpy as np
import pytest

from analogy.data.batches import ReplicaContext
from analogy.errors import UserError
from analogy.predictions.frames import PredictedFrames
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from data_prep.datasets import open_dataset
from data_prep.moving_ball import draw_ball, trained_centres, unseen_centres


def opened(*overrides):
    options = ["data.dataset=moving_ball", "data.context=3", "data.horizon=3", "data.image_size=[64,96]", "data.test_count=25"]
    path = find_experiment("convlstm_mmnist_l1")
    return open_dataset(load_settings(path, SYSTEMS, scale="demo", overrides=[*options, *overrides]))


def test_the_ball_of_the_report():
    """Spec lvln, section 1: a dark disc of about 20 pixels on white, with its centre at (26.5 + 15 k, 68)."""
    frames = draw_ball(trained_centres()["report"], (128, 160))
    assert frames.shape == (6, 128, 160, 3) and frames.dtype == np.uint8
    for k, frame in enumerate(frames[..., 0]):
        rows, columns = np.nonzero(frame < 140)  # more than half covered
        assert len(set(rows)) == 19 and len(set(columns)) == 20
        assert (columns.mean(), rows.mean()) == pytest.approx((26.5 + 15 * k, 68), abs=1e-9)
        assert len(rows) == pytest.approx(np.pi * 10**2, rel=0.02)
        assert (frame[0] == 255).all() and len(np.unique(frame)) > 4  # white, and antialiased


def test_five_sequences_train_and_are_tested_beside_unseen_ones():
    dataset = opened()
    assert [movie.action for movie in dataset.test] == ["training_sequence"] * 5 + ["unseen"] * 20
    assert len({movie.fingerprint for movie in dataset.test}) == 25
    for movie, tested in zip(dataset.train, dataset.test[:5], strict=True):
        assert movie.fingerprint == tested.fingerprint and movie.size == (64, 96) and movie.centres.shape == (6, 2)
    for batch in dataset.batches(ReplicaContext(batch_size=8)).take(2):
        drawn = np.rint(255 * batch["values"].numpy()).astype(np.uint8)
        names = [next(movie.id for movie in dataset.train if np.array_equal(movie.frames, values)) for values in drawn]
        assert len(set(names)) > 2 and batch["label"].numpy().tolist() == [0] * 8
    assert dataset.classes == ["training_sequence", "unseen"] and dataset.notes.endswith(
        "5 are the training sequences and 20 unseen"
    )


def test_mirrored_and_shifted_balls_stay_in_the_frame():
    centres = trained_centres()
    np.testing.assert_allclose(centres["mirrored"] + centres["report"], np.tile([159, 136], (6, 1)))
    for name, track in {**centres, **unseen_centres(0), **unseen_centres(7)}.items():
        assert (track >= 10).all() and (track <= [149, 117]).all(), name
        np.testing.assert_allclose(np.linalg.norm(np.diff(track, axis=0), axis=1), 15)
    assert not np.array_equal(unseen_centres(0)["level_00"], unseen_centres(7)["level_00"])


def test_unseen_level_balls_move_both_ways_at_other_heights():
    trained = {track[0, 1] for track in trained_centres().values()}
    level = [track for name, track in unseen_centres(0).items() if name.startswith("level")]
    assert {np.sign(track[1, 0] - track[0, 0]) for track in level} == {-1, 1}
    assert all(np.ptp(track[:, 1]) == 0 and min(abs(track[0, 1] - height) for height in trained) >= 4 for track in level)


def test_a_prediction_of_a_ball_is_measured_by_its_centre():
    movie = opened("data.image_size=[128,160]").test[0]
    options = {"clip": movie.id, "action": movie.action, "distance": np.arange(1, 4), "observed_frames": movie.frames[:3]}
    options |= {"truth": movie.frames[3:], "prediction": movie.frames[3:], "baseline": np.repeat(movie.frames[2:3], 3, 0)}
    options |= {"baseline_name": "copy_last_frame", "centres": movie.centres[3:]}
    measured = PredictedFrames(**options).measure()
    np.testing.assert_allclose(measured["prediction"]["centre_error"], 0, atol=0.01)
    np.testing.assert_allclose(measured["copy_last_frame"]["centre_error"], [15, 30, 45], atol=0.01)
    assert "centre_error" not in PredictedFrames(**{**options, "centres": movie.centres[:0]}).measure()["prediction"]


def test_more_frames_than_the_report_has_are_refused():
    with pytest.raises(UserError, match="is 7: movies of moving_ball have 6 frames"):
        opened("data.horizon=4")
