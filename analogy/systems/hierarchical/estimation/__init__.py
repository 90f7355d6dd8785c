"""Pose estimation in videos: TensorFlow Lite estimators, tracking of one person, and smoothing."""

from __future__ import annotations

from pathlib import Path

from analogy.errors import UserError

# Estimator -> patterns of the official names of its files. `analogy.systems.hierarchical.estimation.tflite` opens them.
ESTIMATORS = {
    "movenet": ("*movenet*singlepose*.tflite",),
    "blazepose": ("*pose_landmark*.tflite", "*pose_detection*.tflite"),
}


def find_models(name: str, models: Path | None) -> list[Path]:
    """The files of the estimator `name` (a key of ESTIMATORS), anywhere below the folder `models`. Raises UserError."""
    patterns = ESTIMATORS[name]
    if models is None:
        raise UserError(f"--poses {name} needs --models, the folder in which {' and '.join(patterns)} lie")
    files = []
    for pattern in patterns:
        if not (matches := sorted(models.rglob(pattern))):
            raise UserError(f"--models {models}: there is no {pattern} in it; docs/poses.md says where to get it")
        files.append(matches[0])
    return files
