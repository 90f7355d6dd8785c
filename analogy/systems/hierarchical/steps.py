"""Finding the runs of the method's two steps: a pose predictor and a painter. This module does not import TensorFlow."""

from __future__ import annotations

from pathlib import Path

from analogy.errors import Mistakes
from analogy.runs.find import find_run, newest_run

POSE_SYSTEMS, PAINT_SYSTEMS = ("pose_residual", "pose_lstm"), ("analogy_masked", "analogy_gan")


def find_steps(pose_run: str | None, paint_run: str | None, results: Path) -> tuple[Path, Path]:
    """The folders of a pose predictor's run and of a painter's run.

    Args:
        pose_run, paint_run: the values of `--pose-run` and `--paint-run`; None for the newest finished run of that kind.
        results: the results folder.

    Raises:
        UserError: there is no such run; one line for each of the two.
    """
    with Mistakes() as mistakes:
        with mistakes.noted():
            poses = newest_run(results, POSE_SYSTEMS) if pose_run is None else find_run(pose_run, results, "--pose-run")
        with mistakes.noted():
            painter = newest_run(results, PAINT_SYSTEMS) if paint_run is None else find_run(paint_run, results, "--paint-run")
    return poses, painter
