"""Pose estimation in videos: TensorFlow Lite estimators, tracking of one person, and smoothing."""

from __future__ import annotations

from pathlib import Path

from analogy.errors import UserError
from analogy.pretrained.fetching import FILES, fetch_command, fetched_file

# Estimator -> patterns of the official names of its files. `analogy.systems.hierarchical.estimation.tflite` opens them.
ESTIMATORS = {
    "movenet": ("*movenet*singlepose*.tflite",),
    "blazepose": ("*pose_landmark*.tflite", "*pose_detection*.tflite"),
}


def find_models(name: str, models: Path | None) -> list[Path]:
    """The files of the estimator `name` (a key of ESTIMATORS). Raises UserError.

    models: a folder in which they lie anywhere; None for where `analogy fetch` puts them.
    """
    patterns = ESTIMATORS[name]
    if models is None and name not in FILES:
        raise UserError(f"--poses {name} needs --models, the folder in which {' and '.join(patterns)} lie")
    folder, files = models or fetched_file(name), []
    for pattern in patterns:
        if not (matches := sorted(folder.rglob(pattern))):
            if models is None:
                raise UserError(f"--poses {name}: its models are not in {folder}{fetch_command(folder)}")
            raise UserError(f"--models {models}: there is no {pattern} in it; docs/poses.md says where to get it")
        files.append(matches[0])
    return files


def usual_estimator(models: Path | None) -> str:
    """The estimator for which `find_models` finds the files. Where it finds none: the one that can be fetched, or, beside a
    folder of models, MoveNet."""
    for name in ESTIMATORS:
        try:
            find_models(name, models)
        except UserError:
            continue
        return name
    return "blazepose" if models is None else "movenet"
