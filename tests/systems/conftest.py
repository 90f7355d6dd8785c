"""A made-up batch of the tiny experiment, and steps on one replica beside two."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from analogy.graphs import graph_function
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS


def build_system(experiment, *overrides):
    """A system of an experiment's demo scale, ready to train, its weights drawn anew from seed 0."""
    settings = load_settings(find_experiment(experiment), SYSTEMS, scale="demo", overrides=overrides)
    keras.utils.set_random_seed(0)
    system = SYSTEMS[settings.system].build(settings)
    system.prepare_training()
    return system


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    b, side = 4, 32
    arrays = {"step": np.int64(3), "position": np.arange(b, dtype=np.int32)}
    for prefix in ("", "next_"):
        arrays |= {
            f"{prefix}image": rng.integers(0, 256, (b, side, side, 3), dtype=np.uint8),
            f"{prefix}joints": rng.uniform(0, side, (b, 13, 2)).astype(np.float32),
            f"{prefix}visibility": rng.integers(0, 2, (b, 13)).astype(np.float32),
            f"{prefix}crop": rng.uniform(60, 120, (b, 2)).astype(np.float32),
        }
    return {name: tf.constant(array) for name, array in arrays.items()}


@pytest.fixture
def train_side_by_side(batch, two_replicas):
    """train_side_by_side(one, two): three steps of `one` on the batch, and of `two`, built for two replicas, on its halves;
    their reports agree."""

    def train(one, two):
        def half(context):
            r = context.replica_id_in_sync_group
            return {k: v if k == "step" else v[2 * r : 2 * r + 2] for k, v in batch.items()}

        halves = two_replicas.experimental_distribute_values_from_function(half)
        step = graph_function(lambda: two_replicas.run(two.train_step, (halves,)))
        for _ in range(3):
            expected = one.train_step(batch)
            got = {k: two_replicas.reduce("SUM", v, axis=None) for k, v in step().items()}
            for name in expected:
                np.testing.assert_allclose(got[name], expected[name], rtol=1e-5, atol=1e-6, err_msg=name)

    return train
