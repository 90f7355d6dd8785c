"""The backward warp against known answers."""

import numpy as np
import tensorflow as tf

from analogy.models.warp import backward_warp, carried_on, read_places, sharp_warp


def images(height=5, width=7, channels=2):
    return tf.constant(np.random.default_rng(0).random((2, height, width, channels), np.float32))


def constant_flow(right, down, height=5, width=7):
    return tf.tile(tf.constant([right, down], tf.float32)[None, None, None], [2, height, width, 1])


def test_zero_flow_copies():
    np.testing.assert_array_equal(backward_warp(images(), constant_flow(0, 0)), images())


def test_whole_pixels_shift_and_the_border_is_repeated():
    source = images().numpy()
    moved = backward_warp(source, constant_flow(2, -1)).numpy()  # reads from two to the right and one above
    np.testing.assert_allclose(moved[:, 1:, :-2], source[:, :-1, 2:])
    np.testing.assert_allclose(moved[:, 1:, -2:], np.repeat(source[:, :-1, -1:], 2, 2))
    np.testing.assert_allclose(moved[:, 0, :-2], source[:, 0, 2:])


def test_parts_of_a_pixel_are_bilinear():
    ramp = np.tile(np.arange(7, dtype=np.float32) + 10 * np.arange(5, dtype=np.float32)[:, None], (2, 1, 1))[..., None]
    moved = backward_warp(ramp, constant_flow(0.25, 0.5)).numpy()
    np.testing.assert_allclose(moved[:, :-1, :-1], ramp[:, :-1, :-1] + 0.25 + 5.0)


def test_the_sharp_warp_keeps_what_a_bilinear_one_takes_away():
    """A wave of 3 pixels, moved by half a pixel: bilinearly it has half of its height, the sharp warp leaves all."""
    place = np.arange(48, dtype=np.float32)
    wave, half_a_pixel_on = (np.tile(np.sin(2 * np.pi / 3 * (place + shift)), (1, 12, 1))[..., None] for shift in (0, 0.5))
    flow = tf.constant([0.5, 0.0]) + tf.zeros([1, 12, 48, 2])
    inner = np.s_[:, :, 6:-6]
    np.testing.assert_allclose(backward_warp(wave, flow)[inner], 0.5 * half_a_pixel_on[inner], atol=1e-3)
    np.testing.assert_allclose(sharp_warp(wave, flow)[inner], half_a_pixel_on[inner], atol=0.05)
    np.testing.assert_allclose(sharp_warp(wave, 0 * flow), wave, atol=1e-5)
    beyond = sharp_warp(wave, flow * 200)  # a hundred pixels to the right: the last one is repeated
    np.testing.assert_allclose(beyond, np.broadcast_to(wave[:, :, -1:], wave.shape), atol=1e-5)


def test_gradients_are_those_of_the_bilinear_surface():
    ramp = tf.tile((tf.range(7.0) + 10 * tf.range(5.0)[:, None])[None, ..., None], [2, 1, 1, 1])
    flow = constant_flow(0.25, 0.5)
    with tf.GradientTape() as tape:
        tape.watch([ramp, flow])
        total = tf.reduce_sum(backward_warp(ramp, flow))
    by_image, by_flow = tape.gradient(total, [ramp, flow])
    np.testing.assert_allclose(by_flow[:, :-1, :-1], np.tile([1.0, 10.0], (2, 4, 6, 1)), atol=1e-5)
    np.testing.assert_allclose(by_flow[:, :, -1, 0], 0.0)  # beyond the border nothing changes
    np.testing.assert_allclose(tf.reduce_sum(by_image), 2 * 5 * 7, rtol=1e-6)


def test_bfloat16_images_keep_their_type_and_columns_beyond_256():
    wide = tf.cast(tf.range(300) % 7, tf.bfloat16)[None, None, :, None]
    moved = backward_warp(wide, tf.constant([1.0, 0.0])[None, None, None] + tf.zeros([1, 1, 300, 2]))
    assert moved.dtype == tf.bfloat16
    np.testing.assert_array_equal(tf.cast(moved[0, 0, :-1, 0], tf.int32), np.arange(1, 300) % 7)


def test_a_square_is_carried_on_over_a_background_that_stands_still():
    """It came two pixels from the left, so that after three steps it is six further to the right."""
    frame, motion, expected = (np.zeros((1, 12, 16, channels), np.float32) for channels in (1, 2, 1))
    frame[:, 4:7, 3:6], motion[:, 4:7, 3:6, 0], expected[:, 4:7, 9:12] = 1, -2, 1
    moved = backward_warp(frame, carried_on(motion, 3.0)).numpy()
    np.testing.assert_allclose(moved[:, :, 7:], expected[:, :, 7:], atol=0.05)
    at_half_speed = carried_on(motion, 1.5).numpy()
    np.testing.assert_allclose(at_half_speed[:, 4:7, 6:9, 0], -3, atol=0.01)
    np.testing.assert_allclose(at_half_speed[:, :4], 0, atol=0.1)


def test_what_no_pixel_reaches_has_the_mean_flow():
    flow = carried_on(constant_flow(0, -1.5), 2.0).numpy()
    np.testing.assert_allclose(flow, constant_flow(0, -3), atol=1e-4)  # the upper rows too, into which nothing comes


def test_places_are_read_as_a_flow_reads_them():
    rng = np.random.default_rng(0)
    images, flow = rng.uniform(size=(2, 5, 7, 3)).astype(np.float32), rng.uniform(-9, 9, (2, 5, 7, 2)).astype(np.float32)
    columns = np.arange(7, dtype=np.float32) + flow[..., 0]
    rows = np.arange(5, dtype=np.float32)[:, None] + flow[..., 1]
    several = [tf.stack([part, part[::-1]], -1) for part in (columns, rows)]  # two places of each pixel
    with tf.GradientTape() as tape:
        tape.watch(several)
        read = read_places(images, *several)
        loss = tf.reduce_sum(tf.square(read[..., 0, :]))
    expected = backward_warp(tf.constant(images), tf.constant(flow))
    np.testing.assert_allclose(read[..., 0, :], expected, atol=1e-5)
    wanted = tf.constant(flow)
    with tf.GradientTape() as other:
        other.watch(wanted)
        other_loss = tf.reduce_sum(tf.square(backward_warp(tf.constant(images), wanted)))
    gradient = tf.stack([part[..., 0] for part in tape.gradient(loss, several)], -1)
    np.testing.assert_allclose(gradient, other.gradient(other_loss, wanted), atol=1e-4)
