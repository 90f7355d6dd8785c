"""The models that come along with the package: runs of demos on drawn data, reduced to what predicting needs.

Each is a folder in analogy/ready_models with the run's settings.yaml and summary.json, its SavedModel, and about.yaml.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import NamedTuple

import yaml

FOLDER = Path(__file__).parent.parent / "ready_models"
ABOUT = "about.yaml"
FOR_VIDEOS = "lvln_plus"  # predicts the next frames of any video
KEPT = (
    "experiment", "summary", "source", "system", "dataset", "scale", "status", "steps", "seed", "precision", "parameters",
    "protocol", "seconds", "test", "baseline",
)  # fmt: skip


class ReadyModel(NamedTuple):
    """run: its folder. about: what the user should know (the keys of about.yaml). summary: of its run. size: in bytes."""

    run: Path
    about: dict[str, str]
    summary: dict
    size: int


def ready_models() -> dict[str, ReadyModel]:
    """name -> model, of all that come along."""
    models = {}
    for path in sorted(FOLDER.glob(f"*/{ABOUT}")):
        folder = path.parent
        about, summary = yaml.safe_load(path.read_text("utf-8")), json.loads((folder / "summary.json").read_text("utf-8"))
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        models[folder.name] = ReadyModel(folder, about, summary, size)
    return models


def take_over(run: Path, folder: Path) -> None:
    """Put what predicting needs of a finished run into `folder`, instead of what it held. about.yaml stays.

    Paths of this machine are in none of these files.
    """
    summary = json.loads((run / "summary.json").read_text("utf-8"))
    shutil.copytree(run / "saved_model", folder / "new", ignore=shutil.ignore_patterns(".*"))
    shutil.rmtree(folder / "saved_model", ignore_errors=True)
    (folder / "new").rename(folder / "saved_model")
    shutil.copy(run / "settings.yaml", folder / "settings.yaml")
    reduced = {key: summary[key] for key in KEPT if key in summary}
    (folder / "summary.json").write_text(json.dumps(reduced, indent=1) + "\n", "utf-8")
