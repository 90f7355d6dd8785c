"""Sampling of training pairs: the spec's rules, and reproducibility."""

import numpy as np
import pytest
import tensorflow as tf

from analogy.data.batches import ReplicaContext
from analogy.data.pairs import draw_distant_pairs, draw_pairs, shifted_squares
from analogy.joints import MIRRORED


def draw(steps, lengths, batch=64, **options):
    draws = [draw_pairs(0, tf.constant(step, tf.int64), tf.constant(lengths), batch, **options) for step in range(steps)]
    return [np.concatenate([d[i].numpy() for d in draws]) for i in range(4)]


def test_clips_are_uniform_whatever_their_length():
    clip, *_ = draw(100, [2, 10, 600])
    assert np.abs(np.bincount(clip) / len(clip) - 1 / 3).max() < 0.02


@pytest.mark.parametrize(("n", "wanted", "d"), [(6, 2, 2), (7, 20, 3), (5, 1, 1)])
def test_every_pair_at_least_d_apart_is_equally_likely(n, wanted, d):
    _, first, second, _ = draw(200, [n], min_frame_distance=wanted)
    counts = np.zeros((n, n))
    np.add.at(counts, (first, second), 1)
    allowed = np.abs(np.subtract.outer(np.arange(n), np.arange(n))) >= d
    assert counts[~allowed].sum() == 0
    share = counts[allowed] / counts.sum() * allowed.sum()
    assert np.abs(share - 1).max() < 0.25


def test_without_a_distance_rule_equal_frames_occur():
    _, first, second, mirrored = draw(100, [4])
    assert abs((first == second).mean() - 0.25) < 0.02
    assert abs(mirrored.mean() - 0.5) < 0.03


def test_a_second_frame_comes_within_the_distance_and_wraps_around():
    clip, first, second, _ = (
        part.numpy() for part in draw_distant_pairs(0, tf.constant(3, tf.int64), tf.constant([9, 40]), 2000, (8, 11))
    )
    lengths = np.array([9, 40])[clip]
    assert set(((second - first) % lengths)[clip == 1]) == {8, 9, 10, 11}
    assert set(first[clip == 0]) == set(second[clip == 0]) == set(range(9))


def test_squares_move_along_the_longer_side():
    boxes, sizes = tf.constant([[20, 0, 60, 40], [0, 10, 30, 40]]), tf.constant([[80, 40], [30, 50]])
    first, last = (shifted_squares(boxes, sizes, tf.constant([u, u], tf.float64)).numpy() for u in (0.0, 0.9999))
    np.testing.assert_array_equal(first, [[0, 0, 40, 40], [0, 0, 30, 30]])
    np.testing.assert_array_equal(last, [[40, 0, 80, 40], [0, 20, 30, 50]])


def batches(clips, count, **context):
    return list(clips.batches(ReplicaContext(**context)).take(count).as_numpy_iterator())


def same(a, b):
    return all(np.array_equal(a[key], b[key]) for key in a)


def test_a_later_start_sees_the_same_batches(clips):
    whole = batches(clips, 5)
    late = batches(clips, 2, start_step=3)
    assert [b["step"] for b in late] == [3, 4]
    assert same(whole[3], late[0]) and same(whole[4], late[1])
    assert not same(whole[3], whole[4])


def test_replicas_share_the_batch_of_one(clips):
    whole = batches(clips, 2)
    halves = batches(clips, 4, replicas=2, local_replicas=2)
    second_worker = batches(clips, 2, replicas=2, first_replica=1, local_replicas=1)
    for step in range(2):
        for key in ("image", "next_joints", "position"):
            joined = np.concatenate([halves[2 * step][key], halves[2 * step + 1][key]])
            np.testing.assert_array_equal(joined, whole[step][key])
            np.testing.assert_array_equal(second_worker[step][key], whole[step][key][2:])


def test_another_seed_gives_other_batches(prepared, tiny):
    from analogy.data.clips import ClipDataset

    a, b = (batches(ClipDataset(prepared, tiny().data, seed=seed), 1)[0] for seed in (0, 1))
    assert not same(a, b)


def test_mirroring_moves_pixels_and_joints_together_and_exchanges_left_and_right(clips):
    clip = clips.test[0]
    box = clips.reader.clip_boxes([clip])[0]
    raw = clips.reader.read(tf.constant([clip.first_record], tf.int64))[0]
    plain = clips.reader.decode(raw, box)
    turned = clips.reader.decode(raw, box, tf.constant(True), True)
    original = clips.reader.decode(raw, box, tf.constant(True), False)
    np.testing.assert_array_equal(turned["image"], plain["image"][:, ::-1])
    expected = np.stack([31 - plain["joints"][:, 0], plain["joints"][:, 1]], -1)
    np.testing.assert_allclose(original["joints"], expected, atol=1e-5)
    np.testing.assert_allclose(turned["joints"], expected[list(MIRRORED)], atol=1e-5)
    np.testing.assert_array_equal(turned["visibility"], plain["visibility"].numpy()[list(MIRRORED)])
    assert MIRRORED[1] == 2 and MIRRORED[12] == 11 and MIRRORED[0] == 0
