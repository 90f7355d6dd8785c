"""Poses from pictures: where a person is looked for, followed, smoothed; and the real models on a real clip."""

import numpy as np
import pytest

from analogy.data.video import read_video
from analogy.errors import UserError
from analogy.systems.hierarchical.estimation.tflite import BlazePose, MoveNet, Pose, Region, cut
from analogy.systems.hierarchical.estimation.tracking import name_sides_by_image, smooth, track_person


def test_a_region_is_cut_where_it_lies():
    frame = np.zeros((40, 60, 3), np.uint8)
    frame[10:20, 30:40] = 255
    picture, to_frame = cut(frame, Region(34.5, 14.5, 10), 20)
    assert picture.mean() > 240
    np.testing.assert_allclose(to_frame @ [9.5, 9.5, 1], [34.5, 14.5])
    _, turned = cut(frame, Region(34.5, 14.5, 10, np.pi / 2), 20)
    np.testing.assert_allclose(turned @ [9.5, 0, 1], [34.5 + 4.75, 14.5], atol=1e-9)  # up in the picture is right in the frame


def test_smoothing_trusts_what_was_seen():
    joints = np.zeros([9, 13, 2], np.float32)
    joints[:, 0, 0] = np.arange(9)
    joints[4, 0] = 999
    scores = np.ones([9, 13], np.float32)
    scores[4, 0] = 0
    np.testing.assert_allclose(smooth(joints, scores)[2:7, 0, 0], np.arange(2, 7), atol=0.6)


def test_sides_are_named_as_the_image_has_them():
    joints, visibility = np.zeros([3, 13, 2], np.float32), np.ones([3, 13], np.float32)
    joints[:, 1], joints[:, 2] = (50, 5), (20, 5)
    named, _ = name_sides_by_image(joints, visibility)
    assert named[0, 1, 0] == 20 and named[0, 2, 0] == 50
    assert np.array_equal(name_sides_by_image(named, visibility)[0], named)


class Blind:
    name, visible_from = "blind", 0.5

    def detect(self, frame):
        return []


def test_nobody_is_an_error():
    with pytest.raises(UserError, match="sees nobody in 3 frames"):
        track_person([np.zeros((8, 8, 3), np.uint8)] * 3, Blind())


class Follower:
    """Sees a white square; remembers what it was asked."""

    name, visible_from = "follower", 0.5

    def __init__(self):
        self.detections = 0

    def detect(self, frame):
        self.detections += 1
        return [Region(8, 8, 8), Region(2, 2, 4)] if frame.any() else []

    def estimate(self, frame, region):
        rows, columns = np.nonzero(frame[..., 0])
        at = np.array([columns.mean(), rows.mean()], np.float32) if len(rows) else np.zeros(2, np.float32)
        return Pose(np.tile(at, (13, 1)), np.full(13, float(len(rows) > 0), np.float32), Region(*at, 8))


def test_a_person_who_leaves_is_looked_for_until_it_comes_back():
    frames = np.zeros([8, 16, 16, 3], np.uint8)
    for t in (0, 1, 2, 6, 7):
        frames[t, 4:8, t : t + 4] = 255
    estimator = Follower()
    track = track_person(frames, estimator)
    assert (track.people, track.missing, estimator.detections) == (2, 3, 1 + 3)  # lost in 3, looked for in 4, 5 and 6
    assert track.visibility[:, 0].tolist() == [1, 1, 1, 0, 0, 0, 1, 1]
    np.testing.assert_allclose(track.joints[[0, 1, 2, 6, 7], 0, 1], 5.5)
    assert track.joints[7, 0, 0] == pytest.approx(8.5 - 1 * 0.6 / 1.6, abs=0.1)  # smoothed with the frame before


@pytest.fixture(scope="session")
def estimators(tmp_path_factory):
    from tests.conftest import _shared

    models = _shared("models")
    blazepose = models / "blazepose" / "pose_landmark_full.tflite", models / "blazepose" / "pose_detection.tflite"
    return {"movenet": MoveNet(next((models / "movenet").glob("*.tflite"))), "blazepose": BlazePose(*blazepose)}


@pytest.mark.parametrize("name", ["movenet", "blazepose"])
def test_estimators_find_the_joints_of_a_real_clip(estimators, penn_action, name):
    from data_prep.penn_action.labels import read_labels

    labels = read_labels(penn_action / "labels" / "0992.mat")
    frames = read_video(penn_action / "frames" / "0992", count=12).frames
    track = track_person(frames, estimators[name])
    joints, visibility = name_sides_by_image(track.joints, track.visibility)
    side = (labels.boxes[:12, 2:] - labels.boxes[:12, :2]).max(1)[:, None]
    distance = np.linalg.norm(joints - labels.joints[:12], axis=-1) / side
    assert (distance < 0.1).mean() > 0.95 and visibility.mean() > 0.9 and (track.people, track.missing) == (1, 0)


def test_people_beside_the_one_that_is_followed_are_noticed(estimators, penn_action):
    frame = read_video(penn_action / "frames" / "0992", count=1).frames[0]
    assert len(estimators["movenet"].detect(frame)) == 1
    assert len(estimators["movenet"].detect(np.hstack([frame, frame]))) == 2
    assert estimators["movenet"].detect(np.zeros_like(frame)) == []


def test_other_models_are_refused(estimators, tmp_path):
    from tests.conftest import _shared

    detector = _shared("models") / "blazepose" / "pose_detection.tflite"
    for build in (lambda: MoveNet(detector), lambda: BlazePose(detector, detector)):
        with pytest.raises(UserError, match=r"pose_detection\.tflite: not"):
            build()
    (tmp_path / "a.tflite").write_bytes(b"no")
    with pytest.raises(UserError, match="not a TensorFlow Lite model"):
        MoveNet(tmp_path / "a.tflite")
