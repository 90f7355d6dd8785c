"""SavedModel: what a run learned, for a process that has TensorFlow and nothing of ours."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import tensorflow as tf


def export_saved_model(system, folder: Path) -> None:
    """Write the system's endpoints as signatures and as methods of the loaded object; replaces an older export.

    Args:
        system: has `endpoints()` (tf.functions with named input signatures) and `exported`, the networks they use.
        folder: the SavedModel's folder.
    """
    module = tf.Module()
    # The plain variables: a tf.Module does not find those of Keras 3 models by itself.
    module.weights = [v.value for model in system.exported for v in model.variables]
    endpoints = system.endpoints()
    for name, function in endpoints.items():
        setattr(module, name, function)
    write_saved_model(module, endpoints, folder)


def write_saved_model(module: tf.Module, endpoints: dict, folder: Path) -> None:
    """Write a module with its tf.functions `endpoints` as signatures, as a whole or not at all."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    tf.saved_model.save(module, str(partial), signatures={n: f.get_concrete_function() for n, f in endpoints.items()})
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)
