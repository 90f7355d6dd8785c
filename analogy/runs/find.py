"""Finding runs by name or path, for every command and for the settings `uses` and `training.start_from`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection
from pathlib import Path

from analogy.errors import UserError, about, first_line
from analogy.files.paths import expanded
from analogy.files.patterns import without_wildcards
from analogy.runs.reading import Run, read_experiment_runs, read_run, read_runs

UNKNOWN_ACTION = -1  # given to an endpoint that takes the number of an action
MODEL = "saved_model"  # the name of the folder of a run's SavedModel
DEFAULT_SIGNATURE = "serving_default"  # TensorFlow's name for the signature that a server takes where none is named
PARTS_OF_A_RUN = ("summary.json", "settings.yaml", "checkpoints")  # any of them shows that a folder is a run


def is_saved_model(folder: Path) -> bool:
    """Whether a folder is a SavedModel."""
    return (folder / "saved_model.pb").is_file()


def run_of(folder: Path) -> Path:
    """The folder of the run to which a SavedModel belongs. Any other folder is returned unchanged."""
    return folder.parent if folder.name == MODEL and is_saved_model(folder) and _has_parts_of_a_run(folder.parent) else folder


def find_run(name: str | Path, results: Path, key: str) -> Path:
    """The absolute path of a run. The folder of a run's SavedModel stands for the run. Arguments and errors: see `find_model`.

    The folder of a SavedModel outside of a run is also accepted, and is itself returned.
    """
    return run_of(find_model(name, results, key))


def find_model(name: str | Path, results: Path, key: str, others: Collection[str] = ()) -> Path:
    """The absolute path of a run, or of a SavedModel if `name` is the folder of one.

    Args:
        name: the name or the folder of an experiment: then its newest finished run; or the folder of a run or of a SavedModel.
        results: the folder in which experiments are searched.
        key: the option or setting that names the run; error messages begin with it.
        others: what else the name may mean to the caller, for an error message: models of `analogy models`.

    Raises:
        UserError: there is no such run, or none is finished.
    """
    unfinished: list[Run] = []
    for folder in folders_named(name, results, key):
        folder = folder.resolve()
        if is_saved_model(folder) or _has_parts_of_a_run(folder):
            return folder
        runs = read_experiment_runs(folder)
        if finished := [run for run in runs if run.status == "finished"]:
            return finished[0].folder
        unfinished += [run for run in runs if _has_parts_of_a_run(run.folder)]
    if unfinished:
        raise UserError(f"{key} {name}: no finished run in {unfinished[0].folder.parent}; {_how_to_finish(unfinished[0])}")
    if len(Path(name).parts) > 1 and not expanded(name).exists():
        raise UserError(f"{key} {name}: there is no such folder; was the run moved or deleted? Name another run")
    among = ", nor a model of `analogy models`" if others else ""
    raise UserError(
        f"{key} {name}: neither a run folder nor an experiment in {results}{among}{_nearest(name, results, others)}"
    )


def has_run(name: str, results: Path) -> bool:
    """Whether the name of a run means one that exists, finished or not. Arguments and errors: see `find_model`."""
    folders = folders_named(name, results, "uses")
    runs = (run.folder for folder in folders for run in read_experiment_runs(folder))
    return any(is_saved_model(folder) or _has_parts_of_a_run(folder) for folder in (*folders, *runs))


def folders_named(name: str | Path, results: Path, key: str) -> list[Path]:
    """The existing folders that the name of a run can mean: the folder at this path, and that in `results`.

    key: as for `find_model`. Raises UserError.
    """
    if not str(name).strip():
        raise UserError(f"{key}: the name of a run is missing; name an experiment or a run's folder")
    with about(key):
        places = expanded(name).absolute(), (results / name).absolute()
    return [place for place in places if place.is_dir()]


def finished_runs(results: Path, systems: Collection[str]) -> list[Path]:
    """The finished runs of these systems that have a SavedModel, the newest first."""
    return [
        run.folder.absolute()
        for run in (read_runs(results) if results.is_dir() else [])
        if run.summary.system in systems and run.status == "finished" and is_saved_model(run.folder / MODEL)
    ]


def load_endpoint(run: Path, *wanted: str):
    """Load the SavedModel of a run, which must have one of these endpoints.

    Args:
        run: the folder of a finished run, or of a SavedModel.

    Raises:
        UserError: the folder is gone, the run is not finished, has no SavedModel, or its SavedModel lacks the endpoints or is
            damaged.
    """
    loaded = load_saved_model(run)
    endpoints = endpoints_of(loaded)
    if not {*wanted} & {*endpoints}:
        there = f"it has {', '.join(endpoints)}" if endpoints else "it has none"
        raise UserError(f"{run}: its SavedModel has no endpoint {' or '.join(wanted)}; {there}: name a run of another system")
    return loaded


def endpoints_of(loaded) -> list[str]:
    """The names of the endpoints of a loaded SavedModel, in alphabetical order."""
    return sorted(set(getattr(loaded, "signatures", {})) - {DEFAULT_SIGNATURE})


def endpoint_of(loaded, name: str) -> Callable[..., dict]:
    """An endpoint of a loaded SavedModel. Raises UserError where it has none of this name."""
    if name not in loaded.signatures:
        raise UserError(
            f"the SavedModel has no endpoint {name}, which is called here; it has {', '.join(endpoints_of(loaded))}"
        )
    return getattr(loaded, name)


def inputs_of(loaded, endpoint: str) -> dict:
    """The inputs of an endpoint of a loaded SavedModel: name -> its TensorSpec."""
    return loaded.signatures[endpoint].structured_input_signature[1]


def load_saved_model(run: Path):
    """Load the SavedModel of a run. Argument and errors: see `load_endpoint`."""
    import tensorflow as tf

    folder = saved_model_of(run)
    try:
        with without_wildcards(folder) as readable:
            return tf.saved_model.load(str(readable))
    except (OSError, ValueError, LookupError, RuntimeError, tf.errors.OpError) as error:
        raise UserError(f"{folder}: cannot be loaded ({first_line(error)}); export the run again") from error


def saved_model_of(run: Path) -> Path:
    """The folder of a run's SavedModel. The folder of a SavedModel is returned unchanged.

    Raises:
        UserError: the folder is gone, the run is not finished, or has no SavedModel.
    """
    if not run.is_dir():
        raise UserError(f"{run}: there is no such folder; was the run moved or deleted? Name another run")
    if is_saved_model(run):
        return run
    record = read_run(run)
    if not record.problem and record.status not in ("finished", "unknown"):
        raise UserError(f"{run}: {_how_to_finish(record)}")
    if not is_saved_model(run / MODEL):
        raise UserError(f"{run}: there is no {MODEL} in it; name the folder of a finished run")
    return run / MODEL


def _has_parts_of_a_run(folder: Path) -> bool:
    return any((folder / part).exists() for part in PARTS_OF_A_RUN)


def _how_to_finish(run: Run) -> str:
    if run.problem:
        return f"run {run.folder.name}: {run.problem}"
    if run.status == "running":
        return f"run {run.folder.name} is running: wait for it to end"
    return f"run {run.folder.name} is {run.status}: finish it with --resume {run.folder}"


def _nearest(name: str | Path, results: Path, others: Collection[str]) -> str:
    """The end of an error message that suggests the experiment, or one of `others`, with the most similar name; empty if there
    is none."""
    folders = [path.name for path in results.iterdir() if path.is_dir()] if results.is_dir() else []
    near = difflib.get_close_matches(str(name), [*folders, *others], n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""
