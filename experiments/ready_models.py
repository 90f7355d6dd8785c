"""Train the models that come along with the package again, from nothing, and put them in their place (`make models`).

With names, only these: python experiments/ready_models.py lvln_plus
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from analogy.metrics.table import HEADLINES
from analogy.runs.find import DEFAULT_SIGNATURE, MODEL, endpoints_of
from analogy.runs.ready import FOLDER, ready_models
from analogy.runs.uses import checksum

KEPT = (
    "experiment", "summary", "source", "system", "dataset", "scale", "status", "steps", "seed", "precision", "parameters",
    "protocol", "uses", "seconds", "test", "baseline",
)  # fmt: skip
# The endpoints that stay, the default one first, where another calls a model which comes along too: with it a SavedModel
# would hold that one a second time.
STAY = {"keypoints_plus_motion": ("sample", "decode")}


def take_over(run: Path, folder: Path) -> None:
    """Put what predicting needs of a finished run into `folder`, instead of what it held. about.yaml stays.

    Weights are rounded to half precision, which halves their size in a wheel. summary.json gets the commit that measured and
    exported the run, of a resumed run those before it too (`earlier_commits`), and the checksum of the SavedModel. Paths of
    this machine are in none of these files: another model that comes along, on which this one builds, is called by its name.
    """
    summary, settings = (
        (run / name).read_text("utf-8").replace(f"{FOLDER}/", "") for name in ("summary.json", "settings.yaml")
    )
    summary, environment = json.loads(summary), json.loads((run / "environment.json").read_text("utf-8"))
    _copy_rounded(run / MODEL, folder / "new", STAY.get(folder.name))
    shutil.rmtree(folder / MODEL, ignore_errors=True)
    (folder / "new").rename(folder / MODEL)
    (folder / "settings.yaml").write_text(settings, "utf-8")
    reduced = {key: summary[key] for key in KEPT if key in summary}
    reduced["clips"] = [{key: row[key] for key in ("clip", "action", *HEADLINES) if key in row} for row in summary["clips"]]
    reduced |= {key: environment[key] for key in ("earlier_commits", "commit") if key in environment}
    reduced["checksum"] = checksum(folder / MODEL)
    (folder / "summary.json").write_text(json.dumps(reduced, indent=1) + "\n", "utf-8")


def _copy_rounded(source: Path, target: Path, stay: Sequence[str] | None) -> None:
    """Copy a SavedModel whose attribute `weights` lists its variables, as `runs.export` writes it, with rounded weights.

    stay: its endpoints that are copied, the default one first; the models that only others call are left out. None: all.
    """
    import tensorflow as tf

    loaded = tf.saved_model.load(str(source))
    for weight in loaded.weights:
        weight.assign(tf.cast(tf.cast(weight, tf.float16), weight.dtype))
    model, names = tf.Module(), stay or endpoints_of(loaded)
    model.weights = loaded.weights
    for name in names:
        setattr(model, name, getattr(loaded, name))
    signatures = {name: loaded.signatures[name] for name in names}
    signatures[DEFAULT_SIGNATURE] = loaded.signatures[stay[0] if stay else DEFAULT_SIGNATURE]
    tf.saved_model.save(model, str(target), signatures=signatures)


def main() -> None:
    models = ready_models()
    if unknown := [name for name in sys.argv[1:] if name not in models]:
        sys.exit(f"error: {unknown[0]}: no model of this name comes along; there is {', '.join(models)}")
    for name in sys.argv[1:] or models:
        with tempfile.TemporaryDirectory() as folder:
            program, *arguments = shlex.split(models[name].about["command"])
            subprocess.run([program, *arguments, "--results-dir", folder], check=True)
            (run,) = Path(folder).glob(f"{name}/*/")
            take_over(run, FOLDER / name)


if __name__ == "__main__":
    main()
