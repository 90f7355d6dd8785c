"""Arrays out of a pickle that may come from anywhere."""

from __future__ import annotations

import pickle

import numpy as np


class Inert:
    """Stands for whatever a pickle wants to call: its arguments and state are kept, and nothing is called.

    Not even NumPy's own functions: with arguments of a stranger's choice they reach any memory.
    """

    def __init__(self, *arguments):
        self.arguments = arguments

    def __setstate__(self, state):
        self.state = state


class ArrayUnpickler(pickle.Unpickler):
    """For pickles of arrays, of which nothing is executed: an array comes back as the `Inert` of its state, (version, shape,
    dtype, Fortran order, data)."""

    def find_class(self, module, name):
        if module.partition(".")[0] == "numpy" and name in ("_reconstruct", "ndarray", "dtype"):
            return Inert
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, and weights are arrays only")


def array_of(record: Inert) -> np.ndarray:
    """The array of such a record. Raises ValueError unless it is of floats."""
    _, shape, dtype, fortran, data = record.state
    kind = np.dtype(dtype.arguments[0]).newbyteorder(dtype.state[1])
    if kind.kind != "f":
        raise ValueError(f"an array of {kind}")
    data = data.encode("latin1") if isinstance(data, str) else data  # Python 2 wrote its bytes as str
    return np.frombuffer(data, kind).reshape(shape, order="F" if fortran else "C")
