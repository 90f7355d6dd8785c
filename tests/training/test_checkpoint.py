"""A checkpoint holds every weight of every network, also of those that nothing trains."""

import errno
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from analogy.errors import UserError
from analogy.optimizers import LossScaling
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from analogy.training.checkpoint import Checkpoints, load_networks
from tests.conftest import TINY

MASKED = ("data.image_size=32", "generator.widths=[4, 8]", "generator.work_size=32")


def build(name, overrides, seed):
    settings = load_settings(find_experiment(name), SYSTEMS, scale="demo", overrides=overrides)
    keras.utils.set_random_seed(seed)
    system = SYSTEMS[settings.system].build(settings)
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
    Checkpoints(folder, saved, tf.Variable(4, dtype=tf.int64), 3).save({})
    step = tf.Variable(0, dtype=tf.int64)
    Checkpoints(folder, other, step, 3).restore()
    assert step.numpy() == 4
    assert load_networks(started, tmp_path / "run").endswith("step-4")
    for key, model in saved.models.items():
        for restored in (other, started):
            pairs = zip(model.variables, restored.models[key].variables, strict=True)
            assert all(np.array_equal(a.numpy(), b.numpy()) for a, b in pairs)


def test_networks_of_another_shape_are_refused(tmp_path):
    Checkpoints(tmp_path / "checkpoints", build("analogy_masked", MASKED, 0), tf.Variable(4, dtype=tf.int64), 3).save({})
    for widths, message in (
        ("[8, 8]", r"do not fit \(.* has the shape \[.*\] there and \[.*\] here\)"),
        ("[4, 8, 8]", r"do not fit \(generator has \d+ weights there and \d+ here\)"),
        ("[4]", r"do not fit \(generator has \d+ weights there and \d+ here\)"),
    ):
        with pytest.raises(UserError, match=message):
            load_networks(build("analogy_masked", (*MASKED[:1], f"generator.widths={widths}", MASKED[2]), 0), tmp_path)
    with pytest.raises(UserError, match="there is no checkpoint"):
        load_networks(build("analogy_masked", MASKED, 0), tmp_path / "nowhere")


def test_some_networks_of_another_run_are_taken_by_name(tmp_path):
    saved, started = build("analogy_pool3", TINY, 0), build("analogy_pool3", TINY, 1)
    Checkpoints(tmp_path / "checkpoints", saved, tf.Variable(4, dtype=tf.int64), 3).save({})
    name, other = list(saved.models)[:2]
    before = [variable.numpy() for variable in started.models[other].variables]
    load_networks(started, tmp_path, [name])

    def same(model, values):
        return all(np.array_equal(variable.numpy(), value) for variable, value in zip(model.variables, values, strict=True))

    assert same(started.models[name], [variable.numpy() for variable in saved.models[name].variables])
    assert same(started.models[other], before)
    with pytest.raises(UserError, match=r"training\.start_from\.networks: there is no network nobody; there are generator, "):
        load_networks(started, tmp_path, ["nobody"])
    started.models["extra"] = started.models[name]
    with pytest.raises(UserError, match=r"networks: .* has no network extra; it has discriminator, generator"):
        load_networks(started, tmp_path, [name, "extra"])


class OneNetwork:
    """The least that `Checkpoints` asks of a system."""

    def __init__(self, scaled: bool = False):
        network = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(8)])
        optimizer = LossScaling(keras.optimizers.Adam()) if scaled else keras.optimizers.Adam()
        optimizer.build(network.trainable_variables)
        self.models, self.state, self.optimizers = {"network": network}, {}, {"network": optimizer}
        self.exported = [network]

    def weights(self):
        return [variable.numpy() for variable in self.models["network"].variables]


@pytest.mark.parametrize(
    ("scaled", "said"),
    [
        (True, r"another architecture \(its optimiser network scales the loss: --precision float16\)"),
        (False, r"optimiser network does not scale the loss: --precision bfloat16 or float32\)"),
    ],
)
def test_another_precision_is_no_damage(tmp_path, scaled, said, caplog):
    """Also where the run's summary.json, which says its precision, is lost."""
    Checkpoints(tmp_path, OneNetwork(scaled), tf.Variable(4, dtype=tf.int64), 3).save({})
    Checkpoints(tmp_path, OneNetwork(scaled), step := tf.Variable(0, dtype=tf.int64), 3).restore()
    with pytest.raises(UserError, match=said):
        Checkpoints(tmp_path, OneNetwork(not scaled), tf.Variable(0, dtype=tf.int64), 3).restore()
    assert step.numpy() == 4 and "damaged" not in caplog.text


@pytest.mark.parametrize("damage", ["cut", "bit", "zeros"])
@pytest.mark.parametrize("file", ["step-4.index", "step-4.data-00000-of-00001"])
def test_a_damaged_checkpoint_is_noticed_and_the_one_before_is_used(tmp_path, caplog, file, damage):
    system, step, weights = OneNetwork(), tf.Variable(0, dtype=tf.int64), {}
    checkpoints = Checkpoints(tmp_path, system, step, 3)
    for number in (2, 4):
        step.assign(number)
        for variable in system.models["network"].variables:
            variable.assign(keras.random.normal(variable.shape))
        weights[number] = system.weights()
        checkpoints.save({"rows": [[float(number)]]})
    restored, at = OneNetwork(), tf.Variable(0, dtype=tf.int64)
    whole, random = (tmp_path / file).read_bytes(), np.random.default_rng(0)
    for _ in range(4):
        spoilt, place = bytearray(whole), int(random.integers(len(whole)))
        if damage == "cut":
            spoilt = spoilt[:place]
        elif damage == "bit":
            spoilt[place] ^= 1 << int(random.integers(8))
        else:
            spoilt[place : place + 16] = bytes(len(spoilt[place : place + 16]))
        (tmp_path / file).write_bytes(spoilt)
        caplog.clear()
        pending = Checkpoints(tmp_path, restored, at, 3).restore()
        number = int(at.numpy())
        assert (number == 2) == ("damaged and left out" in caplog.text) and pending == {"rows": [[float(number)]]}
        for got, expected in zip(restored.weights(), weights[number], strict=True):
            np.testing.assert_array_equal(got, expected)


def test_a_damaged_checkpoint_takes_no_place_of_a_whole_one(tmp_path):
    system, step = OneNetwork(), tf.Variable(0, dtype=tf.int64)
    checkpoints = Checkpoints(tmp_path, system, step, 2)
    for number in (2, 4):
        step.assign(number)
        checkpoints.save({})
    data = tmp_path / "step-4.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-8] + bytes(8))
    resumed = Checkpoints(tmp_path, OneNetwork(), step, 2)
    resumed.restore()
    resumed.remove_leftovers()
    assert resumed.newest_step == int(step.numpy()) == 2 and resumed.latest.endswith("step-2")
    assert (tmp_path / "damaged-step-4.index").is_file()
    kept = []
    for number in (6, 8):  # other steps than the damaged one
        step.assign(number)
        resumed.save({})
        kept.append({index.stem for index in tmp_path.glob("step-*.index")})
    assert kept == [{"step-2", "step-6"}, {"step-6", "step-8"}]


def test_a_checkpoint_that_the_disk_refuses_is_not_called_damaged(tmp_path, monkeypatch):
    system, step = OneNetwork(), tf.Variable(2, dtype=tf.int64)
    Checkpoints(tmp_path, system, step, 3).save({})
    checkpoints = Checkpoints(tmp_path, system, step, 3)

    def refuse(path, mode):
        raise OSError(errno.ESTALE, "Stale file handle", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(OSError, match="Stale file handle"):
        checkpoints.restore()


def test_where_every_checkpoint_is_damaged_the_run_is_not_begun_anew_in_silence(tmp_path):
    system, step = OneNetwork(), tf.Variable(2, dtype=tf.int64)
    Checkpoints(tmp_path, system, step, 3).save({})
    (tmp_path / "step-2.index").write_bytes(b"")
    with pytest.raises(UserError, match="none of the 1 checkpoints can be read"):
        Checkpoints(tmp_path, system, step, 3).restore()


def test_networks_start_from_the_newest_checkpoint_that_is_whole(tmp_path):
    system, step = OneNetwork(), tf.Variable(0, dtype=tf.int64)
    checkpoints = Checkpoints(tmp_path / "checkpoints", system, step, 3)
    for number in (2, 4):
        step.assign(number)
        checkpoints.save({})
    data = tmp_path / "checkpoints" / "step-4.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:100])
    assert load_networks(OneNetwork(), tmp_path).endswith("step-2")
    (tmp_path / "checkpoints" / "step-2.index").write_bytes(b"")
    with pytest.raises(UserError, match="no checkpoint that can be read"):
        load_networks(OneNetwork(), tmp_path)


def test_networks_start_from_a_saved_model_where_there_is_no_checkpoint(tmp_path):
    exported, started, copied = OneNetwork(), OneNetwork(), OneNetwork()
    module = tf.Module()
    module.weights = [variable.value for variable in exported.models["network"].variables]
    tf.saved_model.save(module, str(tmp_path / "saved_model"))
    started.exported = [copied.models["network"]]  # such as a copy of the network that was best, which predicts
    assert load_networks(started, tmp_path) == str(tmp_path / "saved_model")
    for here, copy, there in zip(started.weights(), copied.weights(), exported.weights(), strict=True):
        np.testing.assert_array_equal(here, there)
        np.testing.assert_array_equal(copy, there)
    started.models["judge"] = started.models["network"]
    with pytest.raises(UserError, match=r"networks: .*saved_model has no network judge; it has network"):
        load_networks(started, tmp_path, ["judge"])
    larger = OneNetwork()
    larger.models = {"network": keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(9)])}
    with pytest.raises(UserError, match="its networks do not fit"):
        load_networks(larger, tmp_path)
    (tmp_path / "saved_model" / "variables" / "variables.index").write_bytes(b"")
    with pytest.raises(UserError, match="cannot be read"):
        load_networks(OneNetwork(), tmp_path)


def test_what_a_killed_save_leaves_is_removed(tmp_path):
    (tmp_path / "step-8_temp").mkdir()
    (tmp_path / "step-8_temp" / "part-00000-of-00001.data-00000-of-00001").write_bytes(b"half")
    step = tf.Variable(0, dtype=tf.int64)
    checkpoints = Checkpoints(tmp_path, OneNetwork(), step, 9)
    for number in range(5):
        step.assign(number)
        checkpoints.save({})
    (tmp_path / "checkpoint").write_bytes(b"\xff")  # the note that earlier versions kept
    (tmp_path / "step-7.data-00000-of-00001").write_bytes(b"killed before its index was written")
    Checkpoints(tmp_path, OneNetwork(), step, 3).remove_leftovers()
    assert not list(tmp_path.glob("*_temp*"))
    assert {path.name.split(".")[0] for path in tmp_path.iterdir()} == {"step-2", "step-3", "step-4"}


@pytest.mark.parametrize("name", ["a [b] #c*?", "back\\slash", "new\nline 'and' \"quotes\"", "-dash {x} %41"])
def test_a_folder_of_any_name_loses_no_checkpoint(tmp_path, name):
    """TensorFlow takes the names of checkpoints for patterns."""
    folder, neighbour = tmp_path / name / "checkpoints", tmp_path / "a b #cd?" / "checkpoints"
    system, step = OneNetwork(), tf.Variable(0, dtype=tf.int64)
    Checkpoints(neighbour, system, step, 9).save({})
    checkpoints = Checkpoints(folder, system, step, 2)
    for number in (2, 4, 6):
        step.assign(number)
        checkpoints.save({"rows": [number]})
    assert sorted(path.name for path in folder.glob("*.index")) == ["step-4.index", "step-6.index"]
    restored, at = OneNetwork(), tf.Variable(0, dtype=tf.int64)
    assert Checkpoints(folder, restored, at, 2).restore() == {"rows": [6]} and at.numpy() == 6
    started = OneNetwork()
    assert load_networks(started, folder.parent) == str(folder / "step-6")
    for got, again, expected in zip(restored.weights(), started.weights(), system.weights(), strict=True):
        np.testing.assert_array_equal(got, expected)
        np.testing.assert_array_equal(again, expected)
    assert (neighbour / "step-0.index").is_file()


def test_checkpoints_of_the_version_before_are_restored(tmp_path):
    """They were written by TensorFlow's CheckpointManager."""
    system, step = OneNetwork(), tf.Variable(3, dtype=tf.int64)
    before = Checkpoints(tmp_path, system, step, 3)
    before._pending.assign('{"rows": [1.5]}')
    manager = tf.train.CheckpointManager(before._checkpoint, str(tmp_path), max_to_keep=3, checkpoint_name="step")
    manager.save(checkpoint_number=3)
    restored, at = OneNetwork(), tf.Variable(0, dtype=tf.int64)
    assert Checkpoints(tmp_path, restored, at, 3).restore() == {"rows": [1.5]} and at.numpy() == 3
    for got, expected in zip(restored.weights(), system.weights(), strict=True):
        np.testing.assert_array_equal(got, expected)
