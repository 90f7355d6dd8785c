"""Endpoints of a SavedModel for other runtimes, TensorFlow Lite (LiteRT) and ONNX; what they answer is compared."""

from __future__ import annotations

import contextlib
import copy
import logging
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import tensorflow as tf

from analogy.errors import UserError, first_line
from analogy.graphs import graph_function
from analogy.random_streams import generator

OPSET = 18  # of ONNX; onnxruntime reads it since 1.14
GREY_LEVELS, TOLERANCE = 1.0, 1e-3  # how far a converted uint8 output, or any other one, may be from the SavedModel's
Arrays = Mapping[str, np.ndarray]


class NotConvertible(UserError):
    """An endpoint has an operation that the format lacks. The message is one line that names it."""


def made_up(spec: tf.TensorSpec, rng: np.random.Generator) -> np.ndarray:
    """A random input that an endpoint can be given; of length 3 wherever any length will do."""
    shape = [3 if side is None else side for side in spec.shape.as_list()]
    if spec.name == "box":
        return np.tile(np.array([2, 3, 60, 70], np.float32), [*shape[:-1], 1])
    if spec.name in ("crop", "size"):
        return rng.uniform(60, 120, shape).astype(np.float32)
    if spec.name in ("visibility", "next_visibility", "valid"):
        return (rng.uniform(size=shape) < 0.8).astype(np.float32)
    if spec.name in ("joints", "next_joints"):
        return rng.uniform(2, 60, shape).astype(np.float32)
    if spec.dtype == tf.uint8:
        return rng.integers(0, 256, shape, dtype=np.uint8)
    if spec.dtype.is_integer:
        return np.full(shape, 7 if spec.name == "count" else 1, spec.dtype.as_numpy_dtype)
    return rng.uniform(0, 1, shape).astype(np.float32)


def to_tflite(signature, owner, batch: int = 1) -> bytes:
    """A signature of a loaded SavedModel as the content of a .tflite file, of TensorFlow Lite's own operations alone.

    Its sizes are fixed, as its runtime likes it: the first axis of each input, where it is free, is `batch`, every other free
    axis 1. owner: the loaded SavedModel, which holds the weights. Raises NotConvertible.
    """
    specs = signature.structured_input_signature[1]
    sizes = {name: fixed(spec, batch, 1) for name, spec in specs.items()}
    with refused_by("TensorFlow Lite"):
        function = graph_function(lambda **inputs: signature(**inputs)).get_concrete_function(**sizes)
        return tf.lite.TFLiteConverter.from_concrete_functions([function], owner).convert()


def fixed(spec: tf.TensorSpec, batch: int, length: int) -> tf.TensorSpec:
    """The spec with free first axes of `batch`, and other free axes of `length`."""
    sides = [(length if axis else batch) if side is None else side for axis, side in enumerate(spec.shape.as_list())]
    return tf.TensorSpec(sides, spec.dtype, spec.name)


def run_tflite(content: bytes, threads: int | None = None) -> Callable[[Arrays], dict[str, np.ndarray]]:
    """A function that answers as the .tflite file does: name -> array to name -> array. Both raise NotConvertible.

    threads: of XNNPACK, TensorFlow Lite's fast kernels, which refuse some graphs. None: the plain kernels, which read all.
    """
    runner = _tflite_runner(content, threads)

    def answer(inputs: Arrays) -> dict[str, np.ndarray]:
        with refused_by("TensorFlow Lite"):
            return runner(**inputs)

    return answer


def _tflite_runner(content: bytes, threads: int | None = None):
    kinds = tf.lite.experimental.OpResolverType
    kind = kinds.AUTO if threads else kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    with warnings.catch_warnings(), refused_by("TensorFlow Lite"):
        warnings.simplefilter("ignore")  # the class moves to a package of its own
        interpreter = tf.lite.Interpreter(model_content=content, experimental_op_resolver_type=kind, num_threads=threads)
        return interpreter.get_signature_runner()


def tflite_outputs(content: bytes) -> dict[str, tf.TensorSpec]:
    """Name -> shape and type of each output of a .tflite file. Raises NotConvertible."""
    details = _tflite_runner(content).get_output_details()
    return {name: tf.TensorSpec(output["shape"].tolist(), output["dtype"], name) for name, output in details.items()}


def to_onnx(signature, name: str) -> bytes:
    """A signature of a loaded SavedModel as the content of an .onnx file, by tf2onnx. Free sizes stay free.

    Inputs keep their names, and outputs theirs but for those of `output_name`. Raises NotConvertible.
    """
    import onnx
    from tf2onnx.tf_loader import from_function
    from tf2onnx.tfonnx import process_tf_graph

    given = [tensor.name for tensor in signature.inputs if tensor.dtype != tf.resource]
    inputs = {tensor: tensor.removesuffix(":0").removeprefix(f"{name}_") for tensor in given}
    # The flat outputs of a function are in the order of their names.
    names = [output_name(signature, output) for output in sorted(signature.structured_outputs)]
    outputs = dict(zip([tensor.name for tensor in signature.outputs], names, strict=True))
    with refused_by("ONNX"):
        frozen = from_function(signature, list(inputs), list(outputs))
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(frozen, name="")
            converted = process_tf_graph(
                graph,
                opset=OPSET,
                input_names=list(inputs),
                output_names=list(outputs),
                tensors_to_rename={**inputs, **outputs},
            )
        model = _optimised(converted).make_model(name)
    if unknown := sorted({node.op_type for node in _nodes(model.graph) if not onnx.defs.has(node.op_type, node.domain)}):
        raise NotConvertible(_lacking("ONNX", unknown))
    return model.SerializeToString()


def _optimised(graph):
    """A graph of tf2onnx after all passes of its optimiser, without those that fail.

    To leave out one that fails, tf2onnx copies the whole graph before each of a dozen passes, round after round. As a rule none
    fails, so that one copy is enough.
    """
    from tf2onnx import optimizer

    kept = copy.deepcopy(graph)
    try:
        return optimizer.optimize_graph(graph, catch_errors=False)
    except Exception:  # of any kind: the passes are many, and check little
        return optimizer.optimize_graph(kept, catch_errors=True)


def output_name(signature, output: str) -> str:
    """The name of an output in an .onnx file, where no input may have the same one."""
    return f"predicted_{output}" if output in signature.structured_input_signature[1] else output


def run_onnx(content: bytes) -> Callable[[Arrays], dict[str, np.ndarray]]:
    """A function that answers as the .onnx file does in onnxruntime: name -> array to name -> array. Both raise NotConvertible.

    Inputs that the file does not take are ignored.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    with refused_by("onnxruntime"):
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    taken = onnx_inputs(content)

    def answer(inputs: Arrays) -> dict[str, np.ndarray]:
        with refused_by("onnxruntime"):
            values = session.run(names, {name: value for name, value in inputs.items() if name in taken})
        return dict(zip(names, values, strict=True))

    return answer


def onnx_inputs(content: bytes) -> set[str]:
    """The names of the inputs that an .onnx file takes. Converting may leave out one without influence on the outputs."""
    import onnx

    return {given.name for given in onnx.load_from_string(content).graph.input}


def largest_differences(signature, answer: Callable[[Arrays], Arrays], batch: int, length: int) -> dict[str, float]:
    """Output -> the largest difference between a signature of a SavedModel and a converted file, on one random input.

    batch: the length of free first axes. length: of other free axes.

    Raises:
        UserError: one differs by more than a grey level (uint8), or 1e-3 of 1 or of the value's size.
    """
    rng = generator(0)
    specs = signature.structured_input_signature[1]
    inputs = {name: made_up(fixed(spec, batch, length), rng) for name, spec in specs.items()}
    ours = {name: value.numpy() for name, value in signature(**{key: tf.constant(x) for key, x in inputs.items()}).items()}
    theirs = answer(inputs)
    differences = {}
    for name, expected in ours.items():
        got = theirs[name] if name in theirs else theirs[output_name(signature, name)]
        if got.shape != expected.shape or got.dtype != expected.dtype:
            raise UserError(f"{name} is {got.dtype} {got.shape}, but {expected.dtype} {expected.shape} in the SavedModel")
        if expected.size == 0:
            raise UserError(f"{name} is empty: nothing can be compared")
        expected, got = expected.astype(float), got.astype(float)
        differences[name] = float(np.abs(got - expected).max())
        allowed = GREY_LEVELS if ours[name].dtype == np.uint8 else TOLERANCE * np.maximum(1.0, np.abs(expected))
        if not np.all(np.abs(got - expected) <= allowed):
            raise UserError(f"{name} differs by up to {differences[name]:.3g} from the SavedModel's")
    return differences


def _nodes(graph) -> Iterator:
    """All nodes of an ONNX graph, also those within loops."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)


def _operations(text: str) -> list[str]:
    """The operations of TensorFlow that the errors of TensorFlow Lite's converter name."""
    patterns = (r"'tf\.(\w+)' op ", r"failed to legalize operation 'tf\.(\w+)'")
    return sorted({name for pattern in patterns for name in re.findall(pattern, text)})


def _lacking(runtime: str, operations: list[str], error: Exception | None = None) -> str:
    """Why a runtime cannot read an endpoint: the operations that it lacks; where none is known, what the error says."""
    if "TensorListReserve" in operations:
        return f"{runtime} lacks TensorListReserve, a loop over a number of frames that is not fixed"
    if operations:
        return f"{runtime} lacks {', '.join(operations)}"
    return f"{runtime} cannot read it: {first_line(error)}"


@contextlib.contextmanager
def refused_by(runtime: str) -> Iterator[None]:
    """A context of a converter or a runtime: their errors, which have no common base, become a NotConvertible. What they write
    to the standard error stream is kept back."""
    with quiet() as said:
        try:
            yield
        except Exception as error:
            raise NotConvertible(_lacking(runtime, _operations(f"{error}\n{said()}"), error)) from error


@contextlib.contextmanager
def quiet() -> Iterator[Callable[[], str]]:
    """A context that keeps back what converters write to the standard error stream, also from C++. Yields a function that
    reads it."""
    logging.disable(logging.ERROR)
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)

        def said() -> str:
            file.seek(0)
            return file.read().decode(errors="replace")

        try:
            yield said
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            logging.disable(logging.NOTSET)
