"""Limbs moved by two poses, against answers worked out by hand."""

import numpy as np
import pytest
import tensorflow as tf

from analogy.systems.hierarchical.networks import limbs

STANDING = np.array(
    [[50, 10], [40, 30], [60, 30], [35, 50], [65, 50], [30, 70], [70, 70], [45, 70], [55, 70], [45, 100], [55, 100],
     [45, 130], [55, 130]], np.float32,
)  # fmt: skip
FOREARM = [part[0] for part in limbs.PARTS].index("right_forearm")
TWIN = [part[0] for part in limbs.PARTS].index("left_forearm")


def parts(joints=STANDING, shown=None, next_joints=STANDING, next_shown=None):
    ones = np.ones(13, np.float32)
    arrays = joints, ones if shown is None else shown, next_joints, ones if next_shown is None else next_shown
    return [x.numpy()[0] for x in limbs.body_parts(*(tf.constant(a[None]) for a in arrays))]


def hiding(*joints):
    shown = np.ones(13, np.float32)
    shown[list(joints)] = 0
    return shown


def test_ends_and_height_of_a_body_that_stands():
    ends, sources, visible, usable, height = parts()
    np.testing.assert_allclose(ends[0, FOREARM], [[65, 50], [70, 70]])
    np.testing.assert_allclose(ends[0, 0], [[50, 30], [50, 70]])  # the torso: means of shoulders and of hips
    np.testing.assert_array_equal(sources, ends[0])
    assert visible.all() and usable.all()
    lengths = sorted(np.linalg.norm(ends[..., 1, :] - ends[..., 0, :], axis=-1).ravel() / np.tile(limbs.LENGTHS, 2))
    assert height == pytest.approx(np.mean(lengths[-3:]), rel=1e-5)


def test_few_limbs_tell_the_height_as_well_as_many():
    only_thigh = hiding(*(set(range(13)) - {7, 9}))
    assert parts(shown=only_thigh, next_shown=only_thigh)[4] == pytest.approx(30 / 0.245, rel=1e-5)
    nobody = np.zeros(13, np.float32)
    assert parts(shown=nobody, next_shown=nobody)[4] == 1


def test_a_limb_the_reference_hides_is_lent_by_its_twin_and_one_the_target_hides_is_not_painted():
    ends, sources, visible, usable, _ = parts(shown=hiding(6))
    np.testing.assert_allclose(sources[FOREARM], ends[0, TWIN])
    assert usable[FOREARM] == 1 and visible[0, FOREARM] == 0
    _, _, _, usable, _ = parts(next_shown=hiding(6))
    assert usable[FOREARM] == 0 and usable[TWIN] == 1


def test_a_transform_takes_the_ends_of_the_target_to_those_of_the_reference():
    moved = STANDING.copy()
    moved[6] = [85, 48]  # the forearm turns, and looks a little longer
    ends, sources, _, _, height = parts(next_joints=moved)
    transform = limbs.part_transforms(tf.constant(sources[None]), tf.constant(ends[1][None]), tf.constant([height])).numpy()[0]
    near, far = (transform[FOREARM] @ [*end, 1] for end in ends[1, FOREARM])
    np.testing.assert_allclose(near, ends[0, FOREARM, 0], atol=1e-3)
    np.testing.assert_allclose(far, ends[0, FOREARM, 1], atol=0.5)  # the stretch is softened
    still = np.delete(np.arange(limbs.COUNT), FOREARM)
    np.testing.assert_allclose(transform[still], np.tile([[1, 0, 0], [0, 1, 0]], (len(still), 1, 1)), atol=1e-4)


def test_a_part_is_moved_with_its_pixels_also_into_another_crop():
    image = np.zeros([1, 40, 40, 1], np.float32)
    image[0, 10, 20] = 1
    shift = np.tile(np.array([[1, 0, 0], [0, 1, 0]], np.float32), (1, limbs.COUNT, 1, 1))
    shift[..., 0, 2] = -8  # source pixels: 4 of the reference's, which shows 2 a pixel
    moved = limbs.warp_parts(tf.constant(image), tf.constant(shift), tf.constant([[2.0, 2]]), tf.constant([[2.0, 2]]))
    assert moved[0, 0, 10, 24, 0] == 1 and tf.reduce_sum(moved[0, 0]) == 1
    other = limbs.warp_parts(tf.constant(image), tf.constant(shift), tf.constant([[2.0, 2]]), tf.constant([[4.0, 4]]))
    assert other[0, 0, 5, 12, 0] == 1  # a target of half the resolution


def test_shares_sum_to_one_and_the_last_part_covers_the_others():
    covers = np.zeros([1, 2, 2, limbs.COUNT], np.float32)
    covers[0, 0, 0, [1, 4]] = [1, 1]
    covers[0, 0, 1, 4] = 0.25
    shares = limbs._composite_shares(tf.fill([1, 2, 2, 1], 0.5), tf.constant(covers)).numpy()[0]
    np.testing.assert_allclose(shares.sum(-1), 1, atol=1e-6)
    assert shares[0, 0, 2 + 4] == 1 and shares[0, 1, 2 + 4] == 0.25
    np.testing.assert_allclose(shares[1, 1, :2], 0.5)


def test_a_hole_takes_the_colour_about_it_and_the_rest_stays():
    image = np.full([1, 64, 64, 3], 0.25, np.float32)
    image[0, 20:40, 20:40] = 1
    hole = np.zeros([1, 64, 64, 1], np.float32)
    hole[0, 20:40, 20:40] = 1
    filled = limbs.fill_in(tf.constant(image), tf.constant(hole)).numpy()
    np.testing.assert_allclose(filled, 0.25, atol=1e-4)
