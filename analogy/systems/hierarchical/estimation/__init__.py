"""Poses from pictures: off-the-shelf TensorFlow Lite estimators, tracking, smoothing."""

from __future__ import annotations

from pathlib import Path

from analogy.errors import UserError

# Estimators by name, with patterns of the official file names; `analogy.systems.hierarchical.estimation.tflite` opens them.
ESTIMATORS = {
    "movenet": ("*movenet*singlepose*.tflite",),
    "blazepose": ("*pose_landmark*.tflite", "*pose_detection*.tflite"),
}


def find_models(name: str, models: Path | None) -> list[Path]:
    """The files of an estimator, anywhere below the folder `models`. Raises UserError."""
    patterns = ESTIMATORS[name]
    if models is None:
        raise UserError(f"--poses {name} needs --models, the folder in which {' and '.join(patterns)} lie")
    files = []
    for pattern in patterns:
        if not (found := sorted(models.rglob(pattern))):
            raise UserError(f"--models {models}: there is no {pattern} in it; docs/poses.md says where to get it")
        files.append(found[0])
    return files
