"""The register of random numbers: numbers that never change, streams that differ, and no numbers beside it."""

import re
from pathlib import Path

import numpy as np
import tensorflow as tf

from analogy.data.batches import step_uniform
from analogy.random_streams import MOVIES_TO_LOOK_AT, TEST_MOVIES, DatasetStream, StepStream, generator
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS

ROOT = Path(__file__).parent.parent
REGISTER = {"analogy/random_streams.py", "analogy/data/batches.py"}
RANDOM = re.compile(
    r"default_rng|stateless_|\b(?:np|tf|numpy|tensorflow|keras)\.random\.(?!Generator\b)|^import random\b", re.M
)


def test_numbers_never_change():
    """Old runs can only be repeated with the numbers that they had. New streams add a line here."""
    steps = {"EXAMPLES": 0, "AUGMENTATION": 1, "TOLD_ACTION": 2, "MEMBERS": 3, "SCHEDULED_SAMPLING": 5, "DROPOUT": 100}
    steps |= {"LATENT": 101, "CROP": 120, "EQUIVARIANCE": 121, "OTHER_START": 122}
    datasets = {"SINES": 1, "NOISE": 2, "KTH_TEST_WINDOWS": 3, "SEQUENCE_ORDER": 4}
    datasets |= {"TEST_WINDOWS": 100, "SHARE_OF_CLIPS": 101, "TEST_FILES": 102, "UNSEEN_BALLS": 110}
    assert {stream.name: int(stream) for stream in StepStream} == steps
    assert {stream.name: int(stream) for stream in DatasetStream} == datasets
    assert (MOVIES_TO_LOOK_AT, TEST_MOVIES) == (-1, -2)


def test_what_a_number_stands_for_never_changes():
    seed, step = 7, tf.constant(11, tf.int64)
    raw = tf.random.stateless_uniform([3, 5], [tf.constant(7, tf.int64), step], dtype=tf.float64)
    np.testing.assert_array_equal(step_uniform(seed, step, StepStream.EXAMPLES, [3, 5], tf.float64), raw)
    folded = tf.random.experimental.stateless_fold_in(tf.constant([7, 11], tf.int64), 5)
    expected = tf.random.stateless_uniform([4], folded)
    np.testing.assert_array_equal(step_uniform(seed, step, StepStream.SCHEDULED_SAMPLING, [4]), expected)
    expected = np.random.default_rng([7, 4, 2]).random(4)
    np.testing.assert_array_equal(generator(seed, DatasetStream.SEQUENCE_ORDER, 2).random(4), expected)


def test_no_two_streams_of_a_run_are_alike():
    """Those of the run that draws most: pose_residual, with the members of its experiment."""
    settings = load_settings(find_experiment("pose_lstm_residual"), SYSTEMS, scale="paper")
    members = [StepStream.MEMBERS + index for index in range(settings.network.members)]
    streams = [StepStream.EXAMPLES, StepStream.AUGMENTATION, StepStream.TOLD_ACTION, *members]
    steps = [MOVIES_TO_LOOK_AT, TEST_MOVIES, 0, 1]
    draws = [step_uniform(0, step, stream, [4]).numpy() for step in steps for stream in streams]
    draws += [generator(0, stream).random(4) for stream in DatasetStream]
    assert len(members) > 1 and len({draw.tobytes() for draw in draws}) == len(draws)


def test_nothing_is_drawn_beside_the_register():
    beside = {}
    for folder in ("analogy", "data_prep"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            name = file.relative_to(ROOT).as_posix()
            if name not in REGISTER and (drawn := RANDOM.findall(file.read_text(encoding="utf-8"))):
                beside[name] = drawn
    assert beside == {}
    assert all(RANDOM.search((ROOT / name).read_text(encoding="utf-8")) for name in REGISTER)
