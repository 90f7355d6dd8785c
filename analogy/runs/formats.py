"""A run's SavedModel written for other programs: one file for each endpoint, and a list of what goes in and comes out."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from analogy.errors import UserError
from analogy.files.marks import EXPORT
from analogy.one_line import say
from analogy.ownership import replacing_folder
from analogy.runs.conversion import (
    Arrays,
    fixed,
    largest_differences,
    onnx_inputs,
    output_name,
    run_onnx,
    run_tflite,
    tflite_outputs,
    to_onnx,
    to_tflite,
)
from analogy.runs.find import MODEL, endpoints_of, inputs_of, load_saved_model, saved_model_of
from analogy.runs.folder import write_json

LIST = "endpoints.json"
ANY_SIZES = (2, 3)  # at which files are compared that take any: examples, and lengths of other free axes
Specs = Mapping[str, tf.TensorSpec]


def export_run(
    run: Path,
    format: str,
    folder: Path,
    batch: int = 1,
    model: Path | None = None,
) -> Path:
    """Write the endpoints of a run's SavedModel into `folder`, and compare each with the SavedModel on a random input. Prints a
    line for each.

    Args:
        run: the folder of a finished run, or of a SavedModel.
        format: a key of FORMATS. For onnx, the packages of the extra `onnx` are needed.
        batch: the number of examples that a .tflite file takes; the other formats take any number.
        model: the folder of a SavedModel that is taken instead of the run's.

    Returns:
        The folder where all lies: `folder`, or one beside it, if somebody else took that meanwhile.

    Raises:
        UserError: no endpoint can be converted. The line says why, for each of them.
    """
    source, loaded = saved_model_of(model or run), load_saved_model(model or run)
    listed, refused = {}, {}
    with replacing_folder(folder, EXPORT) as replacement:
        partial = replacement.partial
        converter = FORMATS[format](source, loaded, partial, batch)
        for name in endpoints_of(loaded):
            try:
                converted = converter.convert(name)
                differences = largest_differences(loaded.signatures[name], converted.answer, *converter.sizes)
            except UserError as error:
                refused[name] = error.in_one_line
                say(f"{name}: not exported: {refused[name]}")
                continue
            if converted.content is not None:
                (partial / converted.file).write_bytes(converted.content)
            form = described(converted.inputs, converted.outputs)
            listed[name] = {"file": converted.file, **form, "differences": differences}
            worst = ", ".join(f"{output} {value:.2g}" for output, value in differences.items())
            say(f"{name}: {converted.file}; largest difference from the SavedModel on a random input: {worst}")
        if not listed:
            raise UserError(
                f"{run}: nothing can be exported as {format}: " + "; ".join(f"{k}: {v}" for k, v in refused.items())
            )
        write_json(partial / LIST, {"format": format, "endpoints": listed, "not_exported": refused})
    return replacement.folder


def described(inputs: Specs, outputs: Specs) -> dict:
    """Names, shapes and types of the inputs and outputs of an endpoint, for the list. null: any size."""
    return {
        way: {name: {"shape": spec.shape.as_list(), "dtype": spec.dtype.name} for name, spec in specs.items()}
        for way, specs in (("inputs", inputs), ("outputs", outputs))
    }


# ---------------------------------------------------------------- the formats


@dataclass(frozen=True)
class Converted:
    """An endpoint in another format.

    file: its name in the folder. content: what is to be written there; None where it is there already. answer: a function that
    answers as the file does. inputs, outputs: what it takes and gives.
    """

    file: str
    content: bytes | None
    answer: Callable[[Arrays], Arrays]
    inputs: Specs
    outputs: Specs


@dataclass
class Converter:
    """Converts the endpoints of a SavedModel.

    source, loaded: the SavedModel's folder, and the SavedModel. folder: where the files will lie. batch: the number of examples
    that a file takes, where it does not take any.
    """

    source: Path
    loaded: object
    folder: Path
    batch: int

    def __post_init__(self):
        """Prepares what all endpoints share; by default nothing."""

    @property
    def sizes(self) -> tuple[int, int]:
        """The lengths of free axes, the first and others, at which a file is compared with the SavedModel."""
        return ANY_SIZES

    def convert(self, name: str) -> Converted:
        """Raises NotConvertible, a UserError."""
        raise NotImplementedError


class ToSavedModel(Converter):
    """A copy of the SavedModel, which holds all endpoints."""

    def __post_init__(self):
        shutil.copytree(self.source, self.folder / MODEL)
        self._copy = load_saved_model(self.folder / MODEL)  # it holds the weights of all endpoints

    def convert(self, name):
        def answer(inputs: Arrays) -> Arrays:
            outputs = self._copy.signatures[name](**{key: tf.constant(value) for key, value in inputs.items()})
            return {key: value.numpy() for key, value in outputs.items()}

        outputs = self.loaded.signatures[name].structured_outputs
        return Converted(MODEL, None, answer, inputs_of(self.loaded, name), outputs)


class ToTflite(Converter):
    """A .tflite file of each endpoint, whose sizes are fixed."""

    @property
    def sizes(self):
        return self.batch, 1

    def convert(self, name):
        content = to_tflite(self.loaded.signatures[name], self.loaded, self.batch)
        inputs, outputs = tflite_inputs(self.loaded, name, self.batch), tflite_outputs(content)
        return Converted(f"{name}.tflite", content, run_tflite(content), inputs, outputs)


class ToOnnx(Converter):
    """An .onnx file of each endpoint."""

    def convert(self, name):
        signature = self.loaded.signatures[name]
        content = to_onnx(signature, name)
        taken = onnx_inputs(content)
        inputs = {key: spec for key, spec in inputs_of(self.loaded, name).items() if key in taken}
        outputs = {output_name(signature, key): spec for key, spec in signature.structured_outputs.items()}
        return Converted(f"{name}.onnx", content, run_onnx(content), inputs, outputs)


FORMATS: dict[str, type[Converter]] = {"savedmodel": ToSavedModel, "tflite": ToTflite, "onnx": ToOnnx}


def tflite_inputs(loaded, name: str, batch: int) -> dict[str, tf.TensorSpec]:
    """What a .tflite file of an endpoint takes: inputs of fixed sizes."""
    return {key: fixed(spec, batch, 1) for key, spec in inputs_of(loaded, name).items()}
