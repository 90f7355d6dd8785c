"""A run's SavedModel written for other programs: one file for each endpoint, and a list of what goes in and comes out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from analogy.errors import UserError
from analogy.ownership import EXPORT, replacing_folder
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
from analogy.runs.find import MODEL, endpoints_of, load_saved_model, saved_model_of
from analogy.runs.folder import write_json

LIST = "endpoints.json"
ANY_SIZES = (2, 3)  # at which files are compared that take any: examples, and lengths of other free axes


def export_run(
    run: Path,
    format: str,
    folder: Path,
    batch: int = 1,
    say: Callable[[str], None] = print,
    model: Path | None = None,
) -> None:
    """Write the endpoints of a run's SavedModel into `folder`, and compare each with the SavedModel on a random input.

    Args:
        run: the folder of a finished run, or of a SavedModel.
        format: savedmodel, tflite or onnx. The last one needs the packages of the extra `onnx`.
        batch: the number of examples that a .tflite file takes; the other formats take any number.
        say: takes one line for each endpoint.
        model: the folder of a SavedModel that is taken instead of the run's.

    Raises:
        UserError: no endpoint can be converted. The line says why, for each of them.
    """
    source, loaded = saved_model_of(model or run), load_saved_model(model or run)
    listed, refused = {}, {}
    sizes = (batch, 1) if format == "tflite" else ANY_SIZES
    with replacing_folder(folder, EXPORT) as partial:
        if format == "savedmodel":
            shutil.copytree(source, partial / MODEL)
        for name in endpoints_of(loaded):
            signature, content, file = loaded.signatures[name], b"", MODEL if format == "savedmodel" else f"{name}.{format}"
            try:
                if format == "savedmodel":
                    answer = _run_saved_model(partial / MODEL, name)
                else:
                    content = to_tflite(signature, loaded, batch) if format == "tflite" else to_onnx(signature, name)
                    answer = run_tflite(content) if format == "tflite" else run_onnx(content)
                differences = largest_differences(signature, answer, *sizes)
            except UserError as error:
                refused[name] = str(error)
                say(f"{name}: not exported: {error}")
                continue
            if content:
                (partial / file).write_bytes(content)
            listed[name] = {"file": file, **described(signature, sizes, format, content), "differences": differences}
            worst = ", ".join(f"{output} {value:.2g}" for output, value in differences.items())
            say(f"{name}: {file}; largest difference from the SavedModel on a random input: {worst}")
        if not listed:
            raise UserError(
                f"{run}: nothing can be exported as {format}: " + "; ".join(f"{k}: {v}" for k, v in refused.items())
            )
        write_json(partial / LIST, {"format": format, "endpoints": listed, "not_exported": refused})


def _run_saved_model(folder: Path, name: str) -> Callable[[Arrays], Arrays]:
    loaded = load_saved_model(folder)  # holds the weights of its signatures

    def answer(inputs: Arrays) -> Arrays:
        outputs = loaded.signatures[name](**{key: tf.constant(value) for key, value in inputs.items()})
        return {key: value.numpy() for key, value in outputs.items()}

    return answer


def described(signature, sizes: tuple[int, int], format: str, content: bytes) -> dict:
    """Names, shapes and types of the inputs and outputs of an endpoint, whose file has this content. null: any size."""
    inputs = signature.structured_input_signature[1]
    if format == "tflite":
        inputs = {name: fixed(spec, *sizes) for name, spec in inputs.items()}
    outputs = tflite_outputs(content) if format == "tflite" else signature.structured_outputs
    if format == "onnx":
        taken = onnx_inputs(content)
        inputs = {name: spec for name, spec in inputs.items() if name in taken}
        outputs = {output_name(signature, name): spec for name, spec in outputs.items()}
    return {
        way: {name: {"shape": spec.shape.as_list(), "dtype": spec.dtype.name} for name, spec in specs.items()}
        for way, specs in (("inputs", inputs), ("outputs", outputs))
    }
