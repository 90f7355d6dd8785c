"""Endpoints in 8 bits, for `analogy export --quantise int8`: calibrated on training clips, judged by the run's own test."""

from __future__ import annotations

import copy
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import tensorflow as tf

from analogy.errors import UserError
from analogy.evaluation.evaluate import evaluate
from analogy.evaluation.judge import Measures
from analogy.files.marks import EXPORT
from analogy.measure.runs import MeasuredRun
from analogy.memory import count_processors
from analogy.one_line import say
from analogy.ownership import replacing_folder
from analogy.runs.conversion import run_tflite, tflite_outputs
from analogy.runs.eight_bits import OPERATIONS, called_in_parts, free_axes, input_specs, to_int8
from analogy.runs.find import endpoints_of, load_saved_model
from analogy.runs.folder import RunFolder, write_json
from analogy.runs.formats import LIST, described, tflite_inputs

CALIBRATION_CLIPS = 8
USUAL_BATCH = 8
MOST_LOST = 0.1  # dB of PSNR that 8 bits may cost on the test clips
TIMED = 3  # times that each of two ways is timed, in turn


def export_int8(run: MeasuredRun, folder: Path, batch: int | None) -> Path:
    """Write the endpoints that a run's test calls as .tflite files with convolutions in 8 bits, where that is worth it.

    A file is written where it is faster than the SavedModel and loses at most `MOST_LOST`. Both are measured on the test
    clips of the run, on this machine. Prints a line for each endpoint.

    Args:
        run: one with a checkpoint.
        batch: the number of examples that a file takes at a time; None: 8, or as many as the run paints at a time.

    Returns:
        The folder where all lies: `folder`, or one beside it, if somebody else took that meanwhile.

    Raises:
        UserError: the run predicts no frames, its data are gone, or no endpoint is worth it. The line says why, for each.
    """
    trial = _Trial(run, _batch(run, batch))
    say(f"calibrated on {len(trial.clips)} training clips; now the SavedModel and 8 bits are measured on the test clips")
    trial.measure()
    listed, refused = {}, {}
    with replacing_folder(folder, EXPORT) as replacement:
        partial = replacement.partial
        for name in trial.endpoints:
            try:
                content, listing = trial.in_eight_bits(name)
            except UserError as error:
                refused[name] = error.in_one_line
                say(f"{name}: not exported: {refused[name]}")
                continue
            (partial / listing["file"]).write_bytes(content)
            listed[name], test = listing, listing["test"]
            say(
                f"{name}: {listing['file']}; {listing['times_as_fast']:.2f} times as fast as the SavedModel; "
                f"PSNR {test['int8']['psnr']:.2f} dB, SavedModel {test['savedmodel']['psnr']:.2f} dB "
                f"({trial.dataset.name}, {test['int8']['clips']} test clips)"
            )
        if not listed:
            reasons = "; ".join(f"{name}: {why}" for name, why in refused.items())
            raise UserError(f"{run.folder}: nothing is better in 8 bits here, so keep the SavedModel: {reasons}")
        quantised = {"bits": 8, "operations": OPERATIONS, "calibration_clips": trial.clips}
        write_json(partial / LIST, {"format": "tflite", "quantised": quantised, "endpoints": listed, "not_exported": refused})
    return replacement.folder


class _Trial:
    """Endpoints in 8 bits beside those of a run's SavedModel: its test clips, and time on this machine.

    Attributes:
        dataset: the run's. endpoints: name -> tf.function. clips: the names of the training clips of the calibration.

    Args:
        run: see `export_int8`. batch: the number of examples that a file takes at a time.

    Raises:
        UserError: 8 bits cannot be judged for this run.
    """

    def __init__(self, run: MeasuredRun, batch: int):
        self._system, self.dataset, _, _ = run.open(Measures())
        if not self._system.paints:
            raise UserError(f"{run.folder}: --quantise is judged by PSNR, and this run predicts no frames; leave it out")
        self.endpoints, self._batch = self._system.endpoints(), batch
        free = {name: free_axes(function) for name, function in self.endpoints.items()}
        if all(free.values()):
            raise UserError(f"{run.folder}: --quantise needs inputs of one size, and of none of its endpoints all are: {free}")
        self._loaded = load_saved_model(run.folder)
        self._calls: dict[str, list] = defaultdict(list)  # endpoint -> the inputs of each call
        self.clips = _calibrate(self._system, self.dataset, _recording(self._loaded, self._calls))

    def measure(self) -> None:
        """Find what the SavedModel reaches, and remember the calls of its endpoints."""
        self._timed: dict[str, list] = defaultdict(list)
        self._figures = _figures(self._system, self.dataset, _recording(self._loaded, self._timed))

    def in_eight_bits(self, name: str) -> tuple[bytes, dict]:
        """An endpoint as the content of a .tflite file, and its entry in the list; after `measure`.

        Raises UserError where it is not worth it.
        """
        if name not in self._calls:
            raise UserError("the run's own test does not call it")
        function = self.endpoints[name]
        content = to_int8(function, _weights(self._system), self._calls[name], self._batch)
        answer = called_in_parts(run_tflite(content, count_processors()), input_specs(function), self._batch)
        ratio = _times_as_fast(answer, getattr(self._loaded, name), self._timed[name][0])
        int8 = _figures(self._system, self.dataset, _replaced(self._loaded, name, answer))
        _check(ratio, self._figures["psnr"] - int8["psnr"])
        form = described(tflite_inputs(self._loaded, name, self._batch), tflite_outputs(content))
        test = {"savedmodel": self._figures, "int8": int8}
        return content, {"file": f"{name}.tflite", **form, "test": test, "times_as_fast": round(ratio, 3)}


def _batch(run: MeasuredRun, batch: int | None) -> int:
    most = getattr(run.settings.evaluation, "frames_per_call", None)  # of painters: more would need a loop
    if batch is None:
        return min(USUAL_BATCH, most or USUAL_BATCH)
    if most and batch > most:
        raise UserError(
            f"--batch {batch}: {run.folder} paints at most {most} frames at a time (evaluation.frames_per_call); "
            "give that or fewer"
        )
    return batch


def _weights(system) -> tf.Module:
    """What holds the weights of the endpoints, for TensorFlow Lite's converter."""
    owner = tf.Module()
    owner.weights = [variable.value for model in system.exported for variable in model.variables]
    return owner


def _check(ratio: float, lost: float) -> None:
    """Refuse a file that is slower than the SavedModel, or loses too much PSNR."""
    if ratio <= 1.0:
        raise UserError(f"8 bits are {ratio:.2f} times as fast as the SavedModel on this machine; keep that")
    if not lost <= MOST_LOST:
        raise UserError(f"8 bits lose {lost:.2f} dB of PSNR, more than {MOST_LOST}; keep the SavedModel")


def _calibrate(system, dataset, recording) -> list[str]:
    """Predict training clips, CALIBRATION_CLIPS at most, with endpoints that record their calls. Returns the clips' names."""
    system.use_export(recording)
    training, names = copy.copy(dataset), []
    training.test = dataset.train
    for predicted in system.predict_clips(training):
        if predicted.clip not in names:
            names.append(predicted.clip)
        if len(names) == CALIBRATION_CLIPS:
            break
    return names


# ---------------------------------------------------------------- endpoints in the place of a SavedModel's


def _replaced(loaded, name: str, function: Callable):
    """What `System.use_export` takes: a loaded SavedModel, one endpoint of which is another function."""
    endpoints = {key: getattr(loaded, key) for key in endpoints_of(loaded)}
    return SimpleNamespace(signatures=loaded.signatures, **{**endpoints, name: function})


def _recording(loaded, calls: dict[str, list]):
    """A loaded SavedModel that adds the inputs of each call to `calls`: endpoint -> list of (name -> array)."""

    def recorded(name: str):
        def function(**inputs):
            calls[name].append({key: value.numpy() for key, value in inputs.items()})
            return getattr(loaded, name)(**inputs)

        return function

    return SimpleNamespace(signatures=loaded.signatures, **{name: recorded(name) for name in endpoints_of(loaded)})


def _figures(system, dataset, loaded) -> dict[str, float]:
    """metric -> mean over the test clips, with the endpoints of `loaded`: the run's own test."""
    system.use_export(loaded)
    with tempfile.TemporaryDirectory() as folder:
        return evaluate(system, dataset, RunFolder(Path(folder)), 10)["test"]


def _times_as_fast(ours: Callable, saved: Callable, inputs: dict) -> float:
    """The median time of `saved` divided by that of `ours`, which are called in turn on the same inputs."""
    tensors = {name: tf.constant(value) for name, value in inputs.items()}
    seconds = {ours: [], saved: []}
    for repetition in range(TIMED + 1):
        for function, times in seconds.items():
            began = time.perf_counter()
            for value in function(**tensors).values():
                value.numpy()
            if repetition:  # the first call prepares
                times.append(time.perf_counter() - began)
    return statistics.median(seconds[saved]) / statistics.median(seconds[ours])
