"""What every system promises, whatever it learns. A new system adds a row to tests/promise_rows.py, and is asked all of it.

The data are drawn as training draws them.

Graphs, exports and second systems take seconds a row: promises that need them are asked of one row of each paper in the quick
tests (`QUICK_ROWS`), and of all others in the slow ones.
"""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf

from analogy.data.batches import ReplicaContext
from analogy.graphs import graph_function
from analogy.runs.conversion import made_up
from analogy.runs.formats import export_run
from analogy.settings import find_experiment, list_experiments, load_settings
from analogy.systems import SYSTEMS
from analogy.training.checkpoint import Checkpoints
from analogy.training.precision import use_precision
from data_prep.datasets import DATASETS, find_opening, open_dataset
from tests.conftest import functions_run_eagerly
from tests.promise_rows import BATCH, EXPORTED, FORECASTERS, QUICK_ROWS, ROWS, Row, Rows, all_variables, others_are_slow
from tests.spoilt_future import spoil_future


@pytest.fixture(params=others_are_slow(ROWS))
def row(request) -> Row:
    return ROWS[request.param]


@pytest.fixture(scope="session")
def all_rows(actors, cache, tmp_path_factory) -> Rows:
    return Rows(actors, cache, tmp_path_factory.mktemp("exports"))


@pytest.fixture
def rows(all_rows) -> Iterator[Rows]:
    yield all_rows
    all_rows.restore()


def plain_descent(settings) -> list[str]:
    """Overrides: gradient descent for every optimiser. Adam would blow the rounding of a small gradient up to a whole step."""
    names = [name for name in type(settings).model_fields if name.endswith("optimizer")]
    return [f"{name}.{key}" for name in names for key in ("name=sgd", "learning_rate=0.01", "weight_decay=0")]


def weights(system) -> dict[str, np.ndarray]:
    """Every number that a checkpoint must hold."""
    models = {**system.models, **system.state}
    numbers = {f"{name}/{i}": v.numpy().copy() for name, m in models.items() for i, v in enumerate(m.variables)}
    for name, optimizer in system.optimizers.items():
        numbers |= {f"{name} optimiser/{i}": v.numpy().copy() for i, v in enumerate(optimizer.variables)}
    return numbers


def assert_close(left: dict, right: dict, **tolerance) -> None:
    assert left.keys() == right.keys() and left
    for name, value in left.items():
        np.testing.assert_allclose(right[name], value, err_msg=name, **tolerance)


# ---------------------------------------------------------------- the list is complete


def test_systems_rows_experiments_and_datasets_agree():
    systems = {load_settings(find_experiment(row.experiment), SYSTEMS, scale="demo").system for row in ROWS.values()}
    assert systems == set(SYSTEMS)
    listed = list_experiments()
    papers = {listed[ROWS[name].experiment].paper for name in QUICK_ROWS}
    assert papers == {entry.paper for entry in SYSTEMS.values()}  # the quick tests ask each paper
    kinds = set()
    for name, experiment in listed.items():
        for scale in ("paper", "demo"):
            settings = load_settings(experiment.path, SYSTEMS, scale=scale)
            assert settings.system in systems and SYSTEMS[settings.system].paper == experiment.paper, name
            find_opening(settings)  # raises an error if the dataset does not go with the system
            kinds.add(settings.data.kind)
    assert all(kinds & set(entry.openings) for entry in DATASETS.values())  # each goes with an experiment


# ---------------------------------------------------------------- training


def gradients_asked_for(system, monkeypatch) -> dict[str, list]:
    """The name of each optimiser -> what it is given from now on: lists of gradients and of variables."""
    asked: dict[str, list] = {}
    for name, optimizer in system.optimizers.items():

        def apply(gradients, variables=None, *, name=name, applied=optimizer.apply):
            asked.setdefault(name, []).append((list(gradients), list(variables)))
            return applied(gradients, variables)

        monkeypatch.setattr(optimizer, "apply", apply)
    return asked


def assert_every_trained_weight_gets_a_gradient_of_its_shape(system, asked: dict[str, list]) -> None:
    """asked: in one step, from `gradients_asked_for`."""
    assert asked.keys() == system.optimizers.keys() and asked
    for (gradients, variables), *others in asked.values():
        assert not others and len(gradients) == len(variables) > 0
        for gradient, variable in zip(gradients, variables, strict=True):
            assert gradient is not None and tuple(gradient.shape) == tuple(variable.shape), variable.path
            assert np.isfinite(gradient).all() and np.any(gradient), variable.path


def test_half_precision_trains_with_terms_in_full_precision(row, rows):
    """Layers compute in bfloat16, where the machine is quicker with it; losses, places and images must not."""
    with use_precision("bfloat16"):
        system = rows.build(row)
        report = system.train_step(next(iter(system.train_batches(rows.dataset(row), ReplicaContext(batch_size=BATCH)))))
    for name, value in report.items():
        assert np.asarray(value).dtype == np.float32 and np.isfinite(value), name
    for model in system.models.values():
        for variable in model.trainable_variables:
            assert variable.dtype == "float32" and np.isfinite(variable).all(), variable.path


@pytest.mark.usefixtures("graphs_as_traced")
def test_a_step_has_a_gradient_for_every_weight_and_is_one_of_two_replicas_in_a_graph(row, rows, two_replicas, monkeypatch):
    eager, plain = rows.system(row), plain_descent(rows.settings(row))
    with two_replicas.scope():
        double = rows.build(row, *plain)
    monkeypatch.setattr(eager, "settings", double.settings)
    monkeypatch.setattr(eager, "optimizers", {})
    eager.prepare_training()
    asked = gradients_asked_for(eager, monkeypatch)
    share = BATCH // 2
    step = graph_function(lambda parts: two_replicas.run(double.train_step, (parts,)))
    for batch in rows.batches(row)[:2]:

        def part(context, batch=batch):
            first = share * context.replica_id_in_sync_group
            return {name: value[first : first + share] if value.shape.rank else value for name, value in batch.items()}

        got = step(two_replicas.experimental_distribute_values_from_function(part))
        asked.clear()
        expected = eager.train_step(batch)
        assert_every_trained_weight_gets_a_gradient_of_its_shape(eager, asked)
        assert all(np.isfinite(value) for value in expected.values())
        assert_close(expected, {k: two_replicas.reduce("SUM", v, axis=None) for k, v in got.items()}, rtol=1e-3, atol=1e-5)
        assert_close(weights(eager), weights(double), rtol=1e-3, atol=1e-4)
        for model in double.models.values():
            for variable in model.variables:
                copies = two_replicas.experimental_local_results(variable.value)
                np.testing.assert_array_equal(copies[0], copies[-1], err_msg=variable.path)
        # Both go on from the same numbers: near the kink of a ReLU, this step's rounding may be another gradient in the next.
        with two_replicas.scope():
            for variable, other in zip(all_variables(eager), all_variables(double), strict=True):
                other.assign(variable.numpy())


def test_a_resumed_training_is_exact(row, rows, tmp_path):
    """One system trains on after its checkpoint, another one begins with the checkpoint, and draws its batches from there: the
    same ones. Both end with the same weights, slots of optimisers and other numbers."""
    dataset = rows.dataset(row)
    undisturbed, resumed = rows.system(row), rows.start(row)
    first, *further = rows.batches(row)
    undisturbed.train_step(first)
    undisturbed.validate(dataset)
    Checkpoints(tmp_path, undisturbed, tf.Variable(1, dtype=tf.int64), 1).save({})
    for model in resumed.models.values():
        for variable in model.variables:
            variable.assign(variable + 1.0)
    step = tf.Variable(0, dtype=tf.int64)
    Checkpoints(tmp_path, resumed, step, 1).restore()
    assert int(step.numpy()) == 1
    assert_close(weights(undisturbed), weights(resumed), rtol=0, atol=0)
    from_there = ReplicaContext(batch_size=BATCH, start_step=1)
    again = list(resumed.train_batches(dataset, from_there).take(2))
    for batch, same in zip(further, again, strict=True):
        assert_close(batch, same, rtol=0, atol=0)
    undisturbed.train_step(further[0])
    resumed.train_step(again[0])
    assert_close(weights(undisturbed), weights(resumed), rtol=0, atol=0)


# ---------------------------------------------------------------- prediction


@pytest.mark.parametrize("name", FORECASTERS)
def test_predictions_do_not_depend_on_future_frames(name, rows, eagerly):
    """Of every kind of dataset the future is spoilt in another way; what a system is told of it by its paper (the poses to
    come, the clip's box) stays."""
    row = ROWS[name]
    system, dataset, spoilt = rows.system(row), rows.dataset(row), open_dataset(rows.settings(row))
    spoil_future(spoilt, getattr(system, "context", 1))
    pairs = list(zip(system.predict_clips(dataset), system.predict_clips(spoilt), strict=True))
    assert pairs
    for truly, otherwise in pairs:
        assert np.ptp(truly.prediction) > 0
        np.testing.assert_array_equal(truly.prediction, otherwise.prediction)


# What they predict of a clip depends on more than that clip; and two that are plain.
SHARED = [
    "pose_lstm",
    "pose_hourglass",
    "analogy_gan",
    "keypoints_plus",
    "keypoints_motion",
    "lvln, toy",
    "lvln_classifier",
    "vgg_lstm_vae",
    "seq2seq",
]


@pytest.mark.parametrize("name", others_are_slow(SHARED))
def test_what_two_workers_predict_is_what_one_predicts(name, rows, eagerly):
    """Bit for bit, and with the same pictures."""
    system, dataset = rows.system(ROWS[name]), rows.dataset(ROWS[name])
    whole = list(system.predict_clips(dataset))
    shares = [list(system.predict_clips(dataset, slice(number, None, 2))) for number in range(2)]
    assert len(whole) > 1 and len(shares[0]) + len(shares[1]) == len(whole)
    for number, clip in enumerate(whole):
        same = shares[number % 2][number // 2]
        assert (same.clip, same.action, same.with_pictures) == (clip.clip, clip.action, clip.with_pictures)
        for method, figures in clip.measure().items():
            assert_close(figures, same.measure()[method], rtol=0, atol=0)


def test_no_system_passes_over_the_share_that_it_is_asked_for():
    for name, entry in SYSTEMS.items():
        assert inspect.getsource(entry.system.predict_clips).count("share") > 1, name


# ---------------------------------------------------------------- export

# Runs in a process that has nothing of ours: every SavedModel, every endpoint, as a signature and as a method.
STRANGER = """
import sys
import numpy as np
import tensorflow as tf

for folder in sys.argv[1:]:
    loaded = tf.saved_model.load(folder + "/saved_model")
    given = np.load(folder + "/inputs.npz")
    answers, endpoints = {}, set(loaded.signatures) - {"serving_default"}
    default, first = loaded.signatures["serving_default"], loaded.signatures[str(given["first"])]
    assert default.structured_outputs == first.structured_outputs
    assert default.structured_input_signature == first.structured_input_signature
    for endpoint in endpoints:
        names = [key for key in given if key.startswith(endpoint + "/")]
        arguments = {key.split("/")[1]: tf.constant(given[key]) for key in names}
        for way, call in (("signature", loaded.signatures[endpoint]), ("method", getattr(loaded, endpoint))):
            answers |= {f"{endpoint}/{way}/{key}": value.numpy() for key, value in call(**arguments).items()}
    np.savez(folder + "/answers.npz", **answers)
foreign = {"analogy", "data_prep", "pydantic", "typer", "tensorflow_datasets"} & set(sys.modules)
assert not foreign, foreign
"""


@pytest.fixture(scope="session")
def exports(all_rows, request):
    """row's name -> (what the system itself answers, what its SavedModel answers elsewhere), by endpoint and output."""
    asked = {item.callspec.params.get("exported") for item in request.session.items if hasattr(item, "callspec")}
    ours = {}
    for name in sorted(asked - {None}):
        folder = all_rows.export(ROWS[name]).parent
        inputs, answers = {}, {}
        for endpoint, function in all_rows.system(ROWS[name]).endpoints().items():
            rng = np.random.default_rng(0)
            given = {spec.name: made_up(spec, rng) for spec in function.input_signature}
            inputs |= {f"{endpoint}/{key}": value for key, value in given.items()}
            with functions_run_eagerly():
                outputs = function(*(tf.constant(value) for value in given.values()))
            answers |= {f"{endpoint}/{key}": value.numpy() for key, value in outputs.items()}
        np.savez(folder / "inputs.npz", **inputs, first=next(iter(all_rows.system(ROWS[name]).endpoints())))
        ours[name] = (folder, answers)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-c", STRANGER, *(str(folder) for folder, _ in ours.values())]
    done = subprocess.run(command, cwd=all_rows.folder, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    return {name: (answers, dict(np.load(folder / "answers.npz"))) for name, (folder, answers) in ours.items()}


@pytest.mark.parametrize("exported", others_are_slow(EXPORTED))
def test_an_export_answers_alike_in_a_process_of_its_own(exported, exports):
    ours, theirs = exports[exported]
    assert ours and len(theirs) == 2 * len(ours)
    for key, expected in ours.items():
        endpoint, output = key.split("/")
        assert np.ptp(expected.astype(float)) > 0 or output == "visibility", "too even an answer to compare"
        for way in ("signature", "method"):
            got = theirs[f"{endpoint}/{way}/{output}"]
            assert got.dtype == expected.dtype and got.shape == expected.shape
            pixels = 1e-2 if output == "flow" else 1e-3  # of noise, where pixels that meet are nearly as fast as each other
            tolerance = {"atol": 1} if expected.dtype == np.uint8 else {"rtol": 1e-3, "atol": pixels}
            np.testing.assert_allclose(got.astype(float), expected.astype(float), **tolerance)


@pytest.mark.parametrize("name", others_are_slow(["seq2seq", "analogy_masked", "pose_residual", "convlstm"]))
def test_what_is_measured_of_an_export_is_what_was_exported(name, rows):
    row = ROWS[name]
    system, dataset = rows.system(row), rows.dataset(row)
    expected = next(iter(system.predict_clips(dataset))).measure()["prediction"]
    system.use_export(tf.saved_model.load(str(rows.export(row))))
    for model in system.exported:
        for variable in model.variables:
            variable.assign(tf.zeros_like(variable))
    assert_close(expected, next(iter(system.predict_clips(dataset))).measure()["prediction"], rtol=1e-3, atol=1e-3)


# ---------------------------------------------------------------- other runtimes

# row -> format -> the endpoints that it can take: the painters, the pose predictor, keypoints' three parts, the ConvLSTM.
CONVERTED = {
    "convlstm": {"tflite": {"predict"}, "onnx": {"predict"}},
    "pose_residual": {"tflite": {"predict"}, "onnx": {"predict"}},
    "analogy_gan": {"tflite": {"generate"}, "onnx": {"generate", "generate_clip"}},
    "analogy_masked": {"tflite": {"generate"}, "onnx": {"generate", "generate_clip"}},
    "keypoints_plus": {"tflite": {"detect", "translate"}, "onnx": {"detect", "translate"}},
    "keypoints_flow": {"tflite": {"decode"}, "onnx": {"decode"}},
    "keypoints_motion": {"tflite": {"decode"}, "onnx": {"decode"}},
}


@pytest.mark.slow
@pytest.mark.parametrize("format", ["tflite", "onnx"])
@pytest.mark.parametrize("name", CONVERTED)
def test_an_endpoint_answers_alike_in_another_runtime(name, format, all_rows, tmp_path):
    """To a grey level, or 1e-3: `export_run` refuses what differs more."""
    if format == "onnx":
        for package in ("tf2onnx", "onnxruntime"):
            pytest.importorskip(package, reason="the packages of the extra `onnx` are not installed")
    export_run(all_rows.export(ROWS[name]), format, tmp_path / "out")
    assert {path.stem for path in (tmp_path / "out").glob(f"*.{format}")} == CONVERTED[name][format]


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--set", "training.stepz=3"), "the nearest valid one is training.steps"),
        (("--set", "training.batch_size=0"), "training.batch_size"),
        (("--set", "data=3"), "data"),
        (("--set", "data.dataset=nothing_of_that_name"), "data.dataset"),
        (("--data-dir", "/there/is/no/such/folder"), "folder"),
    ],
)
@pytest.mark.parametrize("experiment", sorted({row.experiment for row in ROWS.values()}))
def test_a_bad_input_is_one_line(experiment, options, message, invoke, tmp_path):
    done = invoke("run", "--exp", experiment, *options, "--results-dir", tmp_path / "results")
    said = done.output.splitlines()
    assert done.exit_code == 2 and isinstance(done.exception, SystemExit), (said, done.exception)
    errors = [line for line in said if line.startswith("error: ")]
    assert 1 <= len(errors) <= 2 and message in "\n".join(errors), said  # a line for each mistake
    assert not (tmp_path / "results").exists()
