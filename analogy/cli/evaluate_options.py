"""The options of `analogy evaluate`, by what they are for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analogy.evaluation.selection import FVD_FRAMES
from analogy.metrics.table import SELECTABLE, USUAL

Clips = Annotated[
    str | None, typer.Option(help='Names of test clips, such as 0050,0280, "a, b" in quotes. Default: those of the run.')
]
ResultsDir = Annotated[Path, typer.Option(help="The folder of the runs; the evaluation is written to it.")]

# ---------------------------------------------------------------- a run

Run = Annotated[
    str | None,
    typer.Option(
        help="A run folder, its saved_model, an experiment (then its newest finished run), or a model of `analogy models`."
    ),
]
SettingsFile = Annotated[
    Path | None, typer.Option(help="For a SavedModel that is not in its run folder: the settings.yaml of the run.")
]
DataDir = Annotated[Path | None, typer.Option(help="The folder of the dataset, if it has moved since training.")]

# ---------------------------------------------------------------- predicted videos

Predictions = Annotated[
    list[Path] | None,
    typer.Option(
        help="A folder of predicted videos, to measure instead of a run. Repeat the option for further samples of them."
    ),
]
Truth = Annotated[
    Path | None, typer.Option(help="With --predictions: the folder of the true videos, with the same file names.")
]
ObservedFrames = Annotated[
    int | None, typer.Option(min=1, help="With --predictions: number of observed frames at the start. Default: 1.")
]

# ---------------------------------------------------------------- animations

Tiles = Annotated[
    str | None,
    typer.Option(
        help="With --predictions of animations that show truth and predictions side by side: the names of the tiles, row "
        "by row, such as truth,SV2P,ours. One is called truth; - leaves a tile out."
    ),
]
TileSize = Annotated[
    str | None, typer.Option(help="With --tiles: width x height of a tile, such as 64x64. Default: found automatically.")
]
TileCorners = Annotated[
    str | None,
    typer.Option(help="With --tiles: x,y of each tile's upper left pixel, such as '0,0 66,0'. Default: found automatically."),
]

# ---------------------------------------------------------------- metrics

Metrics = Annotated[
    str | None,
    typer.Option(help=f"Metrics of frames: {', '.join(SELECTABLE)}. Default: {', '.join(USUAL)}."),
]
FvdFrames = Annotated[
    int | None, typer.Option(help=f"For fvd: number of predicted frames of each video to use. Default: {FVD_FRAMES}.")
]
Features = Annotated[
    str | None,
    typer.Option(
        help="For feature_distance: hed (after `analogy fetch vgg16-hed`), imagenet, or a file of VGG-16 or SqueezeNet."
    ),
]
Recogniser = Annotated[
    str | None, typer.Option(help="A run of pose_actions, which then recognises the action in the predicted poses.")
]
