"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PoseRun = Annotated[
    str | None,
    typer.Option(
        help="The run that predicts poses: a folder or experiment. Default: yours of the most actions, else the package's."
    ),
]
PaintRun = Annotated[
    str | None,
    typer.Option(
        help="The run that paints frames: a folder, or an experiment (analogy_*). Default: your newest, else the package's."
    ),
]
PoseModels = Annotated[
    Path | None, typer.Option(help="Folder of the estimators' .tflite files. Default: those of `analogy fetch blazepose`.")
]
ResultsDir = Annotated[Path, typer.Option(help="The folder of the runs.")]
