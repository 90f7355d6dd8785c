"""The body's area and the error there: known answers."""

import numpy as np
import pytest

from analogy.metrics.regions import background, ghosting, pose_following, pose_region, region_error

# A standing figure 100 units tall, seen from the front; Penn Action's joint order, x then y (down).
STANDING = np.array(
    [[0, 6], [-11, 18], [11, 18], [-13, 37], [13, 37], [-14, 51], [14, 51],
     [-7, 47], [7, 47], [-8, 71.5], [8, 71.5], [-8, 96], [8, 96]], float,
)  # fmt: skip
SEEN = np.ones(13)
PLACE = np.array([100, 10])


def region(joints, visibility=SEEN, size=(240, 200), **options):
    return pose_region(np.asarray(joints, float)[None], np.asarray(visibility, float)[None], size, **options)[0]


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.0])
def test_thickness_is_proportional_to_the_body(scale):
    area = region(STANDING * scale + PLACE)
    right_leg = area[round(10 + 85 * scale), 100:]  # across the shin
    assert right_leg.sum() == pytest.approx(2 * 0.05 * 100 * scale, abs=2)
    assert area.sum() == pytest.approx(region(STANDING + PLACE).sum() * scale**2, rel=0.2)


def test_the_torso_is_filled_also_when_the_body_is_seen_from_behind():
    middle = (slice(10 + 25, 10 + 40), slice(95, 105))
    behind = STANDING[[0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11]]
    crossed = STANDING[[0, 1, 2, 3, 4, 5, 6, 8, 7, 9, 10, 11, 12]]
    for joints in (STANDING, behind, crossed):
        assert region(joints + PLACE)[middle].all()


def test_hidden_joints_are_skipped_wherever_they_are_stored():
    visibility = SEEN.copy()
    visibility[[5, 9, 10, 11, 12]] = 0
    joints = STANDING + PLACE
    whole = region(joints, radius=0.06)  # what is hidden may change the estimate of the height a little
    joints[visibility == 0] = [[0, 0], [500, 3], [-1e9, 7], [np.nan, np.nan], [np.inf, 0]]
    part = region(joints, visibility)
    assert part.any() and not (part & ~whole).any() and whole[95, 92] and not part[90:].any()
    np.testing.assert_array_equal(region(joints, visibility * 0), False)
    only_one = SEEN * 0
    only_one[3] = 1
    assert not region(joints, only_one).any()  # nothing tells how large the body is


def test_one_misplaced_joint_does_not_swell_the_body():
    joints = STANDING + PLACE
    joints[5] = [190, 230]
    limb = region(joints) & ~region(STANDING + PLACE)
    assert region(STANDING + PLACE).sum() + limb.sum() == pytest.approx(region(joints).sum(), rel=0.05)


def test_a_stretched_picture_gets_the_region_stretched_alike():
    plain = region(STANDING + PLACE, crop=[[200, 240]])
    wide = region((STANDING + PLACE) * [2, 0.5], size=(120, 400), crop=[[200, 240]])
    # Compare the middles of the blocks: the outlines are rounded to 1/16 pixel on either side.
    assert (wide[:, ::2] == plain[::2]).mean() > 0.98
    assert (region((STANDING + PLACE) * [2, 0.5], size=(120, 400))[:, ::2] == plain[::2]).mean() < 0.98


def test_a_body_outside_the_image_has_no_area():
    assert not region(STANDING + 5000).any()
    assert pose_region(np.zeros([0, 13, 2]), np.zeros([0, 13]), (8, 8)).shape == (0, 8, 8)


def test_errors_are_measured_inside_the_region_only():
    truth = np.zeros([2, 8, 8, 3], np.uint8)
    prediction = truth.copy()
    prediction[0, 0, 0], prediction[0, 7, 7] = 200, [3, 0, 0]
    area = np.zeros([2, 8, 8], bool)
    area[0, 6:, 6:] = True
    np.testing.assert_allclose(region_error(truth, prediction, area), [np.sqrt(9 / 12), np.nan])
    with pytest.raises(ValueError, match="region bool"):
        region_error(truth, prediction, area[:1])


def test_a_copied_frame_is_a_ghost_and_does_not_follow_the_pose():
    truth, old, new = np.zeros([1, 8, 8, 1], np.uint8), np.zeros([1, 8, 8], bool), np.zeros([1, 8, 8], bool)
    old[:, 2:6, 1:5], new[:, 2:6, 3:7] = True, True
    truth[new] = 100
    copied = np.where(old[..., None], 100, 0).astype(np.uint8)
    assert ghosting(truth, truth, old, new)[0] == pose_following(truth, truth, old, new)[0] == 0
    assert ghosting(truth, copied, old, new)[0] == pytest.approx(100)
    assert pose_following(truth, copied, old, new)[0] == pytest.approx(100 / np.sqrt(2))
    assert np.isnan(ghosting(truth, copied, new, new)[0])


def test_the_background_is_where_the_body_neither_was_nor_is_nor_comes_near():
    old, new = np.zeros([2, 1, 32, 32], bool)
    old[0, :, :4] = new[0, :, 4:8] = True
    truth = np.zeros([1, 32, 32, 3], np.uint8)
    spoiled = np.full_like(truth, 90)
    spoiled[0, :, 10:] = 5  # the margin is two pixels
    assert background(truth, spoiled, old, new)[0] == 5
    spoiled[0, :, 10] = 90
    assert background(truth, spoiled, old, new)[0] > 5
    assert np.isnan(background(truth, spoiled, ~old, old)[0])
