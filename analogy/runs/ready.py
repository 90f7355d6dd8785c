"""The models that come along with the package: runs of demos on rendered or drawn data, reduced to what predicting needs.

Each is a folder in analogy/ready_models with the run's settings.yaml and summary.json, its SavedModel, and about.yaml.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import yaml

from analogy.runs.find import find_model, folders_named, run_of

FOLDER = Path(__file__).parent.parent / "ready_models"
ABOUT = "about.yaml"
FOR_VIDEOS = "lvln_plus"  # predicts the next frames of any video


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


def coming_along(name: str | Path) -> Path | None:
    """The folder of the model of this name that comes along; None where there is none."""
    model = ready_models().get(str(name))
    return model.run if model else None


def name_of(run: Path) -> str:
    """The run in words: EXPERIMENT/RUN, or the name of a model that comes along."""
    return f"{run.name}, which comes along" if run.is_relative_to(FOLDER) else f"{run.parent.name}/{run.name}"


def run_or_ready(name: str | Path, results: Path, key: str) -> Path:
    """The folder of a run, or where there is none of that name, of the model that comes along. See `find_run`."""
    return run_of(model_or_ready(name, results, key))


def model_or_ready(name: str | Path, results: Path, key: str) -> Path:
    """As `run_or_ready`, and the folder of a SavedModel stays one. See `find_model`."""
    if (folder := coming_along(name)) and not folders_named(name, results, key):
        return folder
    return find_model(name, results, key, () if folder else ready_models())
