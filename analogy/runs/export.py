"""Writing the SavedModel of a run. Using it needs TensorFlow alone, not this package."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from analogy.errors import UserError, first_line
from analogy.files.marks import SAVED_MODEL
from analogy.ownership import check_output, is_run, replacing_folder
from analogy.runs.find import DEFAULT_SIGNATURE


def export_saved_model(system, folder: Path) -> None:
    """Write the system's endpoints as signatures and as methods of the loaded object. An older export is replaced.

    Args:
        system: has `endpoints()`, name -> tf.function with a named input signature; and the objects that these use: `exported`,
            its networks, and `used`, the loaded SavedModels of other runs.
        folder: the folder of the SavedModel. In a run's folder it is that run's own export.

    Raises:
        UserError: the folder holds something else, or cannot be written.
    """
    module = tf.Module()
    # List the variables: a tf.Module does not find those of Keras 3 models by itself.
    module.weights = [v.value for model in system.exported for v in model.variables]
    module.used = list(system.used.values())  # the endpoints may call the SavedModels of other runs
    endpoints = system.endpoints()
    for name, function in endpoints.items():
        setattr(module, name, function)
    write_saved_model(module, endpoints, folder, within_run=is_run(folder.parent))


def write_saved_model(module: tf.Module, endpoints: dict, folder: Path, *, within_run: bool = False) -> None:
    """Write a module as a SavedModel, completely or not at all. A SavedModel that analogy made is replaced.

    Args:
        endpoints: name -> tf.function with an input signature; they become the signatures. The first one is also the signature
            that servers take where none is named, `serving_default`.
        within_run: the folder is the run's own export, and this process holds the lock of the run.

    Raises:
        UserError: the folder holds something else, lies in a run, or cannot be written.
    """
    if not within_run:
        check_output(folder, SAVED_MODEL)
    with replacing_folder(folder, SAVED_MODEL, within_run=within_run) as replacement:
        try:
            # The functions themselves: a concrete function, traced before, would be traced a second time while it is saved.
            tf.saved_model.save(
                module, str(replacement.partial), signatures={DEFAULT_SIGNATURE: next(iter(endpoints.values())), **endpoints}
            )
        except tf.errors.OpError as error:
            why = first_line(error)
            raise UserError(f"{folder}: the SavedModel cannot be written ({why}); make room there") from error
