"""Evaluate a finished run again, its exported SavedModel, or predicted videos.

`check_evaluation` finds all mistakes in the options; `evaluate` then does the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analogy.errors import Mistakes, UserError, about
from analogy.evaluation.selection import Selection
from analogy.evaluation.tiles import Layout
from analogy.measure.runs import MeasuredRun
from analogy.measure.videos import MeasuredAnimations, MeasuredVideos
from analogy.ownership import check_results_dir
from analogy.runs.find import saved_model_of
from analogy.runs.ready import run_or_ready


@dataclass(frozen=True)
class Evaluation:
    """A checked evaluation: every option is right, nothing is loaded yet.

    subject: what is measured. selection: by which metrics. recogniser: the run of one, or None.
    """

    subject: MeasuredRun | MeasuredVideos | MeasuredAnimations
    results_dir: Path
    selection: Selection
    recogniser: Path | None


def check_evaluation(
    *,
    run: str | None = None,
    settings: Path | None = None,
    data_dir: Path | None = None,
    clips: Sequence[str] = (),
    predictions: Sequence[Path] = (),
    truth: Path | None = None,
    context: int | None = None,
    metrics: Sequence[str] = (),
    fvd_frames: int | None = None,
    features: str | None = None,
    recogniser: str | None = None,
    tiles: str | None = None,
    tile_size: str | None = None,
    tile_corners: str | None = None,
    results_dir: Path,
) -> Evaluation:
    """Check the options of `analogy evaluate`, without importing TensorFlow.

    Args: the options of that command.

    Raises:
        UserError: one line for each mistake.
    """
    clips = tuple(dict.fromkeys(clips))  # one that is named twice counts once
    of_run = {"--settings": settings, "--data-dir": data_dir}
    of_videos = {"--truth": truth, "--context": context, "--tiles": tiles}
    of_tiles = {"--tile-size": tile_size, "--tile-corners": tile_corners}
    with Mistakes() as mistakes:
        with mistakes.noted():
            selection = Selection(tuple(metrics), fvd_frames, features)
        with mistakes.noted():
            check_results_dir(results_dir)
        with mistakes.noted():
            judge = None if recogniser is None else _find_recogniser(recogniser, results_dir)
        with mistakes.noted():
            if (run is None) == (not predictions):
                raise UserError("give either --run, or --predictions with --truth, or --predictions with --tiles")
            if run is not None:
                _refuse(of_videos | of_tiles, "with --run; leave it out", mistakes)
                subject = MeasuredRun.check(run, settings_file=settings, data_dir=data_dir, clips=clips, results=results_dir)
            else:
                _refuse(of_run, "with --predictions; leave it out", mistakes)
                files = {"predictions": tuple(predictions), "truth": truth, "clips": clips}
                if tiles is None:
                    _refuse(of_tiles, "without --tiles, the names of the tiles", mistakes)
                    subject = MeasuredVideos.check(**files, context=context or 1)
                else:
                    layout = Layout.read(tiles, tile_size, tile_corners)
                    subject = MeasuredAnimations.check(**files, context=context, layout=layout)
    return Evaluation(subject, results_dir, selection, judge)


def _refuse(options: dict[str, object], why: str, mistakes: Mistakes) -> None:
    """Note a mistake for each of these options that is given. options: name -> value, or None. why: the end of the message."""
    for name, value in options.items():
        if value is not None:
            mistakes.add(f"{name} has no meaning {why}")


def _find_recogniser(name: str, results: Path) -> Path:
    """The folder of a run that can recognise actions. Raises UserError."""
    run = run_or_ready(name, results, "--recogniser")
    saved_model_of(run)
    if not (run / "settings.yaml").is_file():
        raise UserError(f"--recogniser {run}: it has no settings.yaml with its actions; name a run folder")
    return run


# ---------------------------------------------------------------- the evaluation


def evaluate(plan: Evaluation) -> Path:
    """Do a checked evaluation: load, predict, measure, and write results_dir/evaluation_of_NAME/DATE_TIME.

    Returns:
        That folder.

    Raises:
        UserError: a fault of the data, or a run that cannot be measured in this way.
    """
    from analogy.evaluation.judge import Measures, write_evaluation

    if plan.selection.selected and not plan.subject.paints:
        raise UserError(
            f"--metrics: {plan.subject.settings.experiment} predicts no frames; leave it out: the figures of its kind are "
            "always measured"
        )
    measures = Measures.choose(plan.selection)
    predictor, dataset, facts, rate = plan.subject.open(measures)
    if plan.recogniser:
        measures.recogniser = _open_recogniser(plan.recogniser, dataset)
    name = f"evaluation_of_{facts['of']}"
    return write_evaluation(predictor, dataset, plan.results_dir, name, measures, facts, rate).parent


def _open_recogniser(run: Path, dataset):
    """Load the recogniser. Raises a UserError before anything is predicted if it knows no action of these clips."""
    from analogy.evaluation.recogniser import Recogniser

    with about("--recogniser"):
        recogniser = Recogniser(run)
    if not {clip.action for clip in getattr(dataset, "test", [])} & set(recogniser.actions):
        actions = ", ".join(recogniser.actions)
        raise UserError(f"--recogniser {run}: it knows none of these clips' actions; it knows {actions}")
    return recogniser
