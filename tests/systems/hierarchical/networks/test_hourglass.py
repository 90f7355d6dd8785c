"""The hourglass' shapes, and joints read from heatmaps."""

import numpy as np
import pytest
import tensorflow as tf

from analogy.models.building import build
from analogy.systems.hierarchical.networks.heatmaps import joint_heatmaps
from analogy.systems.hierarchical.networks.hourglass import StackedHourglass, read_heatmaps

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("stride", [2, 4])
def test_joints_are_read_where_they_were_drawn(stride):
    joints = RNG.uniform(3 * stride, 29 * stride, (4, 13, 2)).astype(np.float32)
    size = (32, 40)
    heatmaps = joint_heatmaps((joints + 0.5) / stride - 0.5, np.ones([4, 13]), tf.fill([4, 2], 1.0), size)
    read, peaks = read_heatmaps(heatmaps, stride)
    assert np.abs(read - joints).max() < 0.3 * stride and peaks.numpy().min() > 0.7


def test_an_empty_heatmap_has_no_peak():
    _, peaks = read_heatmaps(tf.zeros([1, 8, 8, 13]), 2)
    assert not peaks.numpy().any()


@pytest.mark.parametrize(("stride", "stacks", "side"), [(2, 1, 32), (4, 2, 16)])
def test_every_stack_has_its_heatmaps_and_every_weight_counts(stride, stacks, side):
    network = StackedHourglass(channels=16, stacks=stacks, depth=2, stride=stride)
    build(network, (None, 64, 64, 3))
    with tf.GradientTape() as tape:
        heatmaps = network(tf.constant(RNG.normal(size=(2, 64, 64, 3)), tf.float32))
        loss = tf.reduce_mean(tf.square(heatmaps - 1.0))
    assert heatmaps.shape == (stacks, 2, side, side, 13)
    gradients = tape.gradient(loss, network.trainable_variables)
    missing = [v.path for g, v in zip(gradients, network.trainable_variables, strict=True) if g is None or not np.any(g)]
    assert not missing and len({v.path for v in network.variables}) == len(network.variables)
