"""Where the keypoints of `keypoints_plus` are drawn to."""

import numpy as np
import pytest
import tensorflow as tf

from analogy.systems.keypoints.plus import away_from_change

SIZE = 32


def places(*pixels: tuple[int, int]) -> np.ndarray:
    """Pixels (x, y) as keypoints [1, K, 2]."""
    return np.array(pixels, np.float32)[None] * 2.0 / (SIZE - 1) - 1.0


@pytest.fixture
def frames():
    """A square of 4 x 4 pixels that goes from the left upper corner to the right lower one: two frames [1, 32, 32, 3]."""
    pair = np.full((2, 1, SIZE, SIZE, 3), -0.5, np.float32)
    pair[0, :, 4:8, 4:8] = pair[1, :, 24:28, 24:28] = 0.9
    return pair


def test_they_go_to_what_changes_and_leave_nothing_out(frames):
    def asked(points, other_points):
        return float(away_from_change(places(points), places(other_points), *frames)[0])

    assert asked((5, 6), (26, 25)) == 0.0  # anywhere within the cells that change
    side = 20 * 2 / (SIZE - 1)  # from one square to the other in x, in half a side
    assert asked((26, 6), (6, 26)) == pytest.approx(side, abs=0.2)  # both are beside
    assert asked((6, 6), (6, 6)) == pytest.approx(side * 2**0.5 / 4, abs=0.1)  # half is left out, in half of the mean
    assert asked((6, 6), (26, 6)) == pytest.approx(side / 2, abs=0.1)  # one of two is beside, one of two cells left out


def test_a_keypoint_far_away_is_pulled_to_the_next_place(frames):
    points = tf.constant(places((30, 2)))
    with tf.GradientTape() as tape:
        tape.watch(points)
        loss = away_from_change(points, tf.constant(places((26, 26))), *frames)
    left, down = -tape.gradient(loss, points)[0, 0].numpy()
    assert left < 0 or down > 0
    assert np.hypot(left, down) > 0.1


def test_frames_that_are_equal_ask_for_nothing(frames):
    points = tf.constant(places((30, 2), (3, 17)))
    with tf.GradientTape() as tape:
        tape.watch(points)
        loss = away_from_change(points, points, frames[0], frames[0])
    assert np.isfinite(loss).all() and not np.any(tape.gradient(loss, points))
