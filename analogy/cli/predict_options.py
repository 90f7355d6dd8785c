"""The options of `analogy predict`, by what they are for; those of other commands too lie in options.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

MOST_FRAMES = 10_000  # of one prediction

Source = Annotated[
    str,
    typer.Argument(
        metavar="VIDEO",
        help="A video file, a folder of its frames, one picture, or with --data-dir a clip of Penn Action (0050).",
    ),
]
Run = Annotated[
    str | None,
    typer.Option(
        help="A run folder, an experiment, or a model of `analogy models`. It predicts frames; for a picture it is a run "
        "of keypoints_flow or keypoints_motion, or with --driving of a translator."
    ),
]
Action = Annotated[
    str | None,
    typer.Option(
        help="The name of the action that follows. A picture needs it, unless there is --driving. With a video your run of "
        "pose_actions, if there is one, recognises the action; this overrules it."
    ),
]
Out = Annotated[Path | None, typer.Option(help="Folder for the output. Default: a new one in results/predictions.")]

# ---------------------------------------------------------------- videos

Start = Annotated[int, typer.Option(min=0, help="Number of the first observed frame.")]
ObservedFrames = Annotated[
    int | None,
    typer.Option(min=1, max=MOST_FRAMES, help="Number of observed frames, at least as many as the run reads. Default: these."),
]
PredictedFrames = Annotated[
    int | None,
    typer.Option(min=1, max=MOST_FRAMES, help="Number of frames to predict. Default: as many as the run learned."),
]
Fit = Annotated[
    Literal["crop", "letterbox", "squeeze"] | None,
    typer.Option(
        help="With next frames, how a video is brought to the shape of the run: crop keeps the middle, letterbox adds "
        "black borders, squeeze distorts. Default: as the run was trained."
    ),
]

# ---------------------------------------------------------------- by poses

Poses = Annotated[
    str,
    typer.Option(
        help="Where the observed poses come from: blazepose, movenet, labels (of Penn Action), a run of pose_hourglass, "
        "or a .json or .npy file."
    ),
]
PennAction = Annotated[Path | None, typer.Option(envvar="ANALOGY_DATA_DIR", help="Folder of Penn Action, for clips by number.")]
FullFrame = Annotated[
    bool, typer.Option("--full-frame", help="With poses: paste the predicted crop into the whole last observed frame.")
]
Export = Annotated[
    Path | None, typer.Option(help="With poses: also write the two networks as one SavedModel into this folder.")
]

# ---------------------------------------------------------------- pictures

Samples = Annotated[int, typer.Option(help="With a picture: number of futures.")]
Seed = Annotated[int, typer.Option(min=0, max=2**31 - 1, help="With a picture: seed of the samples.")]
Crop = Annotated[
    str | None,
    typer.Option(help="With a picture: x_min,y_min,x_max,y_max in pixels. Default: the largest square in the middle."),
]
Driving = Annotated[str | None, typer.Option(help="With a picture: a video; the picture moves like it.")]
DrivingCrop = Annotated[
    str | None,
    typer.Option(
        help="With --driving: the part of that video, as --crop for the picture. Default: the largest square in the middle."
    ),
]
