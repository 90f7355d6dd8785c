"""The two steps of the method, found among the runs: one that predicts poses, one that paints them. No TensorFlow here."""

from __future__ import annotations

from pathlib import Path

from analogy.errors import Mistakes
from analogy.runs.find import find_run, newest_run

POSE_SYSTEMS, PAINT_SYSTEMS = ("pose_residual", "pose_lstm"), ("analogy_masked", "analogy_gan")


def find_steps(pose_run: str | None, paint_run: str | None, results: Path) -> tuple[Path, Path]:
    """The folders of the runs that `--pose-run` and `--paint-run` name; the newest finished ones where they are not given.

    Raises UserError.
    """
    with Mistakes() as mistakes:
        with mistakes.noted():
            poses = newest_run(results, POSE_SYSTEMS) if pose_run is None else find_run(pose_run, results, "--pose-run")
        with mistakes.noted():
            painter = newest_run(results, PAINT_SYSTEMS) if paint_run is None else find_run(paint_run, results, "--paint-run")
    return poses, painter
