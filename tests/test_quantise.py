"""`analogy export --quantise int8`: calibrated on training clips, judged by the test clips, written where it is worth it."""

import json

import numpy as np
import pytest
import tensorflow as tf

from analogy import quantise
from analogy.errors import UserError
from analogy.runs.eight_bits import OPERATIONS


@pytest.fixture
def quick(monkeypatch):
    """quick(ratio, darker, calls): nothing is converted. 8 bits answer as floating point does, some grey levels darker, and are
    `ratio` times as fast. What they are calibrated with is added to the list `calls`."""

    def prepare(ratio, darker, calls):
        real = {}

        def to_int8(function, owner, given, batch):
            calls.extend(given)
            real["function"] = function
            return b"a file"

        def run_tflite(content, threads):
            def answer(inputs):
                frames = real["function"](**{name: tf.constant(x) for name, x in inputs.items()})["frames"].numpy()
                return {"frames": np.maximum(frames.astype(int) - darker, 0).astype(np.uint8)}

            return answer

        monkeypatch.setattr(quantise, "to_int8", to_int8)
        monkeypatch.setattr(quantise, "run_tflite", run_tflite)
        monkeypatch.setattr(quantise, "tflite_outputs", lambda content: {})  # of a real file
        monkeypatch.setattr(quantise, "_times_as_fast", lambda *_: ratio)

    return prepare


def export(invoke, run, tmp_path, *options):
    done = invoke("export", run, "--format", "tflite", "--quantise", "int8", "--out", tmp_path / "out", *options)
    file = tmp_path / "out" / "endpoints.json"
    return done, json.loads(file.read_text()) if file.is_file() else None


@pytest.mark.slow
def test_training_clips_calibrate_and_test_clips_judge(invoke, finished, tmp_path, quick):
    run, calls = finished[0], []
    quick(2.0, 0, calls)
    done, listed = export(invoke, run, tmp_path)
    assert done.exit_code == 0, (done.output, done.stderr)
    entry, before = listed["endpoints"]["generate_clip"], json.loads((run / "summary.json").read_text())
    assert entry["times_as_fast"] == 2.0 and (tmp_path / "out" / entry["file"]).read_bytes() == b"a file"
    # The run's own test: its figures are found again, and equal where the answers are.
    assert entry["test"]["savedmodel"]["psnr"] == pytest.approx(before["test"]["psnr"], abs=0.01)
    assert entry["test"]["int8"] == entry["test"]["savedmodel"]
    assert listed["not_exported"] == {"generate": "the run's own test does not call it"}
    assert listed["quantised"]["operations"] == list(OPERATIONS)
    # No first frame of a test clip has calibrated anything; those of the clips that are listed have.
    from analogy.api import load

    dataset = load(run).dataset
    firsts = {clip.id: dataset.load(clip, np.arange(clip.length)).frames[0] for clip in [*dataset.train, *dataset.test]}
    used = {name for call in calls for name, frame in firsts.items() if np.array_equal(frame, call["frame"][0])}
    assert used == set(listed["quantised"]["calibration_clips"]) <= {clip.id for clip in dataset.train}
    assert len(used) == 3  # of three actions, one of each, as in the test


@pytest.mark.slow
def test_what_is_not_worth_it_is_not_written(invoke, finished, tmp_path, quick, monkeypatch):
    quick(0.9, 0, [])
    monkeypatch.setattr(quantise, "_figures", lambda system, dataset, loaded: _called_once(loaded))
    done, listed = export(invoke, finished[0], tmp_path)
    assert done.exit_code == 2 and listed is None and not (tmp_path / "out").exists()
    assert "nothing is better in 8 bits here, so keep the SavedModel: " in done.stderr
    assert "generate_clip: 8 bits are 0.90 times as fast as the SavedModel on this machine; keep that" in done.stderr


def _called_once(loaded):
    """Figures without a test; its endpoint is called once, because what is timed is one of the calls of the test."""
    specs = loaded.signatures["generate_clip"].structured_input_signature[1]
    loaded.generate_clip(**{name: tf.ones([side or 1 for side in spec.shape], spec.dtype) for name, spec in specs.items()})
    return {"psnr": 20.0, "clips": 1}


@pytest.mark.parametrize(
    ("ratio", "lost", "message"),
    [
        (1.0, 0.0, "8 bits are 1.00 times as fast as the SavedModel"),
        (2.0, 0.11, "8 bits lose 0.11 dB of PSNR, more than 0.1"),
        (2.0, float("nan"), "8 bits lose nan dB"),
    ],
)
def test_the_faster_is_taken_where_it_loses_little(ratio, lost, message):
    quantise._check(1.01, 0.1)
    quantise._check(1.01, -0.5)
    with pytest.raises(UserError, match=message):
        quantise._check(ratio, lost)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--quantise", "int4"], "--quantise int4: there is int8 alone"),
        (["--format", "onnx", "--quantise", "int8"], "--quantise is for --format tflite, not for onnx; leave it out"),
        (["--data-dir", "."], "--data-dir has no meaning without --quantise; leave it out"),
    ],
)
def test_a_mistake_is_one_line(options, message, invoke, tmp_path, monkeypatch):
    from analogy.cli import export as command

    monkeypatch.setattr(command, "find_spec", lambda name: True)
    done = invoke("export", "no_such_run", "--format", "tflite", *options, "--results-dir", tmp_path)
    assert done.exit_code == 2 and f"error: {message}\n" in done.stderr


def test_a_model_that_comes_along_has_no_checkpoint(invoke, tmp_path):
    done = invoke("export", "lvln_plus", "--format", "tflite", "--quantise", "int8", "--results-dir", tmp_path)
    assert done.exit_code == 2 and "lvln_plus has none; name a run of your own" in done.stderr
    assert done.stderr.count("\n") == 1
