"""Finding the runs of the method's two steps: a pose predictor and a painter. This module does not import TensorFlow."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from analogy.errors import Mistakes, UserError
from analogy.runs.find import find_run, newest_run
from analogy.runs.reading import read_run

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
            poses = _find_step(pose_run, results, POSE_SYSTEMS, "--pose-run")
        with mistakes.noted():
            painter = _find_step(paint_run, results, PAINT_SYSTEMS, "--paint-run")
    return poses, painter


def _find_step(name: str | None, results: Path, systems: Collection[str], option: str) -> Path:
    """The folder of the run `name`, or of the newest finished run of one of these systems. Raises UserError."""
    if name is None:
        return newest_run(results, systems)
    run = find_run(name, results, option)
    system = read_run(run).summary.system  # missing if this is a SavedModel outside of its run
    if system and system not in systems:
        raise UserError(f"{option} {name}: {run} is a run of {system}; name one of {' or '.join(systems)}")
    return run
