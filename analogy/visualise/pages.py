"""The page of a run."""

import json
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from analogy.files.paths import existing_folder
from analogy.metrics.table import HEADLINES, METRICS, metric_of
from analogy.runs.reading import (
    Clip,
    Run,
    clips_of,
    files_of,
    number,
    plots_of,
    read_run,
    read_table,
    read_text,
    samples_of,
)
from analogy.visualise.curves import curves_of
from analogy.visualise.html import write_page
from analogy.visualise.published import published_curves, published_rows
from analogy.visualise.results_page import write_results_page
from analogy.visualise.wording import Comparison, compare, decimal, duration

log = logging.getLogger("analogy")
MOST_CLIPS = 2000  # of a run's page, which a browser still shows
NOT_SCORES = {"clips", "frames"}  # entries of summary.json's "test" that are counts


def write_run_page(run_folder: str | Path) -> None:
    """Write index.html of one run from the files in its folder. Sections whose files are missing are left out.

    The page links to ../../index.html, which `write_results_page` writes.

    Raises:
        UserError: there is no such folder.
    """
    run = read_run(existing_folder(run_folder))  # absolute: its experiment may be the name of the folder around it
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
        "views": clip.views if in_step else [],
        "length": length,
        "fps": fps,
        "scores": scores,
        "headlines": [scores[name] for name in HEADLINES if name in scores and scores[name].score],
        "more": [score for name, score in scores.items() if name not in HEADLINES and score.score],
    }


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


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
