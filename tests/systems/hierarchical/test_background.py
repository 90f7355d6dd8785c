"""What the observed frames tell: the background where they agree, and the person in the last one."""

import numpy as np
import pytest

from analogy.metrics.regions import pose_region
from analogy.systems.hierarchical.background import observe

SIZE = 96, 128


def standing(x):
    """A thin person, whose joints are all in one upright line at `x`: [13, 2]."""
    return np.stack([np.full(13, x), 20 + 50 * np.array([0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]) / 6], -1)


@pytest.fixture
def walk():
    """A red person who walks past a wall of squares: the wall, frames, joints and visibility of 12 steps."""
    rng = np.random.default_rng(0)
    wall = np.kron(rng.integers(60, 200, (12, 16, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))
    joints = np.stack([standing(20 + 7 * t) for t in range(12)]).astype(np.float32)
    visibility = np.ones([12, 13], np.float32)
    body = pose_region(joints, visibility, SIZE)
    return wall, [np.where(area[..., None], np.uint8([255, 0, 0]), wall) for area in body], joints, visibility


def test_what_the_body_hides_now_was_seen_before(walk):
    wall, frames, joints, visibility = walk
    found = observe(frames[:6], joints[:6], visibility[:6])
    hidden = pose_region(joints[5:6], visibility[5:6], SIZE)[0]
    assert (found.seen & hidden).sum() > 0.9 * hidden.sum()
    assert np.abs(found.background.astype(int) - wall)[found.seen].mean() < 3
    assert (found.background[~found.seen] == frames[5][~found.seen]).all()
    assert (found.person == hidden).mean() > 0.99


def test_a_person_who_has_not_moved_hides_what_was_never_seen(walk):
    _, frames, joints, visibility = walk
    found = observe([frames[0]] * 6, joints[[0] * 6], visibility[:6])
    assert found.person.any() and not (found.seen & found.person).any()
    assert not observe(frames[:1], joints[:1], visibility[:1]).seen.any()  # nor does a single frame tell of it


def test_a_pole_that_stands_still_is_no_limb(walk):
    """It has the person's colours and stands beside the person, who was elsewhere before."""
    _, frames, joints, visibility = walk
    pole = np.zeros(SIZE, bool)
    pole[30:70, 57:62] = True
    frames = [np.where(pole[..., None], np.uint8([255, 0, 0]), frame) for frame in frames]
    beside = pole & ~pose_region(joints[5:6], visibility[5:6], SIZE)[0]
    alone = observe(frames[5:6], joints[5:6], visibility[5:6])
    found = observe(frames[:6], joints[:6], visibility[:6])
    assert alone.person[beside].mean() > 0.5 > 0.1 > found.person[beside].mean()


def test_a_hidden_person_is_not_found(walk):
    _, frames, joints, visibility = walk
    found = observe(frames[:6], joints[:6], 0 * visibility[:6])
    assert not found.person.any() and (found.background == frames[5]).all()
