"""Calling a run's SavedModel with NumPy arrays, checked against the inputs that its endpoints declare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from analogy.errors import UserError, first_line
from analogy.runs.find import UNKNOWN_ACTION, endpoints_of, inputs_of, load_saved_model, saved_model_of

ROUNDING = 1e-3  # tolerance for float frames a little outside of 0..1
# Optional inputs: how each is made from the other inputs.
DEFAULTS: dict[str, Callable[[Mapping[str, np.ndarray]], np.ndarray]] = {
    "visibility": lambda inputs: np.ones(inputs["joints"].shape[:-1]),
    "next_visibility": lambda inputs: np.ones(inputs["next_joints"].shape[:-1]),
    "valid": lambda inputs: np.ones(inputs["joints"].shape[:-2]),
    "crop": lambda inputs: np.broadcast_to(inputs["frame"].shape[-2:-4:-1], (*inputs["frame"].shape[:-3], 2)),
    "action": lambda inputs: np.full(inputs["joints"].shape[:-3], UNKNOWN_ACTION),
}


class Fitted(NamedTuple):
    """An array that fits an input of an endpoint.

    lifted: a batch axis was added. bytes: it was uint8 0..255 and was scaled to float32 0..1.
    """

    value: np.ndarray
    lifted: bool
    bytes: bool


class SavedModel:
    """The SavedModel of a run.

    Args:
        run: the folder of a finished run, or of a SavedModel.

    Raises:
        UserError: there is no SavedModel, or it is damaged.
    """

    def __init__(self, run: Path):
        self.folder, self._loaded = saved_model_of(run), load_saved_model(run)

    def call(
        self, observed: Any, inputs: Mapping[str, Any], endpoint: str | None = None, **defaults
    ) -> np.ndarray | dict[str, np.ndarray]:
        """Call `endpoint`, or the first endpoint that these inputs fit.

        Args:
            observed: the input of an endpoint with a single input; else None.
            inputs: name -> array.
            endpoint: the name of an endpoint; None tries all of them.
            defaults: name -> value for missing inputs; a value of None is ignored.

        Returns:
            The output of an endpoint with a single output, else name -> output.

        Raises:
            UserError: the inputs fit no endpoint; the message lists the inputs of each.
        """
        reasons = []
        for name in self._endpoints(endpoint):
            specs = inputs_of(self._loaded, name)
            try:
                fitted = _fit_all(specs, observed, inputs, defaults)
                return self._call(name, fitted)
            except UserError as error:
                reasons.append(f"{name}({', '.join(map(_describe, specs.values()))}): {error.in_one_line}")
        raise UserError(f"{self.folder} cannot predict from this. " + ". ".join(reasons))

    def inputs(self, endpoint: str) -> dict[str, tf.TensorSpec]:
        """name -> type and shape of each input of an endpoint. Raises UserError where there is no such endpoint."""
        (name,) = self._endpoints(endpoint)
        return inputs_of(self._loaded, name)

    def _endpoints(self, endpoint: str | None) -> list[str]:
        """The names of the endpoints to try: `endpoint` alone, or all. Those with the most fixed sizes come first, because they
        are made for a single clip. Raises UserError."""
        names = endpoints_of(self._loaded)
        if endpoint is not None:
            if endpoint not in names:
                raise UserError(f"{self.folder}: there is no endpoint {endpoint}; there is {', '.join(sorted(names))}")
            return [endpoint]

        def open_sizes(name: str) -> int:
            specs = inputs_of(self._loaded, name).values()
            return sum(size is None for spec in specs for size in spec.shape)

        return sorted(names, key=lambda name: (open_sizes(name), name))

    def _call(self, name: str, fitted: Mapping[str, Fitted]):
        try:
            outputs = self._loaded.signatures[name](**{key: tf.constant(part.value) for key, part in fitted.items()})
        except tf.errors.InvalidArgumentError as error:
            raise UserError(first_line(error)) from error
        specs = inputs_of(self._loaded, name)
        arrays = {key: output.numpy() for key, output in outputs.items()}
        # A single example was put into a batch of one: take it out of the batch again.
        if any(part.lifted and specs[key].shape[0] is None for key, part in fitted.items()):
            arrays = {key: array[0] for key, array in arrays.items()}
        if any(part.bytes for part in fitted.values()):
            arrays = {key: _as_bytes(array) for key, array in arrays.items()}
        return arrays if len(arrays) > 1 else next(iter(arrays.values()))


def _fit_all(specs: Mapping[str, tf.TensorSpec], observed, inputs: Mapping[str, Any], defaults: Mapping) -> dict[str, Fitted]:
    """The arguments of `SavedModel.call` -> an array for each input of an endpoint. Raises UserError where they do not fit."""
    arrays = dict(inputs)
    if observed is not None:
        if len(specs) != 1:
            raise UserError("it has several inputs: name them")
        arrays = {next(iter(specs)): observed, **arrays}
    if unknown := [name for name in arrays if name not in specs]:
        raise UserError(f"there is no input {unknown[0]}")
    arrays = {name: _array(name, value) for name, value in arrays.items()}
    fitted = {name: _fit(value, specs[name]) for name, value in arrays.items()}  # first: defaults are made from them
    for name, spec in specs.items():
        if name in fitted:
            continue
        if defaults.get(name) is not None:
            value = np.asarray(defaults[name])
        elif name in DEFAULTS:
            try:
                value = DEFAULTS[name](arrays)
            except KeyError as error:  # what it is made from was not given, or is no input here
                source = error.args[0]
                raise UserError(f"{source if source in specs else name} is missing") from error
        else:
            raise UserError(f"{name} is missing")
        fitted[name] = _fit(value, spec)
    return fitted


def _array(name: str, value: Any) -> np.ndarray:
    """Nested lists of numbers, or an array -> an array of numbers. Raises UserError."""
    try:
        array = np.asarray(value)
    except ValueError as error:  # lists of different lengths
        raise UserError(f"{name} is no array of numbers: its lists differ in length") from error
    if array.dtype.kind not in "buif":
        raise UserError(f"{name} is no array of numbers")
    return array


def _fit(value: np.ndarray, spec: tf.TensorSpec) -> Fitted:
    """Give an array the declared type and shape of an input. Raises UserError where it does not fit."""
    lifted = value.ndim == spec.shape.rank - 1
    value = value[None] if lifted else value
    if not spec.shape.is_compatible_with(value.shape):
        raise UserError(f"{spec.name} has the shape {list(value.shape[lifted:])}")
    dtype = spec.dtype.as_numpy_dtype
    if dtype == np.uint8 and value.dtype != np.uint8:
        raise UserError(f"{spec.name} is {value.dtype}: give uint8, 0..255")
    if 0 in value.shape:
        raise UserError(f"{spec.name} is empty: it has the shape {list(value.shape[lifted:])}")
    if np.issubdtype(dtype, np.integer) and (value != np.rint(value)).any():
        raise UserError(f"{spec.name}: give whole numbers")
    if spec.name == "count" and (value < 1).any():  # the number of future poses
        raise UserError(f"count is {value.min()}: give 1 or more")
    is_frames = dtype == np.float32 and value.ndim > 3 and value.shape[-1] in (1, 3)  # joints have 2 coordinates
    is_bytes = is_frames and value.dtype == np.uint8
    if is_frames and not is_bytes and (value.min() < -ROUNDING or value.max() > 1.0 + ROUNDING):
        raise UserError(f"{spec.name} goes from {value.min():.4g} to {value.max():.4g}: give 0..1, or uint8 0..255")
    return Fitted((value / np.float32(255.0) if is_bytes else value).astype(dtype), lifted, is_bytes)


def _as_bytes(array: np.ndarray) -> np.ndarray:
    """float32 0..1 -> uint8 0..255; other types stay as they are."""
    return np.rint(255.0 * np.clip(array, 0.0, 1.0)).astype(np.uint8) if array.dtype == np.float32 else array


def _describe(spec: tf.TensorSpec) -> str:
    """Name, type and shape of an input, such as "frame uint8 [64, 64, 3]"."""
    sizes = ["any" if size is None else str(size) for size in spec.shape]
    return f"{spec.name} {spec.dtype.name} [{', '.join(sizes)}]"
