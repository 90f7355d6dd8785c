"""The page of the results folder: a list of all runs."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from analogy.files.paths import existing_folder
from analogy.metrics.table import HEADLINES, METRICS
from analogy.runs.reading import (
    Run,
    clips_of,
    comparisons_of,
    flat_settings,
    number,
    read_runs,
    samples_of,
)
from analogy.settings.experiments import papers
from analogy.settings.sections import is_heading
from analogy.visualise.html import write_page
from analogy.visualise.wording import Comparison, compare

log = logging.getLogger("analogy")


def write_results_page(results_folder: str | Path) -> None:
    """Write index.html of the results folder: a list of all runs, newest first. Damaged runs are marked as damaged.

    Raises:
        UserError: there is no such folder.
    """
    results = existing_folder(results_folder)
    runs = read_runs(results)
    measured = _columns([run.summary.test for run in runs])
    rows = [_row_of_any_run(run, results, measured) for run in runs]
    page = {"rows": rows, "metrics": measured, "comparisons": comparisons_of(results), "settings": _all_settings(runs)}
    write_page(results / "index.html", "results.html", page)


def _columns(figures: Sequence[Mapping]) -> list[str]:
    """The headline metrics that are columns of the list: those with a better direction, which some run has.

    The squared error of frames says what their PSNR says, and is left out where only runs with a PSNR have it.
    """
    measured = [name for name in HEADLINES if METRICS[name].better != "neither" and any(name in test for test in figures)]
    only_frames = all("psnr" in test for test in figures if "mse" in test)
    return [name for name in measured if name != "mse" or not only_frames]


def _all_settings(runs: Iterable[Run]) -> dict[str, Any]:
    """The settings of all runs, so that the page can compare any two.

    Most settings are the same in most runs. The commonest value of each setting is stored once, and for each run only the
    settings that differ from it, so that a page of 500 runs stays small.

    Returns:
        {"common": {key: commonest value}, "runs": [{key: value that differs}, ...]}; None stands for a missing key.
    """
    all_settings = []
    for run in runs:
        try:
            all_settings.append(flat_settings(run.folder))
        except ValueError:
            all_settings.append({})
    common = {}
    for key in dict.fromkeys(key for settings in all_settings for key in settings if not is_heading(key)):
        common[key] = Counter(settings[key] for settings in all_settings if key in settings).most_common(1)[0][0]
    differing = [
        {key: settings.get(key) for key, value in common.items() if settings.get(key) != value} for settings in all_settings
    ]
    return {"common": common, "runs": differing}


def _row_of_any_run(run: Run, results: Path, metrics: Iterable[str]) -> dict[str, Any]:
    """The run's row on the list of runs. A run whose files have an unexpected form gets a row that says so."""
    try:
        return _table_row(run, results, metrics)
    except Exception as error:
        log.debug("%s: no row of the list can be made of it", run.folder, exc_info=True)
        run = run if run.problem else Run(run.folder, {}, f"its files are not those of a run: {error}")
        folder = run.folder.relative_to(results)
        scores = {name: compare(name, None, None) for name in metrics}
        return {"run": run, "link": folder, "moving": None, "thumbnail": None, "paper": "", "scores": scores}


def _table_row(run: Run, results: Path, metrics: Iterable[str]) -> dict[str, Any]:
    folder = run.folder.relative_to(results)
    page = folder / "index.html"
    samples = samples_of(run.folder)
    thumbnail = next((sample for sample in samples if sample.split == "test"), samples[0] if samples else None)
    return {
        "run": run,
        "link": page if (results / page).is_file() else folder,
        "moving": _moving_thumbnail(run, folder),
        "thumbnail": folder / thumbnail.file if thumbnail else None,
        "paper": papers().get(run.experiment, ""),
        "scores": {name: _score(run, name) for name in metrics},
    }


def _moving_thumbnail(run: Run, folder: Path) -> dict[str, Any] | None:
    """The prediction in the video of the run's median clip, by its first headline metric; None where no clip has one.

    Returns:
        {"file": the video, "place": [left, top, width, height of the prediction, width of the whole picture], in pixels}.
    """
    metric = next((name for name in HEADLINES if name in run.summary.test), "")
    shown = []
    for clip in clips_of(run):
        views = dict(clip.views)
        if clip.file and clip.file.suffix == ".mp4" and "prediction" in views and all(views["prediction"][2:]):
            whole_width = max(left + width for left, _, width, _ in views.values())
            shown.append((number(clip.row, metric) or 0.0, folder / clip.file, [*views["prediction"], whole_width]))
    if not shown:
        return None
    _, file, place = sorted(shown)[(len(shown) - 1) // 2]
    return {"file": file, "place": place}


def _score(run: Run, metric: str) -> Comparison:
    """The test score of a metric, compared with the baseline's."""
    return compare(metric, run.summary.test.get(metric), run.summary.baseline.get(run.baseline, {}).get(metric))
