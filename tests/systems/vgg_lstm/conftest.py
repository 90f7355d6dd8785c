"""Tiny systems of the fourth paper, and frames for them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from analogy.data.movies import Movie
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS

TINY = (
    "data.dataset=moving_shapes", "data.image_size=32", "data.skip=1", "data.stride=1", "data.train_count=null",
    "data.test_count=2", "encoder.width=0.0625", "training.batch_size=2",
)  # fmt: skip
NEXT = (*TINY, "data.context=2", "data.horizon=2")
VAE = (*TINY, "data.context=3", "network.encoder_units=8", "network.latent_size=4", "network.decoder_units=[8]")


def settings_of(experiment, *overrides, scale="demo"):
    return load_settings(find_experiment(experiment), SYSTEMS, scale=scale, overrides=overrides)


def frames_of(count, length, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, length, 32, 32, 3), dtype=np.uint8)


def batch(length):
    values = tf.constant(frames_of(2, length), tf.float32) / 255.0
    return {"step": tf.constant(0, tf.int64), "position": tf.range(2), "values": values}


def shaken(system):
    """The system with weights large enough that its answers depend on what it reads."""
    for model in system.models.values():
        for variable in model.variables:
            variable.assign(variable + 0.2 * tf.random.stateless_normal(variable.shape, [0, len(variable.path)]))
    return system


@pytest.fixture(scope="module")
def movies():
    train, *test = (Movie(f"{index}", "roll", frames) for index, frames in enumerate(frames_of(3, 4)))
    return SimpleNamespace(name="made up", notes="", train=[train], test=test)
