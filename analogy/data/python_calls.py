"""Python functions inside data pipelines."""

from __future__ import annotations

import atexit
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import tensorflow as tf

from analogy.errors import UserError

REST = 0.2  # seconds without a call, after which a pipeline is taken to have filled its buffers
LONGEST_WAIT = 10.0  # seconds
_lock = threading.Lock()
_running, _last = 0, 0.0  # calls that have not ended; when the last one began or ended
_faults: deque[UserError] = deque(maxlen=8)  # the last ones that calls have raised


def call_python(function: Callable[[np.ndarray], np.ndarray], argument: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Call a function of NumPy arrays inside a graph. It must always give the same for the same argument."""

    def counted(values: np.ndarray) -> np.ndarray:
        _count(+1)
        try:
            return function(values)
        except UserError as error:
            _faults.append(error)
            raise
        finally:
            _count(-1)

    return tf.numpy_function(counted, [argument], dtype, stateful=False)


@contextmanager
def user_errors() -> Iterator[None]:
    """A context in which the UserError of a call is raised as such. TensorFlow makes an error of 100 lines of it."""
    try:
        yield
    except tf.errors.OpError as error:
        for fault in _faults:
            if str(fault) in str(error):
                raise fault from error
        raise


def _count(change: int) -> None:
    global _running, _last
    with _lock:
        _running, _last = _running + change, time.monotonic()


@atexit.register
def _wait_for_rest() -> None:
    """Wait until no pipeline calls Python any more.

    The threads of a pipeline that somebody has left in a variable go on until its buffers are full. One that calls Python after
    the interpreter's end aborts the process, or holds it up for ever.
    """
    end = time.monotonic() + LONGEST_WAIT
    while (_running or time.monotonic() - _last < REST) and time.monotonic() < end:
        time.sleep(0.02)
