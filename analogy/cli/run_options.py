"""The options of `analogy run`, by what they are for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Name = Annotated[
    str | None,
    typer.Argument(metavar="EXPERIMENT", help="Its name (see `analogy list`), or the settings.yaml of a run to repeat."),
]
Exp = Annotated[str | None, typer.Option(help="The same as EXPERIMENT, as an option.")]
Resume = Annotated[Path | None, typer.Option(help="The folder of an interrupted run to continue.")]
ResultsDir = Annotated[Path, typer.Option(help="The folder in which run folders are made.")]
List = Annotated[bool, typer.Option("--list", help="List all experiments, as `analogy list` does.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the settings and the models' parameter counts, and stop.")]

# ---------------------------------------------------------------- what is trained

DataDir = Annotated[
    Path | None,
    typer.Option(help="The folder of the dataset, as its authors distribute it. Default for Penn Action: $ANALOGY_DATA_DIR."),
]
Scale = Annotated[
    str,
    typer.Option(help="paper: as published. demo: minutes, without a dataset. auto: paper if the dataset is there, else demo."),
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, such as data.image_size=64. May be repeated."),
]
Steps = Annotated[int | None, typer.Option(help="Number of training steps. The same as --set training.steps=N.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the weights, the data order and all noise. The same as --set seed=N.")]

# ---------------------------------------------------------------- on what

Precision = Annotated[str | None, typer.Option(help="Number type of the computation: auto, float32, bfloat16 or float16.")]
Devices = Annotated[
    str | None,
    typer.Option(help="What to train on: auto (all GPUs, else the CPU), cpu, gpu, or with their number, such as gpu:2."),
]
Cluster = Annotated[
    str,
    typer.Option(envvar="ANALOGY_CLUSTER", help="Who names the workers that train together: tf_config, slurm, kubernetes."),
]
