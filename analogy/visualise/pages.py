"""The HTML pages: index.html of a run, and of the results folder. They open from disk, without a server or a network."""

import json
import logging
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import jinja2

from analogy.errors import UserError
from analogy.files import replacing
from analogy.metrics.table import HEADLINES, METRICS, metric_of
from analogy.runs.reading import (
    HEADINGS,
    Clip,
    Run,
    clips_of,
    comparisons_of,
    files_of,
    flat_settings,
    number,
    plots_of,
    read_run,
    read_runs,
    read_table,
    read_text,
    samples_of,
)
from analogy.settings.experiments import papers
from analogy.visualise.curves import curves_of
from analogy.visualise.published import published_curves, published_rows
from analogy.visualise.wording import Comparison, compare, decimal, duration, short_count, whole

log = logging.getLogger("analogy")
MOST_CLIPS = 2000  # of a run's page, which a browser still shows
NOT_SCORES = {"clips", "frames"}  # entries of summary.json's "test" that are counts


def write_run_page(run_folder: str | Path) -> None:
    """Write index.html of one run from the files in its folder. Sections whose files are missing are left out.

    The page links to ../../index.html, which `write_results_page` writes.

    Raises:
        UserError: there is no such folder.
    """
    run = read_run(_existing(run_folder))
    clips = clips_of(run)
    named = {name for clip in clips for name in clip.row}
    measured = [name for name in METRICS if name in named]
    clips = [_clip_card(run, clip, measured) for clip in clips]
    with_film_first = sorted(clips, key=lambda card: card["clip"].file is None) if len(clips) > MOST_CLIPS else clips
    page = {
        "run": run,
        "uses": _used_runs(run),
        "figures": (figures := _figures(run)),
        "headline": next((figure for figure in figures if figure.name in HEADLINES), None),
        "meanings": [METRICS[name] for name in METRICS if METRICS[name].meaning and name in run.summary.test],
        "actions": _action_table(run),
        "training_clips": _training_table(run),
        "clips": with_film_first[:MOST_CLIPS],
        "clips_in_all": len(clips),
        "tallies": _tallies(clips),
        "clip_metrics": [name for name in measured if any(card["scores"][name].value is not None for card in clips)],
        "clip_gains": [name for name in measured if any(card["scores"][name].gain is not None for card in clips)],
        "directions": {name: metric.higher_is_better for name, metric in METRICS.items()},
        "published": published_rows(run.table),
        "curves": curves_of(run.folder, published_curves(run.table)),
        "samples": samples_of(run.folder),
        "plots": plots_of(run.folder),
        "horizon": _horizon_table(read_table(run.folder / "test" / "horizon.json")),
        "settings": read_text(run.folder / "settings.yaml"),
        "environment": {key: _as_text(value) for key, value in read_table(run.folder / "environment.json").items()},
        "files": [(file, (run.folder / file).is_dir()) for file in files_of(run.folder)],
        "times": [(part, duration(seconds)) for part, seconds in run.summary.seconds.items()],
    }
    write_page(run.folder / "index.html", "run.html", page)


def write_results_page(results_folder: str | Path) -> None:
    """Write index.html of the results folder: a list of all runs, newest first. Damaged runs are marked as damaged.

    Raises:
        UserError: there is no such folder.
    """
    results = _existing(results_folder)
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


def write_pages(run_folder: Path) -> None:
    """Write the run's page and the list of all runs. If the list cannot be written, a warning is logged and the run goes on.

    A run that has a page already, and no list, was copied to a place that is no folder of runs: no list is made there.
    """
    results = run_folder.parent.parent
    copied = (run_folder / "index.html").exists() and not (results / "index.html").exists()
    write_run_page(run_folder)
    if copied:
        return
    try:
        write_results_page(results)
    except OSError as error:
        log.warning("%s: the list of runs cannot be written: %s", results / "index.html", error.strerror or error)


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
    for key in dict.fromkeys(key for settings in all_settings for key in settings if key not in HEADINGS):
        common[key] = Counter(settings[key] for settings in all_settings if key in settings).most_common(1)[0][0]
    differing = [
        {key: settings.get(key) for key, value in common.items() if settings.get(key) != value} for settings in all_settings
    ]
    return {"common": common, "runs": differing}


def _used_runs(run: Run) -> list[tuple[str, str, Path | None, str]]:
    """The runs that this run builds on (`uses`).

    Returns:
        (role, EXPERIMENT/RUN, path of its page relative to this run's page or None, checksum of its SavedModel) of each. A role
        has several entries where this run was resumed with another model in that role.
    """
    rows = []
    for role, models in run.summary.uses.items():
        for model in models:
            page = Path(model.run) / "index.html"
            link = Path(os.path.relpath(page, run.folder)) if page.is_file() else None
            rows.append((role, "/".join(Path(model.run).parts[-2:]), link, model.checksum))
    return rows


class Figure(NamedTuple):
    """A test score. baselines: (name of a baseline, comparison with it) of each, the one to compare with first."""

    name: str
    label: str
    score: str
    baselines: list[tuple[str, Comparison]]


def _figures(run: Run) -> list[Figure]:
    """The test scores, metrics of the table METRICS first and in its order."""
    names = [name for name in run.summary.test if name not in NOT_SCORES]
    names.sort(key=lambda name: list(METRICS).index(name) if name in METRICS else len(METRICS))
    methods = sorted(run.summary.baseline, key=lambda method: method != run.baseline)
    figures = []
    for name in names:
        score, measured = run.summary.test.get(name), run.summary.baseline
        baselines = [(method.replace("_", " "), compare(name, score, measured[method].get(name))) for method in methods]
        alone = compare(name, score, None)
        figures.append(Figure(name, alone.label, alone.score, baselines))
    return figures


def _score(run: Run, metric: str) -> Comparison:
    """The test score of a metric, compared with the baseline's."""
    return compare(metric, run.summary.test.get(metric), run.summary.baseline.get(run.baseline, {}).get(metric))


def _clip_card(run: Run, clip: Clip, measured: Sequence[str]) -> dict[str, Any]:
    """What the page shows of a test clip.

    measured: the metrics of the run's clips. "views" is empty where the clip has no video whose columns can be shown apart.
    """
    scores = {name: compare(name, number(clip.row, name), number(clip.row, f"baseline_{name}")) for name in measured}
    length, fps = (number(clip.row, "video", key) for key in ("frames", "fps"))
    in_step = clip.file and clip.file.suffix == ".mp4" and length and fps
    return {
        "clip": clip,
        "frames": number(clip.row, "frames"),
        "views": _views(clip.row.get("columns")) if in_step else [],
        "length": length,
        "fps": fps,
        "scores": scores,
        "headlines": [scores[name] for name in HEADLINES if name in scores and scores[name].score],
        "more": [score for name, score in scores.items() if name not in HEADLINES and score.score],
    }


def _views(columns: Any) -> list[tuple[str, list[int]]]:
    """(title, [left, top, width, height] in pixels) of each column of a clip's video; empty where the summary is damaged."""
    if not isinstance(columns, dict):
        return []
    boxes = {str(title): box for title, box in columns.items() if isinstance(box, list) and len(box) == 4}
    return [(title, box) for title, box in boxes.items() if all(isinstance(edge, int) and edge >= 0 for edge in box)]


def _action_table(run: Run) -> dict[str, Any] | None:
    """The scores of each action; None where there are fewer than two actions.

    Returns:
        {"metrics": [label], "rows": [(action, [Comparison of each metric])], "won": [number of actions that are better than
        the baseline, for each metric; None where the baseline does not have it]}.
    """
    actions = run.summary.actions
    metrics = [name for name in HEADLINES if name in run.summary.test]
    if len(actions) < 2 or not metrics:
        return None
    rows = [
        (action, [compare(name, *(methods.get(key, {}).get(name) for key in ("prediction", run.baseline))) for name in metrics])
        for action, methods in sorted(actions.items())
    ]
    gains = [[row[index].gain for _, row in rows if row[index].gain is not None] for index in range(len(metrics))]
    won = [sum(gain > 0 for gain in of_metric) if of_metric else None for of_metric in gains]
    return {"metrics": [METRICS[name].label for name in metrics], "rows": rows, "won": won}


def _training_table(run: Run) -> dict[str, Any] | None:
    """The figures of the clips that trained: {"metrics": [label], "rows": [(method, [score])]}; None where there are none."""
    methods = run.summary.training_clips
    metrics = [name for name in HEADLINES if any(name in figures for figures in methods.values())]
    if not metrics:
        return None
    rows = [
        (name, [compare(metric, figures.get(metric), None).score for metric in metrics]) for name, figures in methods.items()
    ]
    return {"metrics": [METRICS[name].label for name in metrics], "rows": rows}


def _tallies(cards: Iterable[Mapping]) -> list[tuple[str, int, int]]:
    """(metric, number of clips better than the baseline, number of clips compared) for each headline metric."""
    tallies = []
    for name in HEADLINES:
        scores = [card["scores"][name] for card in cards if name in card["scores"]]
        gains = [score.gain for score in scores if score.gain is not None]
        if gains:
            tallies.append((METRICS[name].label, sum(gain > 0 for gain in gains), len(gains)))
    return tallies


def _horizon_table(horizon: Mapping) -> dict[str, Any] | None:
    """test/horizon.json as a table {"head": [...], "rows": [[...]]}; None where the file is missing or has another form."""
    methods, columns = horizon.get("methods"), [horizon.get("distance"), horizon.get("frames")]
    if not isinstance(methods, dict) or not all(isinstance(column, list) for column in columns):
        return None
    head = ["distance", "frames"]
    rows = [[_as_text(value) for value in row] for row in zip(*columns, strict=False)]
    for method, curves in methods.items():
        for name, curve in curves.items() if isinstance(curves, dict) else ():
            if isinstance(curve, list) and len(curve) == len(rows):
                head.append(f"{method.replace('_', ' ')} {metric_of(name).label}")
                for row, value in zip(rows, curve, strict=True):
                    row.append(decimal(number({"": value}, ""), metric_of(name).digits))
    return {"head": head, "rows": rows}


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
        views = dict(_views(clip.row.get("columns")))
        if clip.file and clip.file.suffix == ".mp4" and all(views.get("prediction", [])[2:] or [0]):
            whole_width = max(left + width for left, _, width, _ in views.values())
            shown.append((number(clip.row, metric) or 0.0, folder / clip.file, [*views["prediction"], whole_width]))
    if not shown:
        return None
    _, file, place = sorted(shown)[(len(shown) - 1) // 2]
    return {"file": file, "place": place}


def _existing(folder: str | Path) -> Path:
    folder = Path(folder).absolute()  # a run's experiment is the name of its parent folder, which "." does not have
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    return folder


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _url(path: Path) -> str:
    """A path as a relative link. Each part is quoted, so that spaces, quotes, #, ? and undecodable bytes are allowed."""
    return "/".join(quote(os.fsencode(part), safe="") for part in path.parts)


def _sort_key(value: float | None) -> str:
    """The text by which the page's script sorts: a plain number, or empty, which the script puts last."""
    return "" if value is None else repr(value) if isfinite(value) else ("Infinity" if value > 0 else "-Infinity")


# What pages of earlier versions, which did not name their generator, held.
_EARLIER = {
    "results.html": 'id="filter" placeholder="experiment, dataset',
    "run.html": '<a href="../../index.html">All runs</a>',
}


def _is_ours(path: Path, template: str, generator: str) -> bool:
    """Whether a page may be replaced: there is none yet, or it was made from the same template."""
    if not os.path.lexists(path):
        return True
    text = read_text(path)
    return f'content="{generator}"' in text or _EARLIER.get(template, generator) in text


def write_page(path: Path, template: str, page: Mapping[str, Any]) -> None:
    """Write a page. An existing file that this program did not write is kept, and a warning is logged.

    template: name of a file in templates/. page: the variables that the template uses.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,  # a misspelt variable is an error, so that tests find it
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = {"duration": duration, "short_count": short_count, "whole": whole, "url": _url, "sort_key": _sort_key}
    environment.filters |= filters
    generator = f"analogy, {template}"
    if not _is_ours(path, template, generator):
        log.warning("%s: this page is not ours, and is kept; move it away to have ours there", path)
        return
    html = environment.get_template(template).render(page, generator=generator, now=f"{datetime.now():%Y-%m-%d %H:%M}")
    with replacing(path) as temporary:
        # File names may hold bytes that are not text. They are shown as "?", but their links are right (see `_url`).
        temporary.write_bytes(html.encode("utf-8", errors="replace"))
