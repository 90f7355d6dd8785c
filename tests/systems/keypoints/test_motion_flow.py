"""Our motion generator: futures as sums of cosines, the way from noise to a future, and the guidance by the action."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from analogy.errors import UserError
from analogy.resolve import resolve_settings
from analogy.systems.keypoints.motion_flow import MotionFlowSystem
from analogy.systems.keypoints.networks.flow import FutureFlow

RNG = np.random.default_rng(0)


def flow(**sizes) -> FutureFlow:
    return FutureFlow(**{"keypoints": 3, "horizon": 6, "units": 4, "blocks": 1, "basis": 6, **sizes})


def test_as_many_cosines_as_steps_hold_every_future_and_fewer_its_slow_part():
    future = RNG.normal(size=(2, 6, 3, 2)).astype(np.float32)
    whole = flow()
    np.testing.assert_allclose(whole.future(whole.coefficients(future)), future, atol=1e-6)
    slow = flow(basis=1)
    assert slow.size == 6
    mean = np.broadcast_to(future.mean(1, keepdims=True), future.shape)
    np.testing.assert_allclose(slow.future(slow.coefficients(future)), mean, atol=1e-6)


def test_each_block_begins_as_the_identity():
    network = flow(blocks=2)
    point, first = tf.constant(RNG.normal(size=(2, network.size)), tf.float32), tf.zeros([2, 3, 2])
    assert network(point, tf.constant([0.0, 0.5]), first, tf.one_hot([0, 1], 2)).shape == (2, network.size)
    x, condition = tf.constant(RNG.normal(size=(2, 4)), tf.float32), tf.zeros([2, 20])
    for block in network.blocks:
        np.testing.assert_array_equal(block(x, condition), x)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(("guidance", "expected"), [(1.0, [5.0, 7.0]), (4.0, [14.0, 22.0]), (0.0, [2.0, 2.0])])
def test_guidance_leads_further_away_from_what_is_told_without_the_action(guidance, expected):
    """A network that is sure of the end of every way: 2 where it is not told the action, 5 and 7 for the two actions."""
    times = []

    def told(point, time, first, action):
        times.append(float(time[0]))
        ends = 2.0 + tf.reduce_sum(action * [[3.0, 5.0]], 1)
        return tf.repeat(ends[:, None], 2, 1)

    told.future = lambda point: point
    settings = SimpleNamespace(network=SimpleNamespace(sampling_steps=4, guidance=guidance))
    system = SimpleNamespace(settings=settings, actions=["bow", "wave"], flow=told)
    system._guided_end = lambda *inputs: MotionFlowSystem._guided_end(system, *inputs)
    latent = tf.constant(RNG.normal(size=(2, 2)), tf.float32)
    future = MotionFlowSystem.future(system, latent, tf.zeros([2, 1, 2]), tf.one_hot([0, 1], 2))
    np.testing.assert_allclose(future, np.repeat(np.float32(expected)[:, None], 2, 1), rtol=1e-5)
    assert times == [0.0, 0.25, 0.5, 0.75]


def test_more_cosines_than_steps_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"network\.basis is 12: futures have data\.horizon=8 steps; set at most as many"):
        resolve_settings(
            "keypoints_plus_motion", results_dir=tmp_path, scale="demo", overrides=["data.horizon=8"], writes=False
        )
