"""SavedModel: what a run learned, for a process that has TensorFlow and nothing of ours."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from analogy.errors import UserError
from analogy.ownership import SAVED_MODEL, check_output, is_run, replacing_folder


def export_saved_model(system, folder: Path) -> None:
    """Write the system's endpoints as signatures and as methods of the loaded object; replaces an older export of ours.

    Args:
        system: has `endpoints()` (tf.functions with named input signatures), and what they use: `exported`, networks, and
            `used`, the loaded SavedModels of other runs.
        folder: the SavedModel's folder; in a run's folder, this is its own export.

    Raises:
        UserError: the folder holds something else, or cannot be written.
    """
    module = tf.Module()
    # The plain variables: a tf.Module does not find those of Keras 3 models by itself.
    module.weights = [v.value for model in system.exported for v in model.variables]
    module.used = list(system.used.values())  # the endpoints may call what the system builds on
    endpoints = system.endpoints()
    for name, function in endpoints.items():
        setattr(module, name, function)
    write_saved_model(module, endpoints, folder, within_run=is_run(folder.parent))


def write_saved_model(module: tf.Module, endpoints: dict, folder: Path, *, within_run: bool = False) -> None:
    """Write a module with its tf.functions `endpoints` as signatures, as a whole or not at all; replaces one that we made.

    within_run: the folder is the run's own export, by the process that holds the run.

    Raises:
        UserError: the folder holds something else, lies in a run, or cannot be written.
    """
    if not within_run:
        check_output(folder, SAVED_MODEL)
    with replacing_folder(folder, SAVED_MODEL, within_run=within_run) as partial:
        try:
            tf.saved_model.save(module, str(partial), signatures={n: f.get_concrete_function() for n, f in endpoints.items()})
        except tf.errors.OpError as error:
            why = str(error).splitlines()[0]
            raise UserError(f"{folder}: the SavedModel cannot be written ({why}); make room there") from error
