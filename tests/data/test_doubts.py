"""Wrong-looking data is said."""

import numpy as np
import pytest

from analogy.data.doubts import Inspection, count_black, doubts_about, fingerprint, share_outside
from data_prep.penn_action.poses import read_pose_clips


def inspections(*names, action="squat", **facts):
    return [Inspection(name, action, fingerprint([name.encode()]), **facts) for name in names]


def test_nothing_is_said_of_good_data():
    assert doubts_about(inspections("a", "b", "c"), inspections("d")) == []


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        (
            inspections("a") + inspections("b", joints_outside=0.6),
            inspections("c"),
            "1 of 3 clips have most of their visible joints outside the frame",
        ),
        (inspections("a"), inspections("b", "c", black_frames=3), "2 of 3 clips have black frames: b, c"),
        (
            inspections("a", unlabelled_frames=7),
            inspections("b"),
            "1 of 2 clips have more frames than labels (the rest is not used): a",
        ),
        (
            inspections("a"),
            [Inspection("b", "squat", inspections("a")[0].fingerprint)],
            "1 of 1 test clips are also trained on",
        ),
        (inspections("a") + inspections("b", action="bowl"), inspections("c"), "no test clip, only training clips, of: bowl"),
        (inspections("a"), inspections("b") + inspections("c", action="bowl"), "no training clip, only test clips, of: bowl"),
        (inspections("a"), inspections(*"bcdefgh", black_frames=1), "b, c, d, e, f and 2 more"),
    ],
)
def test_what_looks_wrong_is_said_with_the_clips(train, test, said):
    (doubt,) = doubts_about(train, test)
    assert said in doubt


def test_joints_outside_by_hand():
    joints = np.array([[[5.0, 5], [30, 5], [5, 30], [99, 99]]])
    # Of the three that are seen one lies beyond the right border of 20 x 40 pixels, none beyond the lower one.
    assert share_outside(joints, np.array([[1.0, 1, 1, 0]]), 20, 40) == pytest.approx(1 / 3)
    assert share_outside(joints, np.zeros([1, 4]), 20, 40) == 0.0


def test_black_frames_are_counted():
    frames = np.zeros([3, 4, 4, 3], np.uint8)
    frames[1, 2, 2] = 200
    assert count_black(frames) == 2


def test_of_the_real_labels_two_clips_are_doubted(penn_action):
    """1021 and 1024, 480 x 393 pixels, have joints as far right as 637 and as far down as 495."""
    clips = read_pose_clips(penn_action)
    train, test = ([clip.inspection for clip in clips if clip.split == split] for split in ("train", "test"))
    assert len(train) + len(test) > 2300
    (doubt,) = doubts_about(train, test)
    assert doubt.startswith("2 of 2326 clips have most of their visible joints outside the frame")
    assert {*doubt.rsplit(": ", 1)[1].split(", ")} == {"1021", "1024"}
