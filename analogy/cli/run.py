"""Run an experiment by name: prepare the data, train, evaluate, export, and write the pages."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from analogy.cli.console import RESULTS, clear_errors
from analogy.cli.list import print_experiments
from analogy.cli.opening import Open, show
from analogy.errors import UserError
from analogy.one_line import say
from analogy.resolve import resolve_settings, say_settings, shorthand_values, stages
from analogy.settings import Settings, settings_text
from analogy.systems import SYSTEMS
from analogy.training.progress import messages_shown
from analogy.training.stop import StopRequest


def main(
    name: Annotated[
        str | None,
        typer.Argument(metavar="EXPERIMENT", help="Its name (see `analogy list`), or the settings.yaml of a run to repeat."),
    ] = None,
    exp: Annotated[str | None, typer.Option(help="The same as EXPERIMENT, as an option.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List all experiments, as `analogy list` does.")] = False,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="The folder of the dataset, as its authors distribute it. Default for Penn Action: $ANALOGY_DATA_DIR."
        ),
    ] = None,
    results_dir: Annotated[Path, typer.Option(help="The folder in which run folders are made.")] = RESULTS,
    scale: Annotated[
        str,
        typer.Option(
            help="paper: as published. demo: minutes, without a dataset. auto: paper if the dataset is there, else demo."
        ),
    ] = "auto",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, such as data.image_size=64. May be repeated."),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Number of training steps. The same as --set training.steps=N.")] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the weights, the data order and all noise. The same as --set seed=N.")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="The folder of an interrupted run to continue.")] = None,
    precision: Annotated[
        str | None, typer.Option(help="Number type of the computation: auto, float32, bfloat16 or float16.")
    ] = None,
    devices: Annotated[
        str | None,
        typer.Option(help="What to train on: auto (all GPUs, else the CPU), cpu, gpu, or with their number, such as gpu:2."),
    ] = None,
    cluster: Annotated[
        str,
        typer.Option(envvar="ANALOGY_CLUSTER", help="Who names the workers that train together: tf_config, slurm, kubernetes."),
    ] = "tf_config",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the settings and the models' parameter counts, and stop.")
    ] = False,
    open_: Open = None,
) -> None:
    with clear_errors(resume or results_dir), messages_shown():
        if list_:
            print_experiments()
            return
        if name and exp and name != exp:
            raise UserError(f"{name} and --exp {exp}: name one experiment")
        if not (name or exp or resume):
            raise UserError("--exp NAME is missing; --list shows every experiment")
        options = {
            "results_dir": results_dir,
            "writes": not dry_run,
            "data_dir": data_dir,
            "scale": scale,
            "values": shorthand_values(steps=steps, seed=seed, precision=precision, devices=devices),
            "overrides": set_ or [],
            "resume": resume,
            "cluster": cluster,
        }
        if dry_run:
            settings = resolve_settings(name or exp, **options)
            say_settings(settings)
            _print_parameters(settings)
            return
        for settings in stages(name or exp, **options):
            say_settings(settings)
            folder = _run(settings, results_dir, resume, cluster)
        if folder:  # the chief's alone
            show(folder / "index.html", open_)


def _print_parameters(settings: Settings) -> None:
    """Print the settings, and the number of parameters of each network. No weights are allocated."""
    from analogy.models.building import without_values
    from analogy.runs.uses import open_used

    entry = SYSTEMS[settings.system]
    used = open_used(settings, entry.system.needs)
    with without_values():
        parameters = entry.build(settings, used).parameters()
    say(*settings_text(settings).splitlines(), "parameters:")
    for name, count in {**parameters, "total": sum(parameters.values())}.items():
        say(f"  {name}: {count:,}")


def _run(settings: Settings, results_dir: Path, resume: Path | None, cluster: str) -> Path | None:
    began = time.monotonic()  # before TensorFlow is imported, so that the run's seconds include it
    from analogy.training.run import run_experiment
    from data_prep.datasets import open_dataset

    return run_experiment(settings, open_dataset, results_dir, resume, StopRequest(), began, cluster)
