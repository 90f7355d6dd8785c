"""Measure a finished run again, an exported SavedModel, or a folder of predicted videos, with any metric."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analogy.cli.console import RESULTS, clear_errors
from analogy.metrics.table import SELECTABLE, USUAL


def main(
    run: Annotated[
        str | None, typer.Option(help="A run folder, its saved_model, or an experiment's name for its latest finished run.")
    ] = None,
    settings: Annotated[Path | None, typer.Option(help="settings.yaml of a SavedModel that lies outside of its run.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="The dataset, if not where it was in training.")] = None,
    clips: Annotated[str | None, typer.Option(help="Test clips by name, 0050,0280; else those of the run.")] = None,
    predictions: Annotated[
        list[Path] | None, typer.Option(help="A folder of predicted videos; give it again for each further sample of them.")
    ] = None,
    truth: Annotated[Path | None, typer.Option(help="The folder of true videos, of the same names.")] = None,
    context: Annotated[int | None, typer.Option(min=1, help="With --predictions: frames given at the start; 1.")] = None,
    metrics: Annotated[
        str | None,
        typer.Option(help=f"Of frames: {', '.join(SELECTABLE)}; if not given: {', '.join(USUAL)}."),
    ] = None,
    fvd_frames: Annotated[int, typer.Option(help="For fvd: how many predicted frames of every video count.")] = 16,
    features: Annotated[Path | None, typer.Option(help="For feature_distance: a VGG-16 or SqueezeNet file.")] = None,
    recogniser: Annotated[str | None, typer.Option(help="A run of pose_actions, to recognise predicted poses.")] = None,
    results_dir: Annotated[Path, typer.Option(help="Where runs are, and where the evaluation goes.")] = RESULTS,
) -> None:
    with clear_errors(results_dir):
        from analogy.measure import check_evaluation, evaluate

        plan = check_evaluation(
            run=run,
            settings=settings,
            data_dir=data_dir,
            clips=_names(clips),
            predictions=predictions or (),
            truth=truth,
            context=context,
            metrics=_names(metrics),
            fvd_frames=fvd_frames,
            features=features,
            recogniser=recogniser,
            results_dir=results_dir,
        )
        folder = evaluate(plan)
        print((folder / "table.md").read_text(encoding="utf-8"), end="")
        print(f"open {folder / 'index.html'}")


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]
