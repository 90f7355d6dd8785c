"""Networks of the keypoint paper: published sizes, and known answers."""

import numpy as np
import pytest
import tensorflow as tf

from analogy.models.building import build, without_values
from analogy.systems.keypoints.networks.blocks import doubled
from analogy.systems.keypoints.networks.detector import Detector, ImageEncoder
from analogy.systems.keypoints.networks.plus import PlusTranslator
from analogy.systems.keypoints.networks.points import gaussian_maps, points_of_maps
from analogy.systems.keypoints.networks.translator import ImageDiscriminator, Translator

IMAGE = (None, 128, 128, 3)


def count(network, *inputs):
    with without_values():
        build(network, *inputs)
        return sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)


@pytest.mark.parametrize(
    ("keypoints", "detector", "translator"),
    [(40, 2_252_840, 3_103_876), (15, 2_252_415, 2_988_676), (60, 2_253_180, 3_196_036)],
)
def test_published_numbers_of_weights(keypoints, detector, translator):
    assert count(Detector(keypoints=keypoints), IMAGE) == detector
    assert count(Translator(), (None, 32, 32, 128 + 2 * keypoints)) == translator


def test_published_numbers_of_weights_that_do_not_depend_on_the_keypoints():
    assert count(ImageEncoder(), IMAGE) == 1_178_016
    assert count(ImageEncoder(levels=3), IMAGE) == 1_178_016 - 886_272  # without e4, which the translator does not read
    assert count(ImageDiscriminator(), IMAGE) == 44_721_088


def test_the_discriminator_pads_twice_as_published():
    network = ImageDiscriminator(width=1 / 64)
    assert network(tf.zeros([2, 128, 128, 3])).shape == (2, 6, 6, 1)


def test_a_keypoint_lies_where_its_map_is_high():
    maps = np.zeros([1, 5, 9, 2], np.float32)
    maps[0, 1, 6, 0] = maps[0, 4, 0, 1] = 1e4
    for softmax in ("marginals", "pixels"):
        points = points_of_maps(tf.constant(maps), softmax).numpy()[0]
        np.testing.assert_allclose(points, [[0.5, -0.5], [-1.0, 1.0]], atol=1e-5)
    np.testing.assert_allclose(points_of_maps(tf.zeros([1, 5, 9, 1]))[0], [[0.0, 0.0]], atol=1e-6)


def test_the_two_softmaxes_differ_as_spelt_out():
    maps = np.zeros([1, 2, 2, 1], np.float32)
    maps[0, :, :, 0] = [[np.log(3.0), 0.0], [0.0, 0.0]]
    # Of all pixels: the upper left one has 3 of 6 shares. Of marginals: the mean of log 3 and 0 is log of the root of 3.
    np.testing.assert_allclose(points_of_maps(maps, "pixels")[0, 0], [-1 / 3, -1 / 3], atol=1e-6)
    root = np.sqrt(3.0)
    np.testing.assert_allclose(points_of_maps(maps, "marginals")[0, 0], [(1 - root) / (1 + root)] * 2, atol=1e-6)


def test_gaussian_maps_have_the_published_width():
    maps = gaussian_maps(tf.constant([[[0.0, 0.0], [1.0, -1.0]]]), (33, 33)).numpy()[0]
    assert maps[16, 16, 0] == pytest.approx(1.0) and maps[0, 32, 1] == pytest.approx(1.0)
    assert maps[16, 17, 0] == pytest.approx(np.exp(-((14.3 / 16) ** 2)), rel=1e-4)
    assert maps[17, 17, 0] == pytest.approx(np.exp(-2 * (14.3 / 16) ** 2), rel=1e-4)


def test_doubling_reads_as_either_version_of_tensorflow():
    x = tf.constant(np.random.default_rng(0).normal(size=(1, 3, 4, 2)).astype(np.float32))
    np.testing.assert_allclose(doubled(x), tf.image.resize(x, [6, 8]), atol=1e-6)
    legacy = doubled(x, "legacy").numpy()
    np.testing.assert_allclose(legacy[:, ::2, ::2], x, atol=1e-6)  # read at i / 2, without a shift
    np.testing.assert_allclose(legacy[:, 1, 0], (x[:, 0, 0] + x[:, 1, 0]) / 2, atol=1e-6)


def test_the_untrained_plus_translator_moves_pixels_with_their_keypoint():
    network = PlusTranslator(keypoints=1, channels=3, widths=(4, 4), bend=True, sharpness=3.0)
    build(network, (None, 33 - 1, 32, 3), (None, 1, 2), (None, 1, 2))
    frame = np.full([1, 32, 32, 3], -1.0, np.float32)
    frame[0, 8:11, 8:11] = 1.0
    before, after = (2 * (np.array([[[place, place]]], np.float32) / 31) - 1 for place in (9, 20))
    answer, painted, mask = network(tf.constant(frame), tf.constant(before), tf.constant(after))
    assert answer[0, 20, 20, 0] > 0.2  # most of the pixel comes from where the keypoint was
    np.testing.assert_allclose(answer, mask * frame + (1 - mask) * painted, atol=1e-5)
    still, _, _ = network(tf.constant(frame), tf.constant(before), tf.constant(before))
    assert np.abs(still - frame)[0, 20:].max() < 1e-3  # where nothing moves, the reference stays
