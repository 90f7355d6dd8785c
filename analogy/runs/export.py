"""SavedModel: what a run learned, for a process that has TensorFlow and nothing of ours."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from analogy.errors import UserError
from analogy.files import refuse_other_content, replacing_folder


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
    """Write a module with its tf.functions `endpoints` as signatures, as a whole or not at all; replaces an older SavedModel.

    Raises:
        UserError: the folder holds something else, or cannot be written.
    """
    refuse_other_content(folder, "saved_model.pb", "a SavedModel")
    with replacing_folder(folder) as partial:
        try:
            tf.saved_model.save(module, str(partial), signatures={n: f.get_concrete_function() for n, f in endpoints.items()})
        except tf.errors.OpError as error:
            why = str(error).splitlines()[0]
            raise UserError(f"{folder}: the SavedModel cannot be written ({why}); make room there") from error
