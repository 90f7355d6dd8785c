"""Run an experiment by name: prepare the data, train, evaluate, export, and write the pages."""

from __future__ import annotations

import time
from pathlib import Path

from analogy.cli.console import RESULTS, clear_errors
from analogy.cli.list import print_experiments
from analogy.cli.opening import Open, show
from analogy.cli.run_options import (
    Changes,
    Cluster,
    DataDir,
    Devices,
    DryRun,
    Exp,
    List,
    Name,
    Precision,
    ResultsDir,
    Resume,
    Scale,
    Seed,
    Steps,
)
from analogy.errors import UserError
from analogy.one_line import say
from analogy.resolve import resolve_settings, say_settings, shorthand_values, stages
from analogy.settings import Settings, settings_text
from analogy.systems import SYSTEMS
from analogy.training.progress import messages_shown
from analogy.training.stop import StopRequest


def main(
    name: Name = None,
    exp: Exp = None,
    list_: List = False,
    data_dir: DataDir = None,
    results_dir: ResultsDir = RESULTS,
    scale: Scale = "auto",
    set_: Changes = None,
    steps: Steps = None,
    seed: Seed = None,
    resume: Resume = None,
    precision: Precision = None,
    devices: Devices = None,
    cluster: Cluster = "tf_config",
    dry_run: DryRun = False,
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
