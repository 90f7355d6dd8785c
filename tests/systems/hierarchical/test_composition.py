"""Frames painted by limbs of fixed widths, recomposed with the person's outline: coats travel along, and ghosts disappear."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from analogy.metrics.regions import pose_region, region_error
from analogy.systems.hierarchical.background import Observed
from analogy.systems.hierarchical.composition import recomposed

SIZE = 128, 160
BOX = np.array([0, 0, 160, 128])
STANDING = np.float32(
    [
        [40, 16],
        [32, 30],
        [48, 30],
        [28, 46],
        [52, 46],
        [26, 60],
        [54, 60],
        [35, 64],
        [45, 64],
        [34, 88],
        [46, 88],
        [34, 112],
        [46, 112],
    ]
)
JOINTS = STANDING + np.float32([[[0, 0]], [[2, 0]], [[70, 0]]])
VISIBILITY = np.ones([3, 13], np.float32)
WALL = np.dstack([np.linspace(90, 200, 160)[None].repeat(128, 0)] * 3).astype(np.uint8)


def view(frame, box):
    return tf.constant(frame[box[1] : box[3], box[0] : box[2]])


@pytest.fixture(scope="module")
def people():
    """Three frames of a red person in a blue coat, who goes from left to right; bool [3, H, W] twice: limbs, and person."""
    limbs = pose_region(JOINTS, VISIBILITY, SIZE)
    frames, persons = [], []
    for joints, body in zip(JOINTS, limbs, strict=True):
        corners = np.int32(joints[[1, 2, 8, 7]] + [[-3, -2], [3, -2], [17, 20], [-17, 20]])
        coat = cv2.fillPoly(np.zeros(SIZE, np.uint8), [corners], 1) > 0
        frames.append(
            np.where(coat[..., None], np.uint8([40, 50, 190]), np.where(body[..., None], np.uint8([200, 30, 40]), WALL))
        )
        persons.append(body | coat)
    return np.stack(frames), limbs, np.stack(persons)


def by_limbs(truth, limbs):
    """A painter that knows all that lies in the limbs, but no outline: the coat's edges stay where they were."""
    return np.where(limbs[1:, ..., None], truth[1:], np.where(limbs[0][..., None], WALL, truth[0]))


def test_the_coat_travels_and_no_ghost_stays(people):
    truth, limbs, persons = people
    painted = by_limbs(truth, limbs)
    seen = np.zeros(SIZE, bool)
    result = recomposed(painted, Observed(truth[0], persons[0], truth[0], seen), view, BOX, JOINTS, VISIBILITY)
    ghost, coat = persons[:1] & ~persons[1:], persons[1:] & ~limbs[1:]
    for region in (ghost, coat):
        before, after = region_error(truth[1:], painted, region), region_error(truth[1:], result, region)
        assert before[1] > 25 and after[1] < before[1] / 1.5
    capsules = Observed(truth[0], limbs[0], truth[0], seen)  # with the limbs as its outline, the coat stays
    without = recomposed(painted, capsules, view, BOX, JOINTS, VISIBILITY)
    assert region_error(truth[1:], without, coat)[1] > 1.5 * after[1]
    inside = np.array([cv2.erode(body.astype(np.uint8), np.ones((5, 5))) > 0 for body in limbs[1:]])
    assert np.abs(result.astype(int) - painted)[inside].mean() < 8  # inside the limbs the painter knows best
    known = Observed(truth[0], persons[0], WALL, ~seen)  # earlier frames have shown all of the wall
    better = recomposed(painted, known, view, BOX, JOINTS, VISIBILITY)
    assert region_error(truth[1:], better, ghost)[1] < region_error(truth[1:], result, ghost)[1]


def test_a_hidden_part_stays_where_it_is(people):
    truth, _, persons = people
    hidden = VISIBILITY.copy()
    hidden[1:, 7:] = 0  # from the hips down
    observed = Observed(truth[0], persons[0], truth[0], np.zeros(SIZE, bool))
    result = recomposed(truth[:1].repeat(2, 0), observed, view, BOX, JOINTS, hidden)
    assert np.abs(result[:, 96:].astype(int) - truth[:1, 96:]).mean() < 1
    assert (
        recomposed(truth[1:], observed._replace(person=~persons[0] & persons[0]), view, BOX, JOINTS, hidden) == truth[1:]
    ).all()


def test_one_channel_and_an_area_of_the_frame(people):
    truth, limbs, persons = people
    observed = Observed(truth[0], persons[0], truth[0], np.zeros(SIZE, bool))
    box = np.array([8, 4, 136, 124])

    def grey(frame, box):
        return tf.constant(cv2.resize(frame[box[1] : box[3], box[0] : box[2], :1], (64, 60))[..., None])

    wanted, painted = (np.stack([grey(x, box).numpy() for x in frames]) for frames in (truth[1:], by_limbs(truth, limbs)))
    result = recomposed(painted, observed, grey, box, JOINTS, VISIBILITY)
    assert result.shape == painted.shape and result.dtype == np.uint8
    before, after = (np.square(frames[1].astype(float) - wanted[1]).mean() for frames in (painted, result))
    assert after < before / 2
