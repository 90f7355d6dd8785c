"""Finding the runs of a pose predictor, a painter, and what recognises actions. This module does not import TensorFlow."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from analogy.errors import Mistakes, UserError
from analogy.runs.find import finished_runs
from analogy.runs.reading import read_run
from analogy.runs.ready import FOLDER, ready_models, run_or_ready
from analogy.settings.loading import read_experiment

POSE_SYSTEMS, PAINT_SYSTEMS = ("pose_residual", "pose_lstm"), ("analogy_masked", "analogy_gan")
ACTION_SYSTEMS = ("pose_actions",)


@dataclass(frozen=True)
class Step:
    """The run of one step, and what the user should know of the choice.

    run: its folder. why: it was taken. actions: the names of those that it was trained on, in the order of their numbers; ()
    where unknown. every_action: whether it was trained on all actions of its dataset, without their names. told: whether it
    takes the action into account. horizon: how many frames ahead it was trained for; None where unknown.
    """

    run: Path
    why: str
    actions: tuple[str, ...] = ()
    every_action: bool = False
    told: bool = False
    horizon: int | None = None

    @property
    def trained_on(self) -> str:
        """In words, for messages."""
        if self.every_action or not self.actions:
            return "every action of its dataset" if self.every_action else "actions that it does not name"
        return ", ".join(self.actions) if len(self.actions) < 4 else f"{len(self.actions)} actions"

    @property
    def breadth(self) -> tuple[bool, int]:
        """More actions compare as greater."""
        return self.every_action, len(self.actions)


def find_steps(pose_run: str | None, paint_run: str | None, results: Path) -> tuple[Step, Step]:
    """A pose predictor and a painter.

    Args:
        pose_run, paint_run: the values of `--pose-run` and `--paint-run`. None: of the finished runs in `results`, the pose
            predictor of the most actions, and the painter that is newest; where there is none, the model that comes along.
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


def find_recogniser(results: Path, predictor: Step) -> Step | None:
    """The finished run of pose_actions of the most actions, or one that comes along. None: there is none with named actions.

    The one that comes along has seen rendered people alone and is wrong on most real ones, however sure it is. So a predictor
    that is told the action is told it by one's own runs alone.
    """
    step = _best(results, ACTION_SYSTEMS, own=predictor.told)
    if step and step.run.is_relative_to(FOLDER):
        step = replace(step, why=f"{step.why}; it is right about one real clip in three")
    return step if step and step.actions else None


def _find_step(name: str | None, results: Path, systems: Collection[str], option: str) -> Step:
    """The run `name`, or the best one of these systems. Raises UserError."""
    if name is None:
        if step := _best(results, systems):
            return step
        raise UserError(f"{results}: there is no finished run of {' or '.join(systems)}; train one, or name one with {option}")
    run = run_or_ready(name, results, option)
    system = read_run(run).summary.system  # missing if this is a SavedModel outside of its run
    if system and system not in systems:
        raise UserError(f"{option} {name}: {run} is a run of {system}; name one of {' or '.join(systems)}")
    return _step(run, f"named by {option}")


def _best(results: Path, systems: Collection[str], *, own: bool = False) -> Step | None:
    """Of one's own finished runs of these systems, the newest of those that were trained on the most actions; else, unless
    `own`, a model that comes along; else None. Painters are not told the action: of them the newest."""
    models = [] if own else ready_models().values()
    coming_along = [model.run for model in models if model.summary["system"] in systems]
    for runs, source in ((finished_runs(results, systems), f"in {results}"), (coming_along, "that comes along")):
        steps = [_step(run, f"the newest {source}") for run in runs]
        if not steps:
            continue
        broadest = max(steps, key=lambda step: step.breadth)  # the first of equals: the newest
        if systems == PAINT_SYSTEMS or broadest.breadth == steps[0].breadth:
            return steps[0]
        return replace(broadest, why=f"of those {source} the one trained on the most actions")
    return None


def _step(run: Path, why: str) -> Step:
    """The step of a run, with the actions that its settings name."""
    path = run / "settings.yaml"
    content = read_experiment(path) if path.is_file() else {}
    data = content.get("data", {})
    actions, horizon = data.get("actions", ()), data.get("horizon")
    if actions == "all":
        return Step(run, why, every_action=True, horizon=horizon)
    told = bool(content.get("network", {}).get("conditioned", False))
    return Step(run, why, tuple(actions), told=told, horizon=horizon)
