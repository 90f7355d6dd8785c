"""An endpoint as a TensorFlow Lite file that computes its convolutions in 8 bits, calibrated on what it was called with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from analogy.graphs import graph_function
from analogy.runs.conversion import Arrays, NotConvertible, fixed, refused_by

# What is computed in 8 bits. All else stays in floating point: heatmaps, whose places need more than 256 values, and what
# is small: sums, the last tanh, the way to bytes.
OPERATIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "LEAKY_RELU", "RELU", "MAX_POOL_2D")
CALIBRATION_PARTS = 16  # calls from which ranges are taken, spread over all that are given


def to_int8(function, owner, calls: Sequence[Arrays], batch: int) -> bytes:
    """An endpoint as the content of a .tflite file with weights of 8 bits for each channel, and activations of 8 bits.

    Args:
        function: a tf.function with an input signature, which returns a dict. owner: holds its weights.
        calls: the inputs of calls, name -> array. Of these the ranges of the activations are taken.
        batch: the length of first axes that are free.

    Raises:
        NotConvertible: TensorFlow Lite lacks an operation, or another axis than the first is free.
    """
    specs = input_specs(function)
    if free := free_axes(function):
        raise NotConvertible(f"the length of {', '.join(free)} is not fixed")
    parts = [part for call in calls for part, _ in parts_of_call(call, specs, batch)]
    parts = [parts[place] for place in np.linspace(0, len(parts) - 1, min(len(parts), CALIBRATION_PARTS)).round().astype(int)]
    with refused_by("TensorFlow Lite"):
        # Traced anew: a size that is known needs no loop in the graph, which TensorFlow Lite could not read.
        sizes = {name: fixed(spec, batch, 1) for name, spec in specs.items()}
        traced = graph_function(lambda **inputs: function.python_function(**inputs)).get_concrete_function(**sizes)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([traced], owner)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: iter(parts)
        # TensorFlow's only public way to keep operations in floating point.
        options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=_other_operations())
        debugger = tf.lite.experimental.QuantizationDebugger(converter=converter, debug_options=options)
        return debugger.get_nondebug_quantized_model()


def _other_operations() -> list[str]:
    """The names of all operations of TensorFlow Lite that are not among OPERATIONS."""
    from tensorflow.lite.python import schema_py_generated as schema

    names = [name for name in vars(schema.BuiltinOperator) if name.isupper()]
    return [name for name in names if name not in OPERATIONS]


def free_axes(function) -> list[str]:
    """The names of inputs of an endpoint of which another axis than the first has no fixed length."""
    return [name for name, spec in input_specs(function).items() if None in spec.shape.as_list()[1:]]


def input_specs(function) -> dict[str, tf.TensorSpec]:
    """name -> spec of the inputs of a tf.function with an input signature."""
    return {spec.name: spec for spec in function.input_signature}


def parts_of_call(inputs: Arrays, specs: Mapping[str, tf.TensorSpec], batch: int) -> Iterator[tuple[dict, int]]:
    """The inputs of a call as calls of a fixed size: pairs (inputs, number of examples in them that are not repeated).

    Inputs with a free first axis are cut into parts of `batch`; the last example fills the last part up. Others go with
    each part.
    """
    cut = [name for name, spec in specs.items() if spec.shape.rank and spec.shape[0] is None]
    count = len(inputs[cut[0]]) if cut else 1
    for start in range(0, count, batch):
        chosen = np.minimum(np.arange(start, start + batch), count - 1)
        yield {name: inputs[name][chosen] if name in cut else inputs[name] for name in specs}, min(batch, count - start)


def called_in_parts(answer: Callable[[Arrays], Arrays], specs: Mapping[str, tf.TensorSpec], batch: int) -> Callable[..., dict]:
    """A function that answers calls of any size, by calls of a fixed one; see `parts_of_call`. It returns tensors."""

    def whole(**inputs) -> dict[str, tf.Tensor]:
        arrays = {name: np.asarray(value) for name, value in inputs.items()}
        # The runtime uses the memory of an answer again.
        answers = [
            {name: value[:count].copy() for name, value in answer(part).items()}
            for part, count in parts_of_call(arrays, specs, batch)
        ]
        return {name: tf.constant(np.concatenate([part[name] for part in answers])) for name in answers[0]}

    return whole
