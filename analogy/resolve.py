"""From an experiment's name and what a user asks for to the settings of a run: the scale and the dataset are decided here.

Every mistake that can be found without opening the data is found here, in an instant and without TensorFlow.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from analogy.errors import Mistakes, UserError
from analogy.files import check_writable
from analogy.ownership import check_results_dir, is_run
from analogy.runs.uses import resolve_runs
from analogy.settings import Settings, find_experiment, load_settings
from analogy.settings.loading import read_experiment
from analogy.systems import SYSTEMS
from data_prep.datasets import DATASETS, check_dataset, folder_from_environment

SCALES = ("auto", "paper", "demo")
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
) -> Settings:
    """The settings of a run that can start.

    Args:
        exp: an experiment's name, or the path of its YAML file; may be left out with `resume`.
        results_dir: where runs are looked for, and where the run folder will be made.
        writes: a run folder will be made, or gone on with.
        data_dir: the dataset's folder in its official layout.
        scale: "paper", "demo", or "auto": paper where the dataset is present.
        values: dotted key -> value, such as {"training.steps": 200}.
        overrides: `a.b=value` texts, applied last.
        resume: the folder of a run to go on with; it stays with its dataset.

    Raises:
        UserError: a line for each mistake.
    """
    with Mistakes() as mistakes:
        if scale not in SCALES:
            mistakes.add(f"--scale {scale}: choose {', '.join(SCALES[:-1])} or {SCALES[-1]}")
        if writes:
            with mistakes.noted():
                check_writable(resume, "allow it") if resume else check_results_dir(results_dir)
        settings = None
        with mistakes.noted():
            path = _stored_settings(resume) if resume else find_experiment(exp)
            settings = _choose(
                path, data_dir, scale if scale in SCALES else "auto", values or {}, overrides, resumes=resume is not None
            )
        if settings:
            with mistakes.noted():
                check_dataset(settings)
            with mistakes.noted():
                settings = resolve_runs(
                    settings, resume.resolve().parent.parent if resume else results_dir, resumes=bool(resume)
                )
            if resume and exp not in (None, settings.experiment):
                mistakes.add(f"--resume {resume}: this run is of {settings.experiment}, not of {exp}")
            for key, file in settings.files():
                if not Path(file).is_file():
                    mistakes.add(f"{key}: {file}: there is no such file")
        elif data_dir and not data_dir.is_dir():
            mistakes.add(f"--data-dir {data_dir}: there is no such folder")
    return settings


def _stored_settings(run: Path) -> Path:
    """The settings.yaml of a run to go on with."""
    if not (run / "settings.yaml").is_file():
        raise UserError(f"--resume {run}: this is not a run folder: it has no settings.yaml")
    if not is_run(run):
        raise UserError(
            f"--resume {run}: this is not a run folder, though it has a settings.yaml; name one of results/EXPERIMENT"
        )
    return run / "settings.yaml"


def _choose(
    path: Path, data_dir: Path | None, scale: str, values: Mapping[str, object], overrides: Sequence[str], *, resumes: bool
) -> Settings:
    """The settings of an experiment's file, with the scale and the dataset decided."""
    stored = read_experiment(path)
    published, folder = ((stored.get("data") or {}).get(key) for key in ("dataset", "folder"))
    entry = DATASETS.get(str(published))
    if not resumes and not data_dir:
        data_dir = folder_from_environment(published)
    if data_dir and not folder and entry and (resumes or entry.complete or entry.stands_in_for):
        raise UserError(f"--data-dir: {path} takes {published}, generated from the seed; leave --data-dir out")
    # A folder holds the real dataset, also at demo scale.
    given = {"data.folder": data_dir, "data.dataset": published} if data_dir else {}
    if scale == "auto":
        present = data_dir or folder or (entry and entry.complete)
        scale = stored.get("scale") or ("paper" if present else "demo")
    return load_settings(path, SYSTEMS, scale=scale, values={**given, **values}, overrides=overrides)


def say_settings(settings: Settings) -> None:
    """What was decided, in the log."""
    data = settings.data
    where = f"{data.dataset} in {data.folder}" if data.folder else f"{data.dataset}, generated from the seed"
    log.info("experiment %s: %s", settings.experiment, settings.summary)
    log.info("scale %s, dataset %s", settings.scale, where)
