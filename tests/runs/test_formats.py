"""`analogy export`: files for other runtimes that answer as the SavedModel does, or one line that names what they lack."""

import json

import numpy as np
import pytest
import tensorflow as tf

from analogy.cli import export as command
from analogy.errors import UserError
from analogy.models.pixels import to_bytes
from analogy.runs.conversion import largest_differences, run_onnx, run_tflite
from analogy.runs.export import write_saved_model
from analogy.runs.formats import FORMATS, export_run
from analogy.runs.ready import ready_models
from analogy.training.in_float32 import in_float32


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A SavedModel with an endpoint for every runtime, and one that draws random numbers, for which they have no operation."""
    module = tf.Module()
    module.kernel = tf.Variable(np.random.default_rng(0).normal(0, 0.5, (3, 3, 3, 3)).astype(np.float32))
    frames = tf.TensorSpec([None, 8, 8, 3], tf.uint8, "frames")
    module.paint = tf.function(
        lambda frames: {"frames": to_bytes(tf.nn.conv2d(tf.cast(frames, tf.float32) / 255.0, module.kernel, 1, "SAME"))},
        input_signature=[frames],
    )
    module.dream = tf.function(
        lambda seed: {"noise": tf.random.stateless_normal([3], tf.stack([seed, 0]))},
        input_signature=[tf.TensorSpec([], tf.int32, "seed")],
    )
    folder = tmp_path_factory.mktemp("models") / "painter"
    write_saved_model(module, {"paint": module.paint, "dream": module.dream}, folder)
    return folder


def export(invoke, model, out, format):
    done = invoke("export", model, "--format", format, "--out", out)
    return done, json.loads((out / "endpoints.json").read_text()) if (out / "endpoints.json").is_file() else None


@pytest.mark.parametrize("format", ["tflite", pytest.param("onnx", marks=pytest.mark.extra)])
def test_what_can_be_converted_is_compared_and_the_rest_named(format, invoke, model, tmp_path, capfd):
    if format == "onnx":
        for package in ("tf2onnx", "onnxruntime"):
            pytest.importorskip(package, reason="the packages of the extra `onnx` are not installed")
    done, listed = export(invoke, model, tmp_path / "out", format)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("dream: not exported: ") and "Stateless" in line], lines
    (line,) = [line for line in lines if line.startswith(f"paint: paint.{format}; largest difference")]
    assert line.endswith((": frames 0", ": frames 1"))
    assert len(lines) == 3 and "error" not in capfd.readouterr().err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {".analogy", f"paint.{format}", "endpoints.json"}
    paint, size = listed["endpoints"]["paint"], 1 if format == "tflite" else None
    assert paint["inputs"] == {"frames": {"shape": [size, 8, 8, 3], "dtype": "uint8"}}
    (output,) = paint["outputs"].values()
    assert output["dtype"] == "uint8" and (format == "onnx" or output["shape"] == [1, 8, 8, 3])
    assert list(listed["not_exported"]) == ["dream"]
    if format == "onnx":  # no output may have the name of an input
        assert list(paint["outputs"]) == ["predicted_frames"]


def test_the_options_know_each_format_that_can_be_written():
    assert list(command.FORMATS) == list(FORMATS)


def test_a_savedmodel_is_copied_whole(invoke, model, tmp_path):
    done, listed = export(invoke, model, tmp_path / "out", "savedmodel")
    assert done.exit_code == 0 and set(listed["endpoints"]) == {"paint", "dream"}
    copy = tf.saved_model.load(str(tmp_path / "out" / "saved_model"))
    assert copy.paint(tf.zeros([2, 8, 8, 3], tf.uint8))["frames"].shape == (2, 8, 8, 3)


def test_a_file_that_differs_is_refused(model):
    loaded = tf.saved_model.load(str(model))
    signature = loaded.signatures["paint"]

    def answer(levels):
        """What the SavedModel answers, each byte changed by a number of grey levels."""

        def changed(inputs):
            frames = signature(frames=tf.constant(inputs["frames"]))["frames"].numpy().astype(int)
            return {"frames": np.where(frames < 128, frames + levels, frames - levels).astype(np.uint8)}

        return changed

    assert largest_differences(signature, answer(1), 2, 3) == {"frames": 1.0}
    with pytest.raises(UserError, match="frames differs by up to 2 from the SavedModel's"):
        largest_differences(signature, answer(2), 2, 3)


@pytest.mark.parametrize("run", [run_tflite, pytest.param(run_onnx, marks=pytest.mark.extra)])
def test_a_file_that_its_runtime_refuses_is_one_line(run):
    if run is run_onnx:
        pytest.importorskip("onnxruntime", reason="the packages of the extra `onnx` are not installed")
    with pytest.raises(UserError, match="cannot read it: ") as refusal:
        run(b"no model")
    assert "\n" not in str(refusal.value)


@pytest.mark.extra
def test_an_input_without_influence_is_listed_only_where_the_file_takes_it(invoke, tmp_path):
    for package in ("tf2onnx", "onnxruntime"):
        pytest.importorskip(package, reason="the packages of the extra `onnx` are not installed")
    import onnxruntime

    module, value = tf.Module(), tf.TensorSpec([None, 2], tf.float32, "value")
    module.double = tf.function(
        lambda value, unused: {"twice": 2.0 * value}, input_signature=[value, tf.TensorSpec([None], tf.float32, "unused")]
    )
    write_saved_model(module, {"double": module.double}, tmp_path / "model")
    done, listed = export(invoke, tmp_path / "model", tmp_path / "out", "onnx")
    assert done.exit_code == 0, done.output
    session = onnxruntime.InferenceSession((tmp_path / "out" / "double.onnx").read_bytes())
    assert set(listed["endpoints"]["double"]["inputs"]) == {given.name for given in session.get_inputs()}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "coreml"], "--format coreml: there is no such format; there is savedmodel, tflite, onnx"),
        (["--batch", 4], "--batch 4 is for --format tflite: other files take any number of examples; leave it out"),
        (["--format", "onnx"], "--format onnx needs tf2onnx, onnx, onnxruntime: pip install 'analogy-video[onnx]'"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_written(options, message, invoke, model, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    done = invoke("export", model, *options, "--out", tmp_path / "out")
    assert done.exit_code == 2 and done.stderr == f"error: {message}\n" and not (tmp_path / "out").exists()
    done = invoke("export", "no_such_run", "--results-dir", tmp_path)
    assert done.exit_code == 2 and done.stderr.startswith("error: export no_such_run: neither a run folder nor an experiment")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "endpoints"),
    [
        ("analogy_masked", {"generate"}),
        ("convlstm_plus", {"predict"}),
        ("keypoints_plus", {"detect", "translate"}),
        ("keypoints_plus_motion", {"decode"}),
        ("pose_lstm_residual", {"predict"}),
    ],
)
def test_models_that_come_along_are_exported_as_the_runs_of_their_systems(name, endpoints, tmp_path):
    """Their SavedModels may have been written by an earlier version, with operations that today's avoids."""
    run = ready_models()[name].run
    with in_float32(run) as model:
        export_run(run, "tflite", tmp_path / "out", model=model)
    assert {path.stem for path in (tmp_path / "out").glob("*.tflite")} == endpoints
