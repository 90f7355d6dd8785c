"""The number format of the layers' computations. Weights, losses and optimisers are always float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import tensorflow as tf

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


def resolve_precision(precision: str) -> str:
    """The precision itself, or for "auto" the best one for this machine.

    That is bfloat16 where the hardware computes it natively, float16 on older GPUs with tensor cores, else float32.
    """
    if precision != "auto":
        return precision
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capabilities = [tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0)) for gpu in gpus]
        if min(capabilities) >= (8, 0):
            return "bfloat16"
        return "float16" if min(capabilities) >= (7, 0) else "float32"
    return "bfloat16" if _cpu_computes_bfloat16() else "float32"


def _cpu_computes_bfloat16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "amx_bf16" in flags or "avx512_bf16" in flags


@contextmanager
def use_precision(precision: str) -> Iterator[None]:
    """Inside, layers are built with the Keras dtype policy of `precision`, a key of POLICIES; afterwards as before."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(POLICIES[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
