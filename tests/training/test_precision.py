"""Which precision a machine takes by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from analogy.training import precision
from analogy.training.precision import FASTER, resolve_precision


@pytest.fixture
def cpu(monkeypatch):
    """cpu(flags, seconds in float32, seconds in bfloat16): a machine without GPUs that has this CPU."""

    def make(flags: str, single: float, half: float) -> None:
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [])
        monkeypatch.setattr(Path, "read_text", lambda path, *options: f"flags : fpu {flags}\n")
        monkeypatch.setattr(precision, "_seconds", {tf.float32: single, tf.bfloat16: half}.__getitem__)
        precision._bfloat16_is_faster.cache_clear()

    yield make
    precision._bfloat16_is_faster.cache_clear()


@pytest.mark.parametrize(
    ("flags", "gain", "chosen"),
    [
        ("avx512f avx512_bf16", 2.0, "bfloat16"),
        ("avx512f amx_bf16 avx512_bf16", 1.01 * FASTER, "bfloat16"),
        ("avx512f avx512_bf16", 1.0, "float32"),
        ("avx512f avx512_bf16", 0.6, "float32"),  # it has the instructions, and is slower with them
        ("avx512f", 2.0, "float32"),  # never emulated
    ],
)
def test_a_cpu_takes_bfloat16_where_it_has_it_and_is_faster_with_it(cpu, flags, gain, chosen):
    cpu(flags, gain, 1.0)
    assert resolve_precision("auto") == chosen
    assert resolve_precision("bfloat16") == "bfloat16" and resolve_precision("float32") == "float32"


def test_a_resumed_run_goes_on_as_it_began(cpu):
    cpu("avx512f avx512_bf16", 0.6, 1.0)
    assert resolve_precision("auto", before="bfloat16") == "bfloat16"
    assert resolve_precision("float32", before="bfloat16") == "float32"  # asked for
    assert resolve_precision("auto", before="float16") == resolve_precision("auto", before=None) == "float32"


def test_a_convolution_takes_time():
    assert precision._seconds(tf.bfloat16) > 0 and precision._seconds(tf.float32) > 0
