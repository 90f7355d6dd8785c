"""Which number format the convolutions use. Weights, losses and optimisers are float32 throughout."""

from __future__ import annotations

from pathlib import Path

import keras
import tensorflow as tf

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


def resolve_precision(wanted: str) -> str:
    """For "auto": bfloat16 where the hardware computes it natively, float16 on older GPUs with tensor cores, else float32."""
    if wanted != "auto":
        return wanted
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


def use_precision(precision: str) -> None:
    """Set the policy that layers built from now on take."""
    keras.config.set_dtype_policy(POLICIES[precision])
