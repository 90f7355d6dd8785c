"""For scripts that train many runs and are started again to go on with what was stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import analogy
from analogy.cli.console import names_in
from analogy.errors import UserError
from analogy.resolve import resolve_settings
from analogy.runs.history import Change, flat_settings
from analogy.settings import Settings
from analogy.settings.sections import is_heading
from analogy.systems.run_settings import settings_of_run


def finished_run(
    experiment: str,
    results: Path,
    *,
    scale: str = "auto",
    data_dir: Path | None = None,
    set: Mapping[str, object] | None = None,
) -> analogy.Run:
    """The newest run of an experiment in this folder. Where there is none, it is trained; where it has not finished, resumed.

    Args:
        experiment: its name, or the path of its YAML file.
        results: the folder of its runs.
        scale, data_dir, set: as for `analogy.train`.

    Raises:
        UserError: a setting is wrong, or the run that is there has other settings.
    """
    options = {"scale": scale, "data_dir": data_dir}
    asked = resolve_settings(experiment, results_dir=results, writes=False, values=set, stages_follow=True, **options)
    runs = sorted(path.parent for path in (results / asked.experiment).glob("*/settings.yaml"))
    if not runs:
        return analogy.train(experiment, results_dir=results, set=set, **options)
    if changes := differences(runs[-1], asked):
        raise UserError(f"{runs[-1]}: here {'; '.join(map(str, changes))}: leave it as it was, or name another --results-dir")
    run = analogy.Run(runs[-1])
    return run if run.status == "finished" else analogy.train(resume=run.folder, results_dir=results)


def differences(run: Path, asked: Settings) -> list[Change]:
    """In which settings a run differs from those that are asked for; neither headings nor the place of prepared data count.

    What a run of an earlier version lacks has its default. Raises UserError where this version cannot read its settings.
    """
    before, now = flat_settings(settings_of_run(run)), flat_settings(asked)
    keys = [key for key in {**before, **now} if not is_heading(key) and key != "data.cache"]
    return [Change(key=key, before=before.get(key), now=now.get(key)) for key in keys if before.get(key) != now.get(key)]


def persons_of_folds(persons: Sequence[str] | None) -> list[dict]:
    """The persons that test in each fold, such as "0, 1" -> its settings; without any, one fold, the dataset's own. Raises
    UserError for a fold without persons, for what is no number, and for a person that tests twice."""
    named = [names_in(text) for text in persons or []]
    if [] in named:
        raise UserError("--persons: a fold without persons; name those that test in it, such as 0,1")
    if wrong := [name for names in named for name in names if not name.isdecimal()]:
        raise UserError(f"--persons: {wrong[0]} is no number of a person")
    tested = [[int(name) for name in names] for names in named]
    every = [person for fold in tested for person in fold]
    if twice := [person for person in every if every.count(person) > 1]:
        raise UserError(f"--persons: {twice[0]} would test twice; name each person once")
    return [{"data.test_persons": fold} for fold in tested] or [{}]
