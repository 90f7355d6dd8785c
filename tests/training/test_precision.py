"""Which precision a machine takes by itself."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import pytest
import tensorflow as tf

from analogy.settings import find_experiment, load_settings, write_settings
from analogy.systems import SYSTEMS
from analogy.training.precision import resolve_precision
from analogy.training.run import run_experiment

INTEL, AMD = "GenuineIntel", "AuthenticAMD"


@pytest.fixture
def cpu(monkeypatch):
    """cpu(vendor, flags): a machine without GPUs that has this CPU."""

    def make(vendor: str, flags: str) -> None:
        monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind=None: [])
        monkeypatch.setattr(Path, "read_text", lambda path, *options: f"vendor_id : {vendor}\nflags : fpu {flags}\n")

    return make


@pytest.mark.parametrize(
    ("vendor", "flags", "chosen"),
    [
        (AMD, "avx512f avx512_bf16", "bfloat16"),
        (INTEL, "avx512f amx_bf16 avx512_bf16", "bfloat16"),
        (INTEL, "avx512f avx512_bf16", "float32"),  # it has the instructions, and is slower with them
        (AMD, "avx512f", "float32"),  # never emulated
    ],
)
def test_a_cpu_takes_bfloat16_where_its_kind_is_faster_with_it(cpu, vendor, flags, chosen):
    cpu(vendor, flags)
    assert resolve_precision("auto") == chosen
    assert resolve_precision("bfloat16") == "bfloat16" and resolve_precision("float32") == "float32"


def test_gpus_that_are_hidden_do_not_count(cpu, monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: pytest.fail("a hidden GPU was asked"))
    cpu(INTEL, "avx512f")
    assert resolve_precision("auto") == "float32"


def test_a_resumed_run_goes_on_as_it_began(cpu):
    cpu(INTEL, "avx512f avx512_bf16")
    assert resolve_precision("auto", before="bfloat16") == "bfloat16"
    assert resolve_precision("float32", before="bfloat16") == "float32"  # asked for
    assert resolve_precision("auto", before="float16") == resolve_precision("auto", before=None) == "float32"


@pytest.mark.parametrize("before", ["bfloat16", "float32"])
def test_run_experiment_takes_the_precision_of_the_run_that_it_resumes(monkeypatch, tmp_path, before):
    settings = load_settings(find_experiment("analogy_pool3"), SYSTEMS, scale="demo")
    (run := tmp_path / "analogy_pool3" / "run").mkdir(parents=True)
    (run / "summary.json").write_text(json.dumps({"precision": before}))
    write_settings(settings, run / "settings.yaml")
    other = "float32" if before == "bfloat16" else "bfloat16"
    monkeypatch.setattr("analogy.training.precision._is_faster_in_bfloat16", lambda: other == "bfloat16")
    taken = []
    monkeypatch.setattr("analogy.training.run.use_precision", lambda precision: taken.append(precision) or nullcontext())
    monkeypatch.setattr("analogy.training.run._run_on", lambda *arguments: None)
    run_experiment(settings, None, tmp_path, run)
    assert taken == [before] and settings.training.precision == "auto"
