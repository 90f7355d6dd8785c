"""Measure a finished run again, an exported SavedModel, or a folder of predicted videos, with the metrics of your choice."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analogy.cli.console import RESULTS, clear_errors, names_in
from analogy.metrics.table import SELECTABLE, USUAL
from analogy.one_line import say


def main(
    run: Annotated[
        str | None, typer.Option(help="A run folder, its saved_model, or an experiment (then its newest finished run).")
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="For a SavedModel that is not in its run folder: the settings.yaml of the run.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="The folder of the dataset, if it has moved since training.")] = None,
    clips: Annotated[
        str | None, typer.Option(help='Names of test clips, such as 0050,0280, "a, b" in quotes. Default: those of the run.')
    ] = None,
    predictions: Annotated[
        list[Path] | None,
        typer.Option(
            help="A folder of predicted videos, to measure instead of a run. Repeat the option for further samples of them."
        ),
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="With --predictions: the folder of the true videos, with the same file names.")
    ] = None,
    context: Annotated[
        int | None, typer.Option(min=1, help="With --predictions: number of observed frames at the start. Default: 1.")
    ] = None,
    tiles: Annotated[
        str | None,
        typer.Option(
            help="With --predictions of animations that show truth and predictions side by side: the names of the tiles, row "
            "by row, such as truth,SV2P,ours. One is called truth; - leaves a tile out."
        ),
    ] = None,
    tile_size: Annotated[
        str | None, typer.Option(help="With --tiles: width x height of a tile, such as 64x64. Default: found automatically.")
    ] = None,
    tile_corners: Annotated[
        str | None,
        typer.Option(
            help="With --tiles: x,y of each tile's upper left pixel, such as '0,0 66,0'. Default: found automatically."
        ),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(help=f"Metrics of frames: {', '.join(SELECTABLE)}. Default: {', '.join(USUAL)}."),
    ] = None,
    fvd_frames: Annotated[int, typer.Option(help="For fvd: number of predicted frames of each video to use.")] = 16,
    features: Annotated[
        str | None,
        typer.Option(
            help="For feature_distance: hed (after `analogy fetch vgg16-hed`), imagenet, or a file of VGG-16 or SqueezeNet."
        ),
    ] = None,
    recogniser: Annotated[
        str | None, typer.Option(help="A run of pose_actions, which then recognises the action in the predicted poses.")
    ] = None,
    results_dir: Annotated[Path, typer.Option(help="The folder of the runs; the evaluation is written to it.")] = RESULTS,
) -> None:
    with clear_errors(results_dir):
        from analogy.measure import check_evaluation, evaluate

        plan = check_evaluation(
            run=run,
            settings=settings,
            data_dir=data_dir,
            clips=names_in(clips),
            predictions=predictions or (),
            truth=truth,
            context=context,
            metrics=names_in(metrics),
            fvd_frames=fvd_frames,
            features=features,
            recogniser=recogniser,
            tiles=tiles,
            tile_size=tile_size,
            tile_corners=tile_corners,
            results_dir=results_dir,
        )
        folder = evaluate(plan)
        say(*(folder / "table.md").read_text(encoding="utf-8").splitlines())
        say(f"open {folder / 'index.html'}")
