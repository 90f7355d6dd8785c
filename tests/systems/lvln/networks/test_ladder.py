"""The ladder's parts, and its sizes against the published code's."""

from functools import partial

import numpy as np
import pytest
import tensorflow as tf

from analogy.models.building import build, without_values
from analogy.models.rollout import roll, unroll
from analogy.systems.lvln.networks.ladder import Head, Ladder
from analogy.systems.lvln.networks.lateral import LocationConv, location_maps
from analogy.systems.lvln.networks.toy import ToyLadder

# What the published networks hold beside ours: ResNet's last layer, and a linear layer that nothing uses.
RESNET_FC, UNUSED = 513_000, 5_130


def count(variables) -> int:
    return sum(int(np.prod(variable.shape)) for variable in variables)


@pytest.mark.parametrize(
    ("size", "arguments", "whole", "without_resnet"),
    [
        ((128, 160), {}, 38_132_309, 26_442_797),
        ((64, 96), {}, 38_131_469, None),
        ((64, 96), {"full_resolution": True}, 30_777_781, 19_088_269),
    ],
)
def test_the_published_numbers_of_weights(size, arguments, whole, without_resnet):
    with without_values():
        network = Ladder(**arguments)
        build(network, (None, *size, 3))
    ours = count(network.trainable_variables)
    assert ours + RESNET_FC + UNUSED == whole
    if without_resnet:
        assert ours - count(network.encoder.trainable_variables) + UNUSED == without_resnet


def test_a_head_at_half_resolution_has_a_weight_for_each_of_its_320_channels():
    heads = [Head(3, kind) for kind in ("shuffle", "bilinear")]
    for head in heads:
        assert head(tf.zeros([1, 4, 6, 320])).shape == (1, 8, 12, 3)
    assert [count(head.trainable_variables) for head in heads] == [80 * 3 + 3, 320 * 3 + 3]


def test_location_maps_and_their_published_fault():
    rows, columns = location_maps(3, 5)
    np.testing.assert_array_equal(rows[:, 0], [0, 0.5, 1])
    np.testing.assert_array_equal(columns[1], [0, 0.25, 0.5, 0.75, 1])
    rows, columns = location_maps(16, 20, "published")
    np.testing.assert_allclose(columns[7], [*(np.arange(16) / 15), 1, 1, 1, 1], atol=1e-6)
    np.testing.assert_allclose(rows[15], 1)


def test_the_location_convolution_by_hand():
    layer = LocationConv(2, columns="correct")
    x = tf.random.stateless_normal([1, 3, 5, 4], [0, 1])
    layer(x)
    layer.maps.assign(np.random.default_rng(0).normal(size=(3, 3, 5)))
    p0, p1, p2 = layer.maps.numpy()
    rows, columns = location_maps(3, 5)
    plain = np.einsum("bijc,cd->bijd", x, layer.convolution.kernel.numpy()[0, 0]) + layer.convolution.bias.numpy()
    np.testing.assert_allclose(layer(x), plain + (p0 * columns + p1 * rows + p2)[None, ..., None], atol=1e-5)


KINDS = {
    "shuffle": lambda: Ladder(width=0.0625),
    "nearest": lambda: Ladder(width=0.0625, head="nearest"),
    "bilinear, grey": lambda: Ladder(width=0.0625, head="bilinear", channels=1),
    "full resolution": lambda: Ladder(width=0.0625, full_resolution=True),
    "toy": lambda: ToyLadder(width=0.0625),
}


@pytest.fixture(scope="module", params=KINDS)
def network(request):
    network = KINDS[request.param]()
    network(tf.zeros([1, 32, 64, network.head.channels]))
    return network


def test_a_frame_gives_a_frame_and_remembers(network):
    frames = tf.random.stateless_uniform([2, 2, 32, 64, network.head.channels], [0, 1])
    answer, states = network(frames[:, 0])
    assert answer.shape == frames[:, 0].shape and answer.dtype == tf.float32
    fresh, _ = network(frames[:, 1])
    informed, _ = network(frames[:, 1], states)
    assert np.abs(informed - fresh).max() > 1e-4  # what came before matters
    (largest,) = states[0][2]
    assert tuple(largest.shape[1:3]) == ((32, 64) if getattr(network, "full", None) else (16, 32))


@pytest.mark.parametrize("silent", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_a_loop_predicts_what_the_unrolled_steps_predict(network, silent):
    frames = tf.random.stateless_uniform([2, 3, 32, 64, network.head.channels], [0, 2])
    cell = partial(network, training=False)
    predicted = tf.stack(unroll(cell, frames, 2, silent=silent), 1)
    answers, _ = roll(cell, frames, tf.constant(1 + silent), [lateral.zero_states(2) for lateral in network.laterals])
    np.testing.assert_allclose(answers[:, -2:], predicted, atol=1e-4)


class Counter:
    """A cell that predicts the number after the one that it reads, and remembers all that it has read."""

    def __call__(self, frame, states):
        return frame + 1.0, [tf.concat([*(states or []), frame], -1)]


def test_what_is_read_at_each_step():
    """The call order of the published three-frame network, and of the paper's (spec section 2.5): inputs, then answers."""
    frames = tf.reshape([0.0, 10.0, 20.0], [1, 3, 1, 1, 1])

    def predicted(silent):
        return [float(tf.squeeze(frame)) for frame in unroll(Counter(), frames, 3, silent=silent)]

    assert predicted(0) == [21, 22, 23] and predicted(1) == [22, 23, 24]


def test_states_after_own_answers():
    frames = tf.reshape([0.0, 10.0], [1, 2, 1, 1, 1])

    def cell(frame, states):
        return frame + 1.0, [states[0] * 100 + frame]

    answers, (state,) = roll(cell, frames, 2, [tf.zeros([1, 1, 1, 1])])
    assert tf.reshape(answers, [-1]).numpy().tolist() == [1, 11, 12, 13]
    assert float(tf.squeeze(state)) == ((0 * 100 + 10) * 100 + 11) * 100 + 12


def test_training_mode_moves_a_frozen_encoders_statistics_only_where_it_is_asked():
    frame = tf.random.stateless_uniform([2, 32, 64, 3], [0, 3])
    for asked in (True, False):
        network = Ladder(width=0.0625, encoder_in_training=asked)
        network(frame, training=True)
        assert bool(np.any(network.encoder.bn1.moving_mean)) is asked
        assert np.any(network.rises[0].norm.moving_mean)
