"""Predictions of movies: beside which frames they are measured and shown."""

import numpy as np

from analogy.data.movies import Movie
from analogy.systems.movies import movie_columns, predicted_movie

# Seven frames, of which frame t has the value 10 t; three are observed. The prediction is the truth and one more.
MOVIE = Movie(
    "m", "roll", np.full((7, 4, 6, 1), 10 * np.arange(7).reshape(7, 1, 1, 1), np.uint8), centres=np.arange(14).reshape(7, 2)
)
FUTURE = np.broadcast_to(np.float32([31, 41, 51]).reshape(3, 1, 1, 1) / 255, (3, 4, 6, 1))


def test_a_prediction_stands_beside_the_frames_that_follow_and_the_last_observed_one():
    predicted = predicted_movie(MOVIE, 3, FUTURE, with_pictures=False)
    assert predicted.clip == "m" and predicted.action == "roll" and not predicted.with_pictures
    assert list(predicted.distance) == [1, 2, 3] and predicted.prediction.dtype == np.uint8
    values = [frames[:, 0, 0, 0].tolist() for frames in (predicted.observed_frames, predicted.truth)]
    assert values == [[0, 10, 20], [30, 40, 50]]
    assert [frames[:, 3, 5, 0].tolist() for frames in (predicted.prediction, predicted.baseline)] == [[31, 41, 51], [20] * 3]
    np.testing.assert_array_equal(predicted.centres, [[6, 7], [8, 9], [10, 11]])


def test_the_first_middle_and_last_time_are_shown():
    columns = movie_columns(MOVIE, 3, FUTURE, {"flow": np.zeros((3, 4, 6, 3), np.uint8)})
    assert [column.title for column in columns] == [
        "last observed",
        *(title for t in (1, 2, 3) for title in (f"truth +{t}", "prediction", "|difference|", "flow")),
    ]
    assert [int(column.picture[0, 0, 0]) for column in columns[:4]] == [20, 30, 31, 1]
    assert [column.title for column in movie_columns(MOVIE, 3, FUTURE[:1])] == [
        "last observed", "truth +1", "prediction", "|difference|",
    ]  # fmt: skip
