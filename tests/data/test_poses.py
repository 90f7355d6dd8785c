"""Windows of poses: who is drawn, where windows begin, what happens at a clip's end; and the spec's reference numbers."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from analogy.data.batches import ReplicaContext
from analogy.data.poses import PoseDataset, draw_windows
from analogy.errors import UserError
from analogy.metrics.horizon import HorizonMetrics
from analogy.metrics.pose import measure_poses
from tests.poses import made_up_clips, pose_settings, tiny_settings

RULES = SimpleNamespace(context=3, horizon=4, min_future=4, order="random", first_share=0.0, time_stretch=0.0)


def draw(lengths, batch=500, step=0, **rules):
    drawn = draw_windows(
        0, tf.constant(step, tf.int64), tf.constant(lengths), batch, SimpleNamespace(**{**vars(RULES), **rules})
    )
    return [x.numpy() for x in drawn]


def dataset(*overrides, clips=None):
    return PoseDataset("made_up", clips or made_up_clips(), tiny_settings("pose_lstm", *overrides).data, seed=0)


def test_every_start_that_fits_is_equally_likely():
    clip, times, valid = draw([7, 9], batch=4000)
    assert valid.all() and np.array_equal(np.diff(times, axis=1), np.ones([4000, 6]))
    assert abs((clip == 0).mean() - 0.5) < 0.03 and (times[clip == 0, 0] == 0).all()
    np.testing.assert_allclose(np.bincount(times[clip == 1, 0].astype(int)) / (clip == 1).sum(), [1 / 3] * 3, atol=0.04)


def test_passes_take_clip_after_clip():
    clips = np.concatenate([draw([9] * 5, batch=4, step=step, order="passes")[0] for step in range(5)])
    assert clips.tolist() == [0, 1, 2, 3, 4] * 4


def test_first_windows_are_drawn_as_often_as_asked():
    _, times, _ = draw([400], batch=2000, first_share=0.3)
    assert abs((times[:, 0] == 0).mean() - 0.3) < 0.04


def test_a_changed_pace_stays_within_the_clip():
    _, times, valid = draw([7, 30], time_stretch=0.5)
    pace = np.diff(times, axis=1)
    assert valid.all() and times.max() <= 29 and np.allclose(pace, pace[:, :1], atol=1e-4)
    assert pace.min() > np.exp(-0.51) and 1.4 < pace.max() < np.exp(0.51)


def test_a_clip_that_ends_early_repeats_its_last_pose_and_says_so():
    clip, times, valid = draw([5, 9], min_future=2)
    short = clip == 0
    assert (times[short] <= 4).all() and (valid[short].sum(1) == 5).all() and set(times[short, 0]) == {0}
    assert set(valid[~short].sum(1)) == {5, 6, 7}


def test_batches_are_what_the_clip_shows():
    data = dataset()
    batch = next(data.batches(ReplicaContext(batch_size=4)).as_numpy_iterator())
    assert batch["joints"].shape == (4, 10, 13, 2)
    for example in range(4):
        owner = [clip for clip in data.train if np.array_equal(clip.facts["origin"], batch["origin"][example])]
        windows = data.windows(owner[0])
        equal = (windows["joints"] == batch["joints"][example]).all((1, 2, 3))
        assert equal.sum() == 1 and data.actions[batch["action"][example]] == owner[0].action
        np.testing.assert_array_equal(windows["visibility"][equal][0], batch["visibility"][example])


def test_a_pose_between_two_frames_lies_between_them():
    clip = made_up_clips(1)[0]
    clip = replace(clip, joints=np.arange(clip.length, dtype=np.float32)[:, None, None] + np.zeros_like(clip.joints))
    other = replace(clip, id="0001", split="test")
    data = dataset("data.time_stretch=0.4", "data.actions=all", clips=[clip, other])
    joints = next(data.batches(ReplicaContext(batch_size=4)).as_numpy_iterator())["joints"]
    pace = np.diff(joints[:, :, 0, 0], axis=1)
    assert np.allclose(pace, pace[:, :1], atol=1e-4) and not np.allclose(pace, 1)


def test_a_later_start_and_two_replicas_see_the_same_batches():
    data = dataset()
    whole = list(data.batches(ReplicaContext(batch_size=4)).take(3).as_numpy_iterator())
    late = next(data.batches(ReplicaContext(batch_size=4, start_step=2)).as_numpy_iterator())
    halves = list(data.batches(ReplicaContext(batch_size=4, replicas=2, local_replicas=2)).take(2).as_numpy_iterator())
    for key in whole[0]:
        np.testing.assert_array_equal(whole[2][key], late[key])
        if key != "step":
            np.testing.assert_array_equal(whole[0][key], np.concatenate([part[key] for part in halves]))


def test_clips_kept_back_do_not_train():
    data = dataset("data.validation_share=0.5")
    assert len(data.validation) == 2 and len(data.train) == 2
    assert not {clip.id for clip in data.validation} & {clip.id for clip in data.train + data.test}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.viewpoint=back"], "viewpoint back.*front, left"),
        (["data.min_frames=99"], "min_frames 99"),
        (["data.validation_share=0.01"], "leaves one side empty"),
        (["data.actions=[polo]"], "no polo"),
    ],
)
def test_a_choice_that_leaves_nothing_is_said(overrides, message):
    with pytest.raises(UserError, match=message):
        dataset(*overrides)


# MSE in units of the box over all windows of the 36 test squats, and of their first windows alone.
REFERENCE = {"hold": (0.0027, 0.0058), "no motion": (0.0163, 0.0180)}


def test_the_published_split_and_reference_numbers(penn_action):
    from data_prep.penn_action.poses import read_pose_clips

    data = PoseDataset("penn_action", read_pose_clips(penn_action), pose_settings("pose_lstm").data, seed=0)
    assert (len(data.train), len(data.test)) == (42, 36)
    assert (
        data.train[0].id == "1661" and data.train[-1].id == "1879" and data.test[0].id == "1659" and data.test[-1].id == "1889"
    )
    metrics = HorizonMetrics(pooled=True)
    for clip in data.test:
        windows = data.windows(clip)
        truth, valid = windows["joints"][:, 15:], windows["valid"][:, 15:]
        guesses = {"hold": windows["joints"][:, 14:15], "no motion": windows["origin"][:, None]}
        facts = windows["survives"][0], windows["box"][0], valid
        guesses = {name: np.broadcast_to(guess, truth.shape) for name, guess in guesses.items()}
        metrics.add(np.arange(45), {name: measure_poses(truth, guess, *facts) for name, guess in guesses.items()})
    for name, (everywhere, first) in REFERENCE.items():
        assert metrics.mean(name)["pose_mse"] == pytest.approx(everywhere, abs=5e-5)
        assert metrics.mean(name)["pose_mse_start0"] == pytest.approx(first, abs=5e-5)
