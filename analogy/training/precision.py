"""The number format of the layers' computations. Weights, losses and optimisers are always float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import tensorflow as tf

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


def resolve_precision(precision: str, before: str | None = None) -> str:
    """The precision itself, or for "auto" the best one for this machine.

    before: in which precision the earlier steps of a resumed run computed. "auto" goes on with it: another one, on another
    machine, would give another result. float16 is for GPUs alone, and is chosen anew.

    That is bfloat16 on GPUs that compute it natively and on CPUs that are faster with it, float16 on older GPUs with tensor
    cores, else float32.
    """
    if precision != "auto":
        return precision
    if before in ("float32", "bfloat16"):
        return before
    gpus = tf.config.get_visible_devices("GPU")
    if gpus:
        capabilities = [tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0)) for gpu in gpus]
        if min(capabilities) >= (8, 0):
            return "bfloat16"
        return "float16" if min(capabilities) >= (7, 0) else "float32"
    return "bfloat16" if _is_faster_in_bfloat16() else "float32"


def _is_faster_in_bfloat16() -> bool:
    """Whether this CPU is of a kind that computes faster in bfloat16: one with matrix units (AMX), or AMD's with AVX-512's
    arithmetic for it.

    The instructions alone do not say so: training steps took 1.2 to 1.6 times as long on an Intel Xeon whose matrix units a
    virtual machine hides (benchmarks/README.md). To measure it here would choose the slower one when other work disturbs it,
    and then the same command would give other results.
    """
    try:
        processor = Path("/proc/cpuinfo").read_text()
    except OSError:  # not Linux
        return False
    return "amx_bf16" in processor or ("avx512_bf16" in processor and "AuthenticAMD" in processor)


@contextmanager
def use_precision(precision: str) -> Iterator[None]:
    """Inside, layers are built with the Keras dtype policy of `precision`, a key of POLICIES; afterwards as before."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(POLICIES[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
