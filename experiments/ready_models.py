"""Train the models that come along with the package again, from nothing, and put them in their place (`make models`).

With names, only these: python experiments/ready_models.py lvln_plus
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from analogy.cli.console import app_of, clear_errors
from analogy.errors import UserError
from analogy.files.paths import check_writable
from analogy.graphs import graph_function
from analogy.metrics.table import HEADLINES
from analogy.runs.find import DEFAULT_SIGNATURE, MODEL
from analogy.runs.ready import FOLDER, ready_models
from analogy.runs.uses import checksum

if TYPE_CHECKING:
    from analogy.systems.base import System

KEPT = (
    "experiment", "summary", "source", "system", "dataset", "scale", "status", "steps", "seed", "precision", "parameters",
    "protocol", "uses", "seconds", "test", "baseline",
)  # fmt: skip
# The endpoints that stay, the default one first, where another calls a model which comes along too: with it a SavedModel
# would hold that one a second time.
STAY = {"keypoints_plus_motion": ("sample", "decode")}


def take_over(run: Path, folder: Path) -> None:
    """Put what predicting needs of a finished run into `folder`, instead of what it held. about.yaml stays.

    The weights are rounded to half precision. summary.json gets the commit that measured and exported the run, of a resumed run
    those before it too (`earlier_commits`), and the checksum of the SavedModel. Paths of this machine are in none of these
    files: another model that comes along, on which this one builds, is called by its name.
    """
    import keras

    from analogy.training.in_float32 import predicting_system
    from analogy.training.precision import use_precision

    summary, settings = (
        (run / name).read_text("utf-8").replace(f"{FOLDER}/", "") for name in ("summary.json", "settings.yaml")
    )
    summary, environment = json.loads(summary), json.loads((run / "environment.json").read_text("utf-8"))
    keras.utils.set_random_seed(summary["seed"])  # the states of random numbers are exported too
    with use_precision(summary["precision"]):  # of its computations
        export_halved(predicting_system(run), folder / "new", STAY.get(folder.name))
    shutil.rmtree(folder / MODEL, ignore_errors=True)
    (folder / "new").rename(folder / MODEL)
    (folder / "settings.yaml").write_text(settings, "utf-8")
    reduced = {key: summary[key] for key in KEPT if key in summary}
    reduced["clips"] = [{key: row[key] for key in ("clip", "action", *HEADLINES) if key in row} for row in summary["clips"]]
    reduced |= {key: environment[key] for key in ("earlier_commits", "commit") if key in environment}
    reduced["checksum"] = checksum(folder / MODEL)
    (folder / "summary.json").write_text(json.dumps(reduced, indent=1) + "\n", "utf-8")


def export_halved(system: System, folder: Path, stay: Sequence[str] | None = None) -> None:
    """Write a SavedModel whose weights lie in half precision, and are read in that of the networks.

    Such files are half as large on disk, and four fifths in a wheel, of those of rounded weights in float32.

    stay: its endpoints that are written, the default one first; the models that only others call are left out. None: all.
    """
    import keras
    import tensorflow as tf

    def halved(value):
        return tf.cast(value, tf.float16) if value.dtype.is_floating else value  # the states of random numbers are integers

    weights = [weight for network in system.exported for weight in network.variables]
    halves = [tf.Variable(halved(tf.convert_to_tensor(weight.value))) for weight in weights]

    def reading_halves(endpoint):
        @graph_function(input_signature=endpoint.input_signature)
        @wraps(endpoint.python_function)
        def function(*inputs):
            read = [(weight, tf.cast(half, weight.dtype)) for weight, half in zip(weights, halves, strict=True)]
            with keras.StatelessScope(read):
                return endpoint.python_function(*inputs)

        return function

    module = tf.Module()
    module.weights = halves
    # Endpoints may share a graph. What one has read of the halves is no part of another, so each is made anew.
    written = {name: reading_halves(system.endpoints()[name]) for name in stay or system.endpoints()}
    for name, function in written.items():
        setattr(module, name, function)
    tf.saved_model.save(module, str(folder), signatures={DEFAULT_SIGNATURE: next(iter(written.values())), **written})


def main(names: Annotated[list[str] | None, typer.Argument(help="Only these models.")] = None) -> None:
    with clear_errors(FOLDER):
        models = ready_models()
        if unknown := [name for name in names or [] if name not in models]:
            raise UserError(f"{unknown[0]}: no model of this name comes along; there is {', '.join(models)}")
        for name in names or models:
            check_writable(FOLDER / name, "allow it, or work in a copy of the repository that is yours")
        for name in names or models:
            with tempfile.TemporaryDirectory() as folder:
                program, *arguments = shlex.split(models[name].about["command"])
                subprocess.run([program, *arguments, "--results-dir", folder], check=True)
                (run,) = Path(folder).glob(f"{name}/*/")
                take_over(run, FOLDER / name)


app = app_of(main)


if __name__ == "__main__":
    app()
