"""moving_shapes: how discs and squares look and move, and that no test movie is trained on."""

import numpy as np
import pytest
import tensorflow as tf

from analogy.data.batches import ReplicaContext
from analogy.data.moving_shapes import coverage, draw_shapes, reflected
from analogy.errors import UserError
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from data_prep.datasets import open_dataset


def opened(*overrides):
    options = ["data.dataset=moving_shapes", "data.context=3", "data.horizon=3", "data.image_size=[32,48]", "data.test_count=4"]
    path = find_experiment("convlstm_mmnist_l1")
    return open_dataset(load_settings(path, SYSTEMS, scale="demo", overrides=[*options, *overrides]))


@pytest.mark.parametrize("overrides", [("data.test_count=100000",), ("data.test_count=20000", "data.horizon=1000")])
def test_more_movies_than_memory_are_refused(overrides):
    with pytest.raises(UserError, match=r"data\.test_count is \d+: .* GB, and are drawn in memory"):
        opened("data.image_size=[64, 64]", *overrides)


def test_a_shape_turns_where_it_touches_a_wall():
    """A disc of radius 5 has 10 pixels of room in 20: it starts at one quarter of them and moves 3 pixels a frame."""
    places = [float(reflected(0.25, 3.0 * t, 5.0, 20)) for t in range(8)]
    np.testing.assert_allclose(np.array(places) + 0.5, [7.5, 10.5, 13.5, 13.5, 10.5, 7.5, 5.5, 8.5])
    assert float(reflected(0.25, -3.0, 5.0, 20)) + 0.5 == 5.5  # the other wall turns it too


def test_a_border_is_antialiased():
    x, y, radius = (tf.constant([[value]] * 2, tf.float32) for value in (9.5, 10.25, 4.0))
    disc, square = coverage(x, y, radius, tf.constant([[True], [False]]), (20, 24)).numpy()[:, 0]
    assert abs(disc.sum() - np.pi * 16) < 1 and abs(square.sum() - 64) < 1e-3
    for covered in (disc, square):
        across, down = covered.sum(0) @ np.arange(24), covered.sum(1) @ np.arange(20)
        np.testing.assert_allclose([across / covered.sum(), down / covered.sum()], [9.5, 10.25], atol=0.02)


def test_movies_differ_and_are_a_function_of_seed_and_step():
    dataset = opened()
    assert dataset.classes == ["shapes"] and len(dataset.test) == 4 and dataset.test[0].frames.shape == (6, 32, 48, 3)
    first, second = (batch["values"].numpy() for batch in dataset.batches(ReplicaContext(batch_size=3)).take(2))
    again = next(iter(dataset.batches(ReplicaContext(batch_size=3, start_step=1))))["values"].numpy()
    np.testing.assert_array_equal(second, again)
    looked_at = np.stack([movie.frames for movie in (*dataset.test, *dataset.train)]) / 255.0
    movies = np.concatenate([first, second, looked_at]).reshape(13, -1)
    apart = np.abs(movies[:, None] - movies).mean(-1)
    assert (apart[~np.eye(13, dtype=bool)] > 0.01).all() and movies.min() >= 0 and movies.max() <= 1
    assert not np.array_equal(opened("seed=1").test[0].frames, dataset.test[0].frames)


def test_shapes_stand_out_move_and_some_backgrounds_have_texture():
    movies = draw_shapes(0, tf.constant(0, tf.int64), 40, 4, (64, 96)).numpy()
    moved = np.abs(np.diff(movies, axis=1)).max(-1) > 0.2  # [40, 3, H, W]
    assert moved.any((1, 2, 3)).mean() > 0.95 and moved.mean() < 0.2  # slow ones change their border a little
    corner = movies[:, 0, :3, :3].std((1, 2)).max(-1)
    assert 0.3 < (corner > 1e-4).mean() < 0.8
