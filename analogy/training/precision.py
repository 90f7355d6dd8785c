"""The number format of the layers' computations. Weights, losses and optimisers are always float32."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import keras
import tensorflow as tf

FASTER = 1.1  # bfloat16 is taken on a CPU that is so many times as fast with it
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


def resolve_precision(precision: str, before: str | None = None) -> str:
    """The precision itself, or for "auto" the best one for this machine.

    before: what "auto" was in the earlier steps of a resumed run, which goes on with it: on another machine, or by another
    measurement, its result would be another one. float16 is for GPUs alone, and is chosen anew.

    That is bfloat16 on GPUs that compute it natively and on CPUs that are faster with it, float16 on older GPUs with tensor
    cores, else float32.
    """
    if precision != "auto":
        return precision
    if before in ("float32", "bfloat16"):
        return before
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capabilities = [tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0)) for gpu in gpus]
        if min(capabilities) >= (8, 0):
            return "bfloat16"
        return "float16" if min(capabilities) >= (7, 0) else "float32"
    return "bfloat16" if _has_bfloat16() and _bfloat16_is_faster() else "float32"


def _has_bfloat16() -> bool:
    """Whether the CPU has instructions for it."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "amx_bf16" in flags or "avx512_bf16" in flags


@cache
def _bfloat16_is_faster() -> bool:
    """Whether the CPU computes a convolution faster with it.

    The instructions alone do not say so: training steps on an Intel Xeon whose matrix units (AMX) are hidden by a virtual
    machine took 1.1 to 1.75 times as long in bfloat16 as in float32.
    """
    return _seconds(tf.float32) > FASTER * _seconds(tf.bfloat16)


def _seconds(dtype) -> float:
    """The shortest time of a convolution: 0.9 GFLOP."""
    images, kernel = tf.zeros([4, 56, 56, 64], dtype), tf.zeros([3, 3, 64, 64], dtype)

    def measured() -> float:
        began = time.perf_counter()
        tf.nn.conv2d(images, kernel, 1, "SAME").numpy()
        return time.perf_counter() - began

    measured()  # the first time it is compiled
    return min(measured() for _ in range(5))


@contextmanager
def use_precision(precision: str) -> Iterator[None]:
    """Inside, layers are built with the Keras dtype policy of `precision`, a key of POLICIES; afterwards as before."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(POLICIES[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
