"""Windows of a clip's frames: by stride, by skip, by frame rate; drawn for training."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from analogy.data.batches import ReplicaContext, pick
from analogy.data.prepared import PreparedClips
from analogy.data.windows import StoredMovie, WindowPlan, window_batches
from data_prep.frame_store import prepare_frames
from tests.data_prep.toy_source import ToySource


@pytest.mark.parametrize(
    ("plan", "frames", "count", "offsets"),
    [
        (WindowPlan(4), 10, 7, [0, 1, 2, 3]),
        (WindowPlan(4, stride=3), 10, 3, [0, 1, 2, 3]),  # from 0, 3, 6
        (WindowPlan(4, skip=3), 10, 1, [0, 3, 6, 9]),
        (WindowPlan(4, skip=3), 9, 0, [0, 3, 6, 9]),
        (WindowPlan(3, stride=2, skip=2), 10, 2, [0, 2, 4]),  # from 0, 4
        (WindowPlan(4, fps=10), 11, 2, [0, 3, 5, 8]),  # every 2.5th of 25 frames a second; from 0, 3
        (WindowPlan(4, fps=25.2), 10, 7, [0, 1, 2, 3]),  # nearly the rate of the clip
        (WindowPlan(4, fps=25), 10, 7, [0, 1, 2, 3]),
    ],
)
def test_where_windows_lie(plan, frames, count, offsets):
    assert plan.numbers(0, 25.0).tolist() == offsets and len(plan.starts(frames, 25.0)) == count


def test_windows_with_repeated_frames_are_left_out():
    plan = WindowPlan(3, leave_out_repeats=True)
    assert plan.starts(8, repeats=[4]).tolist() == [0, 1, 4, 5]  # 4 equals 3: windows 2 and 3 hold both
    skipping = WindowPlan(2, skip=2, leave_out_repeats=True)  # frames 0, 2, 4, 6
    assert skipping.starts(8, repeats=[3, 4, 5]).tolist() == [0, 2]  # 2 equals 4; 4 equals 5, but not 6


@pytest.mark.parametrize(("fps", "said"), [(0.0, "does not say"), (12.0, "has 12")])
def test_windows_faster_than_the_clip_are_refused(fps, said):
    with pytest.raises(ValueError, match=said):
        WindowPlan(4, fps=15).numbers(0, fps)


@pytest.fixture(scope="module")
def movies(tmp_path_factory) -> list[StoredMovie]:
    """Frames 2 to 29 of a clip, and all 12 of another; a frame's value is 100 times the clip's number and its own."""
    folder = tmp_path_factory.mktemp("toy")
    for name, length in (("train0", 30), ("train1", 12)):
        values = 100 * int(name[-1]) + np.arange(length, dtype=np.uint8)
        np.save(folder / f"{name}.npy", np.broadcast_to(values[:, None, None, None], [length, 4, 6, 1]))
    prepared = PreparedClips.open(prepare_frames(ToySource(folder), folder / "cache"))
    first, second = prepared.clips
    return [StoredMovie("a", prepared, first, range(2, 30)), StoredMovie("b", prepared, second, range(12))]


def drawn(movies, plan, steps=1, **context):
    batches = window_batches(movies, [7, 3], plan, ReplicaContext(batch_size=8, **context), seed=5)
    return [batch["values"].numpy() * 255 for batch in batches.take(steps)]


def test_training_windows_are_those_that_seed_and_step_draw(movies):
    """The draw is part of every published figure: first the movie, then the start, of two float64 numbers an example."""
    batches = drawn(movies, WindowPlan(5), steps=2)
    for step, values in enumerate(batches):
        uniform = tf.random.stateless_uniform([8, 2], tf.constant([5, step], tf.int64), dtype=tf.float64)
        for example, (which, at) in enumerate(uniform):
            movie = movies[int(pick(which, 2))]
            start = int(pick(at, movie.length - 4))
            np.testing.assert_allclose(values[example], movie.frames[start : start + 5], atol=1e-4)
    np.testing.assert_array_equal(drawn(movies, WindowPlan(5), start_step=1)[0], batches[1])


def test_training_windows_keep_stride_and_skip(movies):
    values = np.rint(np.concatenate(drawn(movies, WindowPlan(3, stride=2, skip=3), steps=8))[..., 0, 0, 0]).astype(int)
    starts = {(int(row[0] >= 100), int(row[0] % 100)) for row in values}
    assert (np.diff(values, axis=1) == 3).all()
    assert starts == {(0, 2), (0, 8), (0, 14), (0, 20), (1, 0)}


def test_training_windows_carry_their_movie_s_label(movies):
    batch = next(iter(window_batches(movies, [7, 3], WindowPlan(5), ReplicaContext(batch_size=8), seed=5)))
    assert [7 - 4 * (values[0, 0, 0, 0] >= 100 / 255) for values in batch["values"].numpy()] == batch["label"].numpy().tolist()


@pytest.mark.parametrize("fps", [4.0, 7.5, 9.99])
def test_training_windows_of_a_rate_are_those_of_the_plan(movies, fps):
    """The graph and the plan round alike. The movies are said to have 10 frames per second."""
    timed = [StoredMovie(m.id, m.prepared, replace(m.clip, fps=10.0), m.numbers) for m in movies]
    plan = WindowPlan(3, fps=fps)
    expected = {tuple(movie.window(plan, start, "").frames[:, 0, 0, 0]) for movie in timed for start in movie.starts(plan)}
    got = {tuple(row) for row in np.rint(np.concatenate(drawn(timed, plan, steps=24))[..., 0, 0, 0]).astype(int)}
    assert got <= expected and len(got) > len(expected) / 2


def test_a_numbered_window_is_the_frames_there(movies):
    window = movies[0].window(WindowPlan(3, stride=3, skip=2), 3, "w")
    assert (window.id, window.action, window.length) == ("w", "moving", 3)
    assert window.frames[:, 0, 0, 0].tolist() == [8, 10, 12]  # begins at 2 + 3 * 2


def test_a_curriculum_changes_the_rate_with_the_step_and_nothing_else(movies):
    """Two steps at 10 frames per second, one at 8, then 5. One clip has 20 frames per second, the other only 6."""
    timed = [StoredMovie(m.id, m.prepared, replace(m.clip, fps=fps), m.numbers) for m, fps in zip(movies, (20, 6), strict=True)]
    plan = WindowPlan(3, fps=5, curriculum=((2, 10.0), (1, 8.0)))
    values = np.rint(np.stack(drawn(timed, plan, steps=8))[..., 0, 0, 0]).astype(int)  # [step, example, 3]
    assert values.shape == (8, 8, 3)
    for step, windows in enumerate(values):
        fast, slow = windows[windows[:, 0] < 100], windows[windows[:, 0] >= 100]
        gaps = {0: {2}, 1: {2}, 2: {2, 3}}.get(step, {4})  # 20 / 8 frames are 2.5
        assert len(fast) and set(np.diff(fast).flat) == gaps
        assert set(np.diff(slow).flat) <= ({1} if step < 3 else {1, 2})  # every frame in the stages, 6 / 5 after them
    for start in range(1, 5):  # resumed on both sides of each change
        np.testing.assert_array_equal(np.rint(drawn(timed, plan, start_step=start)[0][..., 0, 0, 0]), values[start])
    plain = np.rint(np.stack(drawn(timed, WindowPlan(3, fps=5), steps=8))[..., 0, 0, 0])
    np.testing.assert_array_equal(plain[3:], values[3:])  # after the stages, as without them
