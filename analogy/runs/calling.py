"""Calling a run's SavedModel with arrays, by the names, shapes and types that its endpoints declare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from analogy.errors import UserError
from analogy.runs.find import load_saved_model, saved_model_of

UNKNOWN_ACTION = -1
# What may be left out, made from what is given.
DEFAULTS: dict[str, Callable[[Mapping[str, np.ndarray]], np.ndarray]] = {
    "visibility": lambda given: np.ones(given["joints"].shape[:-1]),
    "next_visibility": lambda given: np.ones(given["next_joints"].shape[:-1]),
    "crop": lambda given: np.broadcast_to(given["frame"].shape[-2:-4:-1], (*given["frame"].shape[:-3], 2)),
    "action": lambda given: np.full(given["joints"].shape[:-3], UNKNOWN_ACTION),
}


class Fitted(NamedTuple):
    """An array as an endpoint takes it. lifted: it got an axis for a batch. bytes: it was uint8 where 0..1 is taken."""

    value: np.ndarray
    lifted: bool
    bytes: bool


class SavedModel:
    """The SavedModel of a run.

    Args:
        run: a finished run's folder, or that of a SavedModel.

    Raises:
        UserError: there is none, or it is damaged.
    """

    def __init__(self, run: Path):
        self.folder, self._loaded = saved_model_of(run), load_saved_model(run)

    def call(
        self, observed: Any, inputs: Mapping[str, Any], endpoint: str | None = None, **defaults
    ) -> np.ndarray | dict[str, np.ndarray]:
        """Call the endpoint that takes what is given, or `endpoint`.

        Args:
            observed: the only input of an endpoint that has one; None if `inputs` names all.
            inputs: name -> array.
            defaults: name -> value for inputs that are not given; None for none.

        Returns:
            The only output, or name -> output.

        Raises:
            UserError: no endpoint takes this; the message says what each takes.
        """
        reasons = []
        for name in self._endpoints(endpoint):
            specs = self._loaded.signatures[name].structured_input_signature[1]
            try:
                fitted = _fit_all(specs, observed, inputs, defaults)
                return self._call(name, fitted)
            except UserError as error:
                reasons.append(f"{name}({', '.join(map(_said, specs.values()))}): {error}")
        raise UserError(f"{self.folder} cannot predict from this. " + ". ".join(reasons))

    def _endpoints(self, wanted: str | None) -> list[str]:
        """Their names, those with the most fixed sizes first: they are made for one clip."""
        names = list(self._loaded.signatures)
        if wanted is not None:
            if wanted not in names:
                raise UserError(f"{self.folder}: there is no endpoint {wanted}; there is {', '.join(sorted(names))}")
            return [wanted]

        def open_sizes(name: str) -> int:
            specs = self._loaded.signatures[name].structured_input_signature[1].values()
            return sum(size is None for spec in specs for size in spec.shape)

        return sorted(names, key=lambda name: (open_sizes(name), name))

    def _call(self, name: str, fitted: Mapping[str, Fitted]):
        try:
            outputs = self._loaded.signatures[name](**{key: tf.constant(part.value) for key, part in fitted.items()})
        except tf.errors.InvalidArgumentError as error:
            raise UserError(str(error).splitlines()[0]) from error
        specs = self._loaded.signatures[name].structured_input_signature[1]
        arrays = {key: output.numpy() for key, output in outputs.items()}
        # Where a batch of any size is taken and one example was given, one comes back.
        if any(part.lifted and specs[key].shape[0] is None for key, part in fitted.items()):
            arrays = {key: array[0] for key, array in arrays.items()}
        if any(part.bytes for part in fitted.values()):
            arrays = {key: _as_bytes(array) for key, array in arrays.items()}
        return arrays if len(arrays) > 1 else next(iter(arrays.values()))


def _fit_all(specs: Mapping[str, tf.TensorSpec], observed, inputs: Mapping[str, Any], defaults: Mapping) -> dict[str, Fitted]:
    given = dict(inputs)
    if observed is not None:
        if len(specs) != 1:
            raise UserError("it has several inputs: name them")
        given = {next(iter(specs)): observed, **given}
    if unknown := [name for name in given if name not in specs]:
        raise UserError(f"there is no input {unknown[0]}")
    given = {name: np.asarray(value) for name, value in given.items()}
    for name in specs:
        if name in given:
            continue
        if defaults.get(name) is not None:
            given[name] = np.asarray(defaults[name])
        elif name in DEFAULTS:
            try:
                given[name] = DEFAULTS[name](given)
            except KeyError as error:
                raise UserError(f"{error.args[0]} is missing") from error
        else:
            raise UserError(f"{name} is missing")
    return {name: _fit(given[name], spec) for name, spec in specs.items()}


def _fit(value: np.ndarray, spec: tf.TensorSpec) -> Fitted:
    """A value of the declared type and shape. Raises UserError."""
    lifted = value.ndim == spec.shape.rank - 1
    value = value[None] if lifted else value
    if not spec.shape.is_compatible_with(value.shape):
        raise UserError(f"{spec.name} has the shape {list(value.shape[lifted:])}")
    wanted = spec.dtype.as_numpy_dtype
    if wanted == np.uint8 and value.dtype != np.uint8:
        raise UserError(f"{spec.name} is {value.dtype}: give uint8, 0..255")
    if not np.issubdtype(value.dtype, np.number) and value.dtype != bool:
        raise UserError(f"{spec.name} is no array of numbers")
    is_bytes = value.dtype == np.uint8 and wanted == np.float32 and value.ndim > 3
    return Fitted((value / np.float32(255.0) if is_bytes else value).astype(wanted), lifted, is_bytes)


def _as_bytes(array: np.ndarray) -> np.ndarray:
    return np.rint(255.0 * np.clip(array, 0.0, 1.0)).astype(np.uint8) if array.dtype == np.float32 else array


def _said(spec: tf.TensorSpec) -> str:
    sizes = ["any" if size is None else str(size) for size in spec.shape]
    return f"{spec.name} {spec.dtype.name} [{', '.join(sizes)}]"
