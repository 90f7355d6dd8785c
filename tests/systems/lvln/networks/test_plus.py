"""The moving ladder: where it starts, and that its two ways of running agree."""

from itertools import pairwise

import numpy as np
import pytest
import tensorflow as tf

from analogy.graphs import graph_function
from analogy.models.building import build
from analogy.models.optical_flow import optical_flows
from analogy.models.warp import backward_warp
from analogy.systems.lvln.networks.plus import CANDIDATES, MovingLadder, finest_detail

SHAPE = (32, 48, 3)


def network(**changes):
    arguments = {"channels": 3, "width": 0.25, "start": "flow", "candidates": 5, "colour": True, **changes}
    made = MovingLadder(**arguments)
    build(made, (None, 2, *SHAPE), count=2)
    return made


def moving_bar(count):
    """A bar that moves two pixels to the right in each frame: float32 [1, count, 32, 48, 3]."""
    columns = np.arange(48)[None] - 2 * np.arange(count)[:, None]
    bar = np.exp(-np.square((columns - 16) / 4)).astype(np.float32)
    return np.tile(bar[None, :, None, :, None], (1, 1, 32, 1, 3))


@pytest.mark.parametrize("start", ["none", "difference"])
def test_without_flow_it_starts_by_copying_the_last_frame(start):
    frames = moving_bar(3)
    predicted, flow = network(start=start, candidates=4)(frames, count=3)
    np.testing.assert_allclose(predicted, np.repeat(frames[:, -1:], 3, 1), atol=1e-6)
    np.testing.assert_array_equal(flow, np.zeros((1, 3, 32, 48, 2)))


def test_with_flow_it_starts_by_half_of_the_motion():
    frames = moving_bar(3)
    predicted, flow = network(candidates=1)(frames, count=3)
    motion = optical_flows(frames[:, 2], frames[:, 1])[1]
    for t in (1, 2, 3):
        np.testing.assert_allclose(flow[:, t - 1], motion * t / 2, atol=1e-4)
        np.testing.assert_allclose(predicted[:, t - 1], backward_warp(frames[:, 2], motion * t / 2), atol=1e-5)
    assert np.argmax(predicted[0, 1, 16, :, 0]) == 22  # from column 20 two pixels in two frames


def test_what_would_have_predicted_the_last_frame_weighs_more():
    frames = moving_bar(3)
    made, standing = network(), np.repeat(frames[:, :1], 3, 1)
    assert made.observe(frames[:, 0], frames[:, 1], None).errors.numpy().any() == 0  # no motion yet that could go on
    half, _, all_of_it, still, soft = errors_at_the_edge(made, frames)
    assert all_of_it < half < still and all_of_it < soft
    half, _, all_of_it, still, soft = errors_at_the_edge(made, standing)
    np.testing.assert_allclose([half, all_of_it], still, atol=1e-3)
    assert still < soft
    error = abs(made(frames, count=1)[0] - moving_bar(4)[:, 3:]).numpy().mean()
    made.trust.assign(0.0)
    assert error < 0.8 * abs(made(frames, count=1)[0] - moving_bar(4)[:, 3:]).numpy().mean()


def test_errors_are_the_mean_over_all_frames_that_tell_them():
    made, frames = network(start="none"), np.random.default_rng(0).random((1, 5, *SHAPE)).astype(np.float32)
    of_each_frame = [errors(made, frames[:, first : first + 3]) for first in range(3)]
    np.testing.assert_allclose(errors(made, frames), np.mean(of_each_frame, 0), atol=1e-4)


def test_earlier_errors_go_along_with_the_motion():
    made, frames = network(), moving_bar(4)
    half, _, all_of_it, still, soft = errors_at_the_edge(made, frames)
    assert all_of_it < half < still and all_of_it < soft
    edge_now, edge_before = errors(made, frames)[0, 16, 18], errors(made, frames[:, :3])[0, 16, 16]
    np.testing.assert_allclose(edge_now, edge_before, atol=0.5)


def errors_at_the_edge(made, frames):
    return errors(made, frames)[0, 16, 16]


def errors(made, frames):
    scene = None
    for before, frame in pairwise(tf.unstack(tf.constant(frames), axis=1)):
        scene = made.observe(before, frame, scene)
    return scene.errors.numpy()


def waves(pixels):
    """Vertical stripes, a wave of so many pixels: float32 [1, 12, 48, 3]."""
    wave = np.cos(2 * np.pi * (np.arange(48) + 0.5) / pixels).astype(np.float32)
    return np.tile(wave[None, None, :, None], (1, 12, 1, 3))


def test_the_finest_detail_is_what_changes_from_pixel_to_pixel():
    for pixels, share in ((3, 27 / 64), (4, 1 / 8), (8, 0.0031)):
        inside = (slice(None), slice(None), slice(3, -3))
        np.testing.assert_allclose(finest_detail(waves(pixels))[inside], share * waves(pixels)[inside], atol=1e-3)
    assert not np.any(finest_detail(np.full((1, 8, 8, 3), 0.5, np.float32)))


def test_finest_detail_of_the_last_frame_is_added_where_the_blend_has_lost_it():
    last = np.random.default_rng(0).random((1, *SHAPE)).astype(np.float32)
    made, still, flat = network(detail=0.5), np.zeros((1, *SHAPE[:2], 2), np.float32), np.full_like(last, 0.5)
    np.testing.assert_allclose(made._with_detail(flat, still, finest_detail(last)), flat + finest_detail(last) / 2, atol=1e-3)
    np.testing.assert_allclose(made._with_detail(last, still, finest_detail(last)), last, atol=1e-6)
    half = (flat + last) / 2  # it has half of the detail
    np.testing.assert_allclose(made._with_detail(half, still, finest_detail(last)), half + finest_detail(last) / 4, atol=1e-3)
    more = 2 * last - flat  # it has twice the detail
    np.testing.assert_allclose(made._with_detail(more, still, finest_detail(last)), more, atol=1e-6)


def test_detail_is_lost_around_a_pixel_and_moves_with_the_flow():
    last = np.random.default_rng(0).random((1, 32, 96, 3)).astype(np.float32)
    made, still = network(detail=0.5), np.zeros((1, 32, 96, 2), np.float32)
    flat = np.full_like(last, 0.5)
    sided = np.concatenate([flat[:, :, :48], last[:, :, 48:]], 2)
    added = (made._with_detail(sided, still, finest_detail(last)) - sided).numpy()
    np.testing.assert_allclose(added[:, :, :24], finest_detail(last)[:, :, :24] / 2, atol=2e-2)  # far from the seam
    np.testing.assert_allclose(added[:, :, 72:], 0, atol=1e-3)
    stripes = np.where(np.arange(96)[:, None] % 2, last, flat)  # half of the detail around every pixel
    added = (made._with_detail(stripes, still, finest_detail(last)) - stripes).numpy()
    assert np.corrcoef(added[:, :, 1::2].ravel(), finest_detail(last).numpy()[:, :, 1::2].ravel())[0, 1] > 0.95
    moved = made._with_detail(flat, still + np.float32([2, 0]), finest_detail(last)) - flat
    np.testing.assert_allclose(moved[:, 4:-4, 4:-8], finest_detail(last)[:, 4:-4, 6:-6] / 2, atol=2e-3)


def test_the_blend_without_the_finest_detail_is_read_as_the_next_frame():
    frames = np.random.default_rng(0).random((1, 3, *SHAPE)).astype(np.float32)
    plain, made = network(start="none"), network(start="none", detail=0.5)
    plain.set_weights(made.get_weights())
    blend, _ = made(frames, count=2)
    without, _, same = plain.roll(frames, 2)
    np.testing.assert_allclose(without, blend, atol=1e-5)
    predicted, flows, scene = made.roll(frames, 2)
    for step in range(2):
        expected = made._with_detail(blend[:, step], flows[:, step], finest_detail(frames[:, -1]))
        np.testing.assert_allclose(predicted[:, step], expected, atol=1e-5)
    assert abs(predicted - blend).numpy().mean() > 0.05
    for ours, theirs in zip(tf.nest.flatten(scene.states), tf.nest.flatten(same.states), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def randomised(made):
    for variable in made.trainable_variables:
        variable.assign(tf.random.stateless_normal(variable.shape, [1, 2]) * 0.1)
    return made


def test_the_frame_before_shows_what_the_last_one_hides():
    """A spot, which stands still, is gone in the last frame: of all candidates the frame before alone still has it."""
    frames = moving_bar(3) * 0
    frames[:, :2, 10:14, 30:34] = 1.0
    made = network(candidates=7, start="none")
    scene = made.observe(frames[:, 1], frames[:, 2], None)
    np.testing.assert_array_equal(scene.images["before"], frames[:, 1])
    predicted, _ = made(frames, count=1)
    share = CANDIDATES[5].weight / sum(candidate.weight for candidate in CANDIDATES)
    assert 0 < predicted.numpy()[0, 0, 12, 32, 0] <= share and predicted.numpy()[0, 0, 12, 2, 0] == 0


def test_candidates_go_on_with_motions_of_three_levels():
    frames = moving_bar(2)
    scene = network(candidates=7).observe(frames[:, 0], frames[:, 1], None)
    levels = optical_flows(frames[:, 1], frames[:, 0])
    for name, level in (("fine", levels[0]), ("coarse", levels[1]), ("coarsest", levels[-1])):
        np.testing.assert_allclose(scene.motions[name], level, atol=1e-6)
    assert abs(levels[0] - levels[1]).numpy().max() > 0.01


@pytest.mark.slow
def test_any_number_of_frames_gives_the_same_as_a_fixed_number():
    made, frames = randomised(network(candidates=7)), tf.constant(moving_bar(5))
    fixed = made(frames, count=3)
    roll = graph_function(made.roll)
    for a, b in zip(fixed, roll(frames, tf.constant(3))[:2], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    predicted, _, scene = roll(frames, tf.constant(0))
    assert predicted.shape == (1, 0, *SHAPE)
    read = None
    for before, frame in pairwise(tf.unstack(frames, axis=1)):
        read = made.observe(before, frame, read)
    for (a,), (b,) in zip((level[0] for level in scene.states), (level[0] for level in read.states), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_every_weight_is_trained():
    made = randomised(network(candidates=7))
    with tf.GradientTape() as tape:
        predicted, _ = made(moving_bar(3), count=2)
        error = tf.reduce_mean(tf.square(predicted - moving_bar(5)[:, 3:]))
    for variable, gradient in zip(made.trainable_variables, tape.gradient(error, made.trainable_variables), strict=True):
        assert gradient is not None and np.any(gradient), variable.path
