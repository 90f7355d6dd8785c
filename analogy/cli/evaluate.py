"""Measure a finished run again, an exported SavedModel, or a folder of predicted videos, with the metrics of your choice."""

from __future__ import annotations

from analogy.cli.console import RESULTS, clear_errors, names_in
from analogy.cli.evaluate_options import (
    Clips,
    DataDir,
    Features,
    FvdFrames,
    Metrics,
    ObservedFrames,
    Predictions,
    Recogniser,
    ResultsDir,
    Run,
    SettingsFile,
    TileCorners,
    Tiles,
    TileSize,
    Truth,
)
from analogy.one_line import say


def main(
    run: Run = None,
    settings: SettingsFile = None,
    data_dir: DataDir = None,
    clips: Clips = None,
    predictions: Predictions = None,
    truth: Truth = None,
    context: ObservedFrames = None,
    tiles: Tiles = None,
    tile_size: TileSize = None,
    tile_corners: TileCorners = None,
    metrics: Metrics = None,
    fvd_frames: FvdFrames = None,
    features: Features = None,
    recogniser: Recogniser = None,
    results_dir: ResultsDir = RESULTS,
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
