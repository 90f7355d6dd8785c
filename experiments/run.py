"""Run an experiment by name: data, training, evaluation, export, pages.

python experiments/run.py --exp analogy_pool3
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import time
from pathlib import Path
from typing import Annotated, NoReturn

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import typer

from analogy.errors import UserError
from analogy.settings import list_experiments, load_settings
from analogy.settings.experiments import find_experiment
from analogy.settings.loading import read_experiment, settings_text
from analogy.systems import SYSTEMS
from analogy.training.stop import Stopped, StopRequest
from data_prep.datasets import DATASETS, check_dataset, folder_from_environment, open_dataset

RESULTS = Path(__file__).parent.parent / "results"
# What a user can do about a file that cannot be used.
MENDS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room there; a run that has begun goes on with --resume"),
    **dict.fromkeys((errno.EACCES, errno.EROFS, errno.EPERM), "allow it, or choose another folder"),
    **dict.fromkeys((errno.EIO, errno.ESTALE), "look at that disk; a run that has begun goes on with --resume"),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "raise the limit of open files (ulimit -n)"),
}
log = logging.getLogger("analogy")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(help=__doc__)
def main(
    exp: Annotated[str | None, typer.Option(help="An experiment's name (see --list), or a resolved settings.yaml.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List every experiment and its source.")] = False,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="The dataset's folder in its official layout; of Penn Action $ANALOGY_DATA_DIR, where it is not given."
        ),
    ] = None,
    results_dir: Annotated[Path, typer.Option(help="Where run folders are made.")] = RESULTS,
    scale: Annotated[str, typer.Option(help="paper, demo, or auto: paper where the dataset is present.")] = "auto",
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting.")] = None,
    steps: Annotated[int | None, typer.Option(help="Shorthand for --set training.steps=N.")] = None,
    seed: Annotated[int | None, typer.Option(help="Shorthand for --set seed=N.")] = None,
    resume: Annotated[Path | None, typer.Option(help="A run folder to go on with.")] = None,
    precision: Annotated[str | None, typer.Option(help="auto, float32, bfloat16 or float16.")] = None,
    devices: Annotated[str | None, typer.Option(help="auto, cpu, cpu:2, gpu, gpu:2 ...")] = None,
    dry_run: Annotated[bool, typer.Option(help="Print the settings and the models' parameter counts, and stop.")] = False,
) -> None:
    _log_to_console()
    shorthands = {"training.steps": steps, "seed": seed, "training.precision": precision, "training.devices": devices}
    overrides = [f"{key}={value}" for key, value in shorthands.items() if value is not None] + (set_ or [])
    try:
        if list_:
            _print_experiments()
        elif resume:
            _resume(resume, exp, data_dir, scale, overrides, dry_run)
        elif exp is None:
            raise UserError("--exp NAME is missing; --list shows every experiment")
        else:
            settings = _resolve(exp, data_dir, scale, overrides)
            _print_parameters(settings) if dry_run else _run(settings, results_dir)
    except UserError as error:
        _fail(str(error), 2)
    except Stopped as stop:
        log.error("%s", stop)
        raise typer.Exit(128 + stop.signal) from stop
    except OSError as error:
        if error.errno not in MENDS:
            raise
        where = error.filename or (resume or results_dir)
        _fail(f"{where}: cannot be read or written: {error.strerror}; {MENDS[error.errno]}", 2)


def _fail(message: str, code: int) -> NoReturn:
    log.error("error: %s", message)
    raise typer.Exit(code)


def _log_to_console() -> None:
    """Messages to standard output, errors to standard error; the run folder's log.txt gets both, and the details."""
    log.setLevel(logging.DEBUG)
    log.propagate = False  # a library that configures the root logger would print every line twice
    log.handlers.clear()
    for stream, allow in (
        (sys.stdout, lambda r: logging.INFO <= r.levelno < logging.ERROR),
        (sys.stderr, lambda r: r.levelno >= logging.ERROR),
    ):
        handler = logging.StreamHandler(stream)
        handler.setFormatter(logging.Formatter("%(message)s"))
        handler.addFilter(allow)
        log.addHandler(handler)


def _print_experiments() -> None:
    experiments = list_experiments()
    width = max(map(len, experiments))
    paper = None
    for name, one in experiments.items():
        if one.paper != paper:
            print(f"{one.paper}:")
        paper = one.paper
        print(f"  {name:{width}}  {one.summary}\n  {'':{width}}  source: {one.source}")


# ---------------------------------------------------------------- which settings, which data


def _resolve(exp: str, data_dir: Path | None, scale: str, overrides: list[str], *, resumes: bool = False):
    """The experiment's settings, with the scale and the dataset decided and said. resumes: `exp` is a run that has begun, and
    stays with its dataset."""
    if scale not in ("auto", "paper", "demo"):
        raise UserError(f"--scale {scale}: choose auto, paper or demo")
    path = find_experiment(exp)
    stored = read_experiment(path)
    published, folder = ((stored.get("data") or {}).get(key) for key in ("dataset", "folder"))
    entry = DATASETS.get(str(published))
    if not resumes and not data_dir:
        data_dir = folder_from_environment(published)
    if data_dir and not folder and entry and (resumes or entry.complete or entry.stands_in_for):
        raise UserError(f"--data-dir: {path} takes {published}, generated from the seed; leave --data-dir out")
    # A folder holds the real dataset, also at demo scale.
    given = [f"data.folder={data_dir.resolve()}", f"data.dataset={published}"] if data_dir else []
    if scale == "auto":
        present = data_dir or folder or (entry and entry.complete)
        scale = stored.get("scale") or ("paper" if present else "demo")
    settings = load_settings(path, SYSTEMS, scale=scale, overrides=[*given, *overrides])
    check_dataset(settings)
    data = settings.data
    where = f"{data.dataset} in {data.folder}" if data.folder else f"{data.dataset}, generated from the seed"
    log.info("experiment %s: %s", settings.experiment, settings.summary)
    log.info("scale %s, dataset %s", settings.scale, where)
    return settings


# ---------------------------------------------------------------- doing it


def _print_parameters(settings) -> None:
    import keras

    from analogy.systems import SYSTEMS

    with keras.StatelessScope(initialize_variables=False):  # shapes only: nothing is allocated
        parameters = SYSTEMS[settings.system].build(settings).parameters()
    print(settings_text(settings), end="")
    print("parameters:")
    for name, count in {**parameters, "total": sum(parameters.values())}.items():
        print(f"  {name}: {count:,}")


def _resume(run: Path, exp: str | None, data_dir: Path | None, scale: str, overrides: list[str], dry_run: bool) -> None:
    stored = run / "settings.yaml"
    if not stored.is_file():
        raise UserError(f"--resume {run}: this is not a run folder: it has no settings.yaml")
    settings = _resolve(str(stored), data_dir, scale, overrides, resumes=True)
    if exp not in (None, settings.experiment):
        raise UserError(f"--resume {run}: this run is of {settings.experiment}, not of {exp}")
    _print_parameters(settings) if dry_run else _run(settings, run.parent.parent, run)


def _run(settings, results_dir: Path, run: Path | None = None) -> None:
    began = time.monotonic()  # starting TensorFlow included
    from analogy.training.run import run_experiment

    run_experiment(settings, open_dataset, results_dir, run, StopRequest(), began)


if __name__ == "__main__":
    app()
