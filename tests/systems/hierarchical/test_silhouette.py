"""The person's outline, in pictures whose outline is known: a coat that limbs do not cover, on a wall of coloured squares."""

import cv2
import numpy as np
import pytest

from analogy.metrics.regions import pose_region
from analogy.systems.hierarchical.silhouette import LIMB, silhouette

SIZE = 160, 128
JOINTS = np.float32(
    [
        [64, 24],
        [53, 40],
        [75, 40],
        [48, 60],
        [80, 60],
        [46, 78],
        [82, 78],
        [58, 84],
        [70, 84],
        [57, 110],
        [71, 110],
        [57, 138],
        [71, 138],
    ]
)
VISIBILITY = np.ones(13, np.float32)
RED, BLUE = (200, 30, 40), (40, 50, 190)


@pytest.fixture
def wall():
    rng = np.random.default_rng(0)
    squares = np.kron(rng.integers(90, 170, (20, 16, 1), dtype=np.uint8), np.ones((8, 8, 3), np.uint8))
    return np.clip(squares + rng.normal(0, 4, (*SIZE, 3)), 0, 255).astype(np.uint8)


def dressed(wall, joints=JOINTS):
    """The wall with a person in a wide coat, and where the person is, bool [H, W]."""
    body = pose_region(joints[None], VISIBILITY[None], SIZE, radius=0.8 * LIMB)[0].astype(np.uint8)
    coat = np.int32(joints[[1, 2, 8, 7]] + [[-3, -3], [3, -3], [13, 22], [-13, 22]])
    person = cv2.fillPoly(body.copy(), [coat], 1) > 0
    picture = np.where(body[..., None] > 0, np.uint8(RED), wall)
    return cv2.fillPoly(picture, [coat], BLUE), person


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def test_clothes_belong_to_the_person(wall):
    picture, person = dressed(wall)
    limbs = pose_region(JOINTS[None], VISIBILITY[None], SIZE, radius=LIMB)[0]
    found = silhouette(picture, JOINTS, VISIBILITY)
    assert overlap(found, person) > 0.95 > 0.85 > overlap(limbs, person)
    assert (silhouette(picture, JOINTS, VISIBILITY) == found).all()
    large = cv2.resize(picture, None, fx=5, fy=5, interpolation=cv2.INTER_NEAREST)  # is looked at in a smaller copy
    again = silhouette(large, 5 * JOINTS + 2, VISIBILITY)
    assert overlap(again, np.kron(person, np.ones((5, 5), bool))) > 0.9


def test_what_is_known_is_not_guessed(wall):
    picture, person = dressed(wall)
    box, bag = np.zeros([2, *SIZE], bool)
    box[98:120, 77:84] = ~person[98:120, 77:84]  # below the coat, in its colours
    bag[72:84, 34:39] = True  # in the hand, and of the wall's colours
    picture[box] = BLUE
    assert silhouette(picture, JOINTS, VISIBILITY)[box].mean() > 0.9
    assert silhouette(picture, JOINTS, VISIBILITY)[bag].mean() < 0.1
    told = silhouette(picture, JOINTS, VISIBILITY, moving=bag, still=box)
    assert told[box].mean() < 0.1 and told[bag].mean() > 0.9


def test_nobody_has_no_outline(wall):
    assert not silhouette(wall, JOINTS, 0 * VISIBILITY).any()
    everywhere = np.float32(SIZE[::-1]) * (JOINTS - JOINTS.min(0)) / np.ptp(JOINTS, 0) * 20 - 900  # nothing but the person
    assert silhouette(wall, everywhere, VISIBILITY).shape == SIZE
