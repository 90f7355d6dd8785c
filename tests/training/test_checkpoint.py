"""A checkpoint holds every weight of every network, also of those that nothing trains."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from analogy.errors import UserError
from analogy.settings import SETTINGS, load_settings
from analogy.systems import SYSTEMS
from analogy.training.checkpoint import Checkpoints, load_networks
from tests.conftest import CONFIGS, TINY

MASKED = ("data.image_size=32", "generator.widths=[4, 8]", "generator.work_size=32")


def build(name, overrides, seed):
    settings = load_settings(CONFIGS / f"{name}.yaml", SETTINGS, scale="demo", overrides=overrides)
    keras.utils.set_random_seed(seed)
    system = SYSTEMS[settings.system](settings)
    system.generator.variables[0]._trainable = False  # a frozen weight: no optimiser knows it
    system.prepare_training()
    for model in system.models.values():
        for variable in model.variables:  # biases and the last layer start alike
            variable.assign(keras.random.normal(variable.shape))
    return system


@pytest.mark.parametrize(("name", "overrides"), [("analogy_pool3", TINY), ("analogy_masked", MASKED)])
def test_every_weight_is_saved_and_restored(tmp_path, name, overrides):
    saved, other, started = (build(name, overrides, seed) for seed in (0, 1, 2))
    folder = tmp_path / "run" / "checkpoints"
    Checkpoints(folder, saved, tf.Variable(4, dtype=tf.int64), 3).save([])
    step = tf.Variable(0, dtype=tf.int64)
    Checkpoints(folder, other, step, 3).restore()
    assert step.numpy() == 4
    assert load_networks(started, tmp_path / "run").endswith("step-4")
    assert load_networks(started, tmp_path).endswith("step-4")  # the newest run of a folder
    for key, model in saved.models.items():
        for restored in (other, started):
            pairs = zip(model.variables, restored.models[key].variables, strict=True)
            assert all(np.array_equal(a.numpy(), b.numpy()) for a, b in pairs)


def test_networks_of_another_shape_are_refused(tmp_path):
    Checkpoints(tmp_path / "checkpoints", build("analogy_masked", MASKED, 0), tf.Variable(4, dtype=tf.int64), 3).save([])
    for overrides in (
        (*MASKED[:1], "generator.widths=[8, 8]", MASKED[2]),
        (*MASKED[:1], "generator.widths=[4, 8, 8]", MASKED[2]),
    ):
        with pytest.raises(UserError, match="do not fit"):
            load_networks(build("analogy_masked", overrides, 0), tmp_path)
    with pytest.raises(UserError, match="there is no checkpoint"):
        load_networks(build("analogy_masked", MASKED, 0), tmp_path / "nowhere")
