"""The background that the observed frames have shown: found where they agree, and shown where the body is gone."""

import numpy as np
import pytest

from analogy.metrics.regions import ghosting, pose_region
from analogy.systems.hierarchical.background import observed_background, uncovered

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
    found = observed_background(frames[:6], joints[:6], visibility[:6])
    hidden = pose_region(joints[5:6], visibility[5:6], SIZE)[0]
    assert (found.seen & hidden).sum() > 0.9 * hidden.sum()
    assert np.abs(found.picture.astype(int) - wall)[found.seen].mean() < 3
    assert (found.picture[~found.seen] == frames[5][~found.seen]).all()


def test_a_person_who_has_not_moved_has_shown_nothing(walk):
    _, frames, joints, visibility = walk
    found = observed_background([frames[0]] * 6, joints[[0] * 6], visibility[:6])
    assert not found.seen.any()
    assert not observed_background(frames[:1], joints[:1], visibility[:1]).seen.any()  # nor has a single frame


def test_ghosts_disappear_and_the_body_stays(walk):
    _, frames, joints, visibility = walk
    found = observed_background(frames[:6], joints[:6], visibility[:6])
    truth, box = np.stack(frames[6:]), np.array([0, 0, SIZE[1], SIZE[0]])
    painted = np.stack([np.where((frames[5] == [255, 0, 0]).all(-1, keepdims=True), frames[5], frame) for frame in truth])
    result = uncovered(painted, found.picture, found.seen, box, joints[6:], visibility[6:])
    body = pose_region(joints[5:], visibility[5:], SIZE)
    old, new = np.repeat(body[:1], len(truth), 0), body[1:]
    before, after = (np.nanmean(ghosting(truth, frames, old, new)[2:]) for frames in (painted, result))
    assert before > 100 and after < before / 4
    assert (result[new] == painted[new]).mean() > 0.95
    nothing = uncovered(painted, found.picture, np.zeros(SIZE, bool), box, joints[6:], visibility[6:])
    assert (nothing == painted).all()
