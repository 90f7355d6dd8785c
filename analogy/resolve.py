"""From the name of an experiment and the user's options to the settings of a run.

The scale and the dataset are decided here. Every mistake that can be found without opening the data is found here, within a
moment and without TensorFlow.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from analogy.errors import Mistakes, UserError
from analogy.files.paths import check_present, check_writable
from analogy.files.reading import not_there
from analogy.ownership import check_results_dir, is_run
from analogy.pretrained.fetching import fetch_command
from analogy.runs.folder import is_running
from analogy.runs.history import check_settings
from analogy.runs.uses import resolve_runs, untrained_experiments
from analogy.settings import Settings, find_experiment, load_settings
from analogy.settings.loading import apply_overrides, parse_override, read_experiment
from analogy.systems import SYSTEMS
from analogy.training.schedulers import check_cluster, check_kind
from analogy.training.trackers import ask_services, check_trackers
from data_prep.datasets import DATASETS, check_dataset, folder_from_environment

SCALES = ("auto", "paper", "demo")
# The settings of `data` that an experiment shares with those that are trained for it: which clips train and test, and how their
# frames are cut out.
SHARED_DATA = (
    "dataset", "folder", "cache", "train_clips", "test_clips", "test_persons", "image_size", "crop", "padding", "gray"
)  # fmt: skip
log = logging.getLogger("analogy")


def resolve_settings(
    exp: str | None,
    *,
    results_dir: Path,
    writes: bool = True,
    data_dir: Path | None = None,
    scale: str = "auto",
    values: Mapping[str, object] | None = None,
    overrides: Sequence[str] = (),
    resume: Path | None = None,
    stages_follow: bool = False,
    cluster: str = "tf_config",
) -> Settings:
    """The checked settings of a run that can start.

    Args:
        exp: an experiment's name, or the path of its YAML file; None is allowed with `resume`.
        results_dir: the folder in which runs are searched and the run folder will be made.
        writes: whether files will be written: into a new run folder, or that of `resume`.
        data_dir: the dataset's folder in its official layout.
        scale: "paper", "demo", or "auto": paper where the dataset is present.
        values: dotted key -> value, such as {"training.steps": 200}.
        overrides: `a.b=value` texts, applied last.
        resume: the folder of a run to continue, with its own dataset.
        stages_follow: experiments in `uses` that will be trained first (`train_used`) may be missing; their names stay.
        cluster: who says which workers train together, one of `analogy.training.schedulers.KINDS`.

    Raises:
        UserError: one line for each mistake.
    """
    with Mistakes() as mistakes:
        if scale not in SCALES:
            mistakes.add(f"--scale {scale}: choose {', '.join(SCALES[:-1])} or {SCALES[-1]}")
        with mistakes.noted():  # settings may be asked for where no worker runs
            check_cluster(cluster) if writes else check_kind(cluster)
        if writes:
            _check_machine(mistakes, results_dir, resume)
        settings = None
        with mistakes.noted():
            path = _stored_settings(resume) if resume else find_experiment(exp)
            settings = _read_settings(
                path, data_dir, scale if scale in SCALES else "auto", values or {}, overrides, resumes=resume is not None
            )
        if settings:
            if resume and is_running(resume):
                mistakes.add(f"--resume {resume}: another run is using this folder; wait for it to end, or start a new run")
            settings = _with_runs_found(mistakes, settings, results_dir, resume, stages_follow)
            if resume and exp not in (None, settings.experiment):
                mistakes.add(f"--resume {resume}: this run is of {settings.experiment}, not of {exp}")
            if writes and not mistakes:  # asking takes a moment, and may make a database
                ask_services(settings.training.trackers)
        else:
            with mistakes.noted():
                check_present(data_dir, "--data-dir")
            with mistakes.noted():
                apply_overrides({}, overrides)
    return settings


def _check_machine(mistakes: Mistakes, results_dir: Path, resume: Path | None) -> None:
    """Note why a run cannot be written, or show its films, here."""
    with mistakes.noted():
        if resume is None:
            check_results_dir(results_dir)
        elif resume.is_dir():  # what is no folder is refused where its settings are read
            check_writable(resume, "allow it")
    with mistakes.noted():
        from analogy.visualise.video import check_encoder  # brings OpenCV, which `--help` and `list` do without

        check_encoder()


def _with_runs_found(
    mistakes: Mistakes, settings: Settings, results_dir: Path, resume: Path | None, stages_follow: bool
) -> Settings:
    """Note what the settings ask for that is not there. Returns them with the paths of the runs that they use."""
    with mistakes.noted():
        check_dataset(settings)
    with mistakes.noted():
        results = resume.resolve().parent.parent if resume else results_dir
        untrained = untrained_experiments(settings, results) if stages_follow and not resume else ()
        settings = resolve_runs(settings, results, resumes=bool(resume), untrained=untrained)
    if resume:
        with mistakes.noted():
            check_settings(resume, settings)
    with mistakes.noted():
        check_trackers(settings.training.trackers)
    for key, file in settings.files():
        if why := not_there(file):
            mistakes.add(f"{key}: {file}: {why}{fetch_command(file)}")
    return settings


def stages(
    exp: str | None,
    *,
    results_dir: Path,
    values: Mapping[str, object] | None = None,
    own: Mapping[str, object] | None = None,
    overrides: Sequence[str] = (),
    resume: Path | None = None,
    **options,
) -> Iterator[Settings]:
    """The settings of the runs that an experiment needs, one after the other: first the experiments that it uses and that are
    not trained yet (where it has `train_used`), and at last its own. Each is to be trained before the next one is asked for.

    All of the experiment's own mistakes are found before anything is trained.

    Args:
        own, overrides: settings of the experiment alone, except those of `data`, and the seed: they hold for every stage that
            has them, so that no clip trains in one stage and tests in another. `values` and all others hold for every stage.
        exp, results_dir, values, overrides, resume, options: see `resolve_settings`, as for the errors.
    """
    every = {**options, "results_dir": results_dir}
    mine = {**every, "values": {**(values or {}), **(own or {})}, "overrides": overrides, "resume": resume}
    settings = resolve_settings(exp, stages_follow=True, **mine)
    untrained = [] if resume else untrained_experiments(settings, results_dir)
    for name in untrained:
        log.info("%s: no run of %s in %s, so it is trained first", settings.experiment, name, results_dir)
        given = {**(values or {}), **(own or {}), **dict(map(parse_override, overrides))}
        shared = _shared_values(name, settings, given)
        yield from stages(name, values={**(values or {}), **shared}, **{**every, "scale": settings.scale, "data_dir": None})
    yield resolve_settings(exp, **mine) if untrained else settings


def _shared_values(name: str, settings: Settings, given: Mapping[str, object]) -> dict[str, object]:
    """The seed, and the settings of `data` that an experiment shares with the experiment `name`, which is trained for it:
    dotted key -> value.

    settings: of the experiment. given: what the user has set, as `data.KEY` or as a whole `data`; these keys are shared too.
    """
    chosen = {key.split(".")[1] for key in given if key.startswith("data.")} | set(given.get("data") or {})
    data_section = SYSTEMS[read_experiment(find_experiment(name))["system"]].settings.model_fields["data"].annotation
    data = settings.data.model_dump(mode="json")
    shared = [key for key in data if key in data_section.model_fields and (key in SHARED_DATA or key in chosen)]
    return {"seed": settings.seed, **{f"data.{key}": data[key] for key in shared}}


def shorthand_values(
    *, steps: int | None, seed: int | None, precision: str | None, devices: str | None
) -> dict[str, int | str]:
    """Dotted key -> value of the settings that have an option of their own; None where the option is not given."""
    values = {"training.steps": steps, "seed": seed, "training.precision": precision, "training.devices": devices}
    return {key: value for key, value in values.items() if value is not None}


def _stored_settings(run: Path) -> Path:
    """The settings.yaml of a run to continue. Raises UserError."""
    if not (run / "settings.yaml").is_file():
        raise UserError(f"--resume {run}: this is not a run folder: it has no settings.yaml; name one of results/EXPERIMENT")
    if not is_run(run):
        raise UserError(
            f"--resume {run}: this is not a run folder, though it has a settings.yaml; name one of results/EXPERIMENT"
        )
    for path in run.iterdir():
        if path.exists() and not (path.is_file() or path.is_dir()):  # opening it would wait for ever
            raise UserError(f"--resume {run}: {path.name} in it is a pipe or a device, not a file; take it out of the folder")
    return run / "settings.yaml"


def _read_settings(
    path: Path, data_dir: Path | None, scale: str, values: Mapping[str, object], overrides: Sequence[str], *, resumes: bool
) -> Settings:
    """Load the settings of an experiment's file, after deciding the scale and the dataset. Raises UserError."""
    stored = read_experiment(path)
    if (kept := stored.get("scale")) and scale not in ("auto", kept):
        raise UserError(f"--scale {scale}: {path} has the settings of a run at scale {kept}; leave --scale out")
    published, folder = ((stored.get("data") or {}).get(key) for key in ("dataset", "folder"))
    entry = DATASETS.get(str(published))
    if not (resumes or data_dir or folder):  # a default: settings that name a folder keep it
        data_dir = folder_from_environment(published)
    if data_dir and not folder and entry and (resumes or entry.complete or entry.stands_in_for):
        raise UserError(f"--data-dir: {path} takes {published}, generated from the seed; leave --data-dir out")
    # A folder holds the real dataset, also at demo scale.
    dataset_values = {"data.folder": data_dir, "data.dataset": published} if data_dir else {}
    if scale == "auto":
        present = data_dir or folder or (entry and entry.complete)
        scale = stored.get("scale") or ("paper" if present else "demo")
    return load_settings(path, SYSTEMS, scale=scale, values={**dataset_values, **values}, overrides=overrides)


def say_settings(settings: Settings) -> None:
    """Log the experiment, the scale and the dataset."""
    data = settings.data
    where = f"{data.dataset} in {data.folder}" if data.folder else f"{data.dataset}, generated from the seed"
    log.info("experiment %s: %s", settings.experiment, settings.summary.strip())
    log.info("scale %s, dataset %s", settings.scale, where)
