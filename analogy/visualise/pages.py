"""The pages a person opens: index.html of a run, and of results/. They work from disk, without server or network."""

import json
import logging
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any
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
from analogy.visualise.curves import curves_of
from analogy.visualise.published import published_curves, published_rows
from analogy.visualise.wording import Comparison, compare, decimal, duration, short_count, whole

log = logging.getLogger("analogy")
NOT_SCORES = {"clips", "frames"}


def write_run_page(run_folder: str | Path) -> None:
    """Write index.html of one run from what its folder holds now; what is missing is left out.

    The page links to ../../index.html, which `write_results_page` writes.

    Raises:
        UserError: there is no such folder.
    """
    run = read_run(_existing(run_folder))
    clips = [_clip_card(run, clip) for clip in clips_of(run)]
    page = {
        "run": run,
        "uses": _used_runs(run),
        "scores": _scores(run),
        "meanings": [METRICS[name] for name in METRICS if METRICS[name].meaning and name in run.summary.test],
        "actions": _action_table(run),
        "clips": clips,
        "tallies": _tallies(clips),
        "clip_metrics": [name for name in METRICS if any(card["scores"][name].value is not None for card in clips)],
        "clip_gains": [name for name in METRICS if any(card["scores"][name].gain is not None for card in clips)],
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
    """Write index.html of results/: every run of every experiment, newest first, damaged ones marked as such.

    Raises:
        UserError: there is no such folder.
    """
    results = _existing(results_folder)
    runs = read_runs(results)
    measured = [name for name in HEADLINES if any(name in run.summary.test for run in runs)]
    rows = [_row_of_any_run(run, results, measured) for run in runs]
    page = {"rows": rows, "metrics": measured, "comparisons": comparisons_of(results), "settings": _all_settings(runs)}
    write_page(results / "index.html", "results.html", page)


def write_pages(run_folder: Path) -> None:
    """The run's page, and the list of all runs that it is on. That the list cannot be written is said, and stops no run."""
    write_run_page(run_folder)
    results = run_folder.parent.parent
    try:
        write_results_page(results)
    except OSError as error:
        log.warning("%s: the list of runs cannot be written: %s", results / "index.html", error.strerror or error)


def _all_settings(runs: Iterable[Run]) -> dict[str, Any]:
    """{"common": {key: value}, "runs": [{key: value}, ...]}: of each run what is not common, None where it has no such key.

    Most settings of most runs are alike: a page of 500 runs stays small.
    """
    every = []
    for run in runs:
        try:
            every.append(flat_settings(run.folder))
        except ValueError:
            every.append({})
    common = {}
    for key in dict.fromkeys(key for one in every for key in one if key not in HEADINGS):
        common[key] = Counter(one[key] for one in every if key in one).most_common(1)[0][0]
    differing = [{key: one.get(key) for key, value in common.items() if one.get(key) != value} for one in every]
    return {"common": common, "runs": differing}


def _used_runs(run: Run) -> list[tuple[str, str, Path | None, str]]:
    """(role, EXPERIMENT/RUN, its page relative to this one where there is one, checksum of its SavedModel) of each run that
    this one builds on; several of a role where another took its place in between."""
    rows = []
    for role, models in run.summary.uses.items():
        for model in models:
            page = Path(model.run) / "index.html"
            link = Path(os.path.relpath(page, run.folder)) if page.is_file() else None
            rows.append((role, "/".join(Path(model.run).parts[-2:]), link, model.checksum))
    return rows


def _scores(run: Run) -> list[Comparison]:
    """The test scores in the order of METRICS, then those of other names."""
    names = [name for name in run.summary.test if name not in NOT_SCORES]
    names.sort(key=lambda name: list(METRICS).index(name) if name in METRICS else len(METRICS))
    return [_score(run, name) for name in names]


def _score(run: Run, metric: str) -> Comparison:
    """The test score beside the baseline's."""
    return compare(metric, run.summary.test.get(metric), run.summary.baseline.get(run.baseline, {}).get(metric))


def _clip_card(run: Run, clip: Clip) -> dict[str, Any]:
    scores = {name: compare(name, number(clip.row, name), number(clip.row, f"baseline_{name}")) for name in METRICS}
    length, fps = (number(clip.row, "video", key) for key in ("frames", "fps"))
    in_step = clip.file and clip.file.suffix == ".mp4" and length and fps
    return {
        "clip": clip,
        "frames": number(clip.row, "frames"),
        "views": _views(clip.row.get("columns")) if in_step else [],
        "length": length,
        "fps": fps,
        "scores": scores,
        "headlines": [scores[name] for name in HEADLINES if scores[name].score],
        "more": [score for name, score in scores.items() if name not in HEADLINES and score.score],
    }


def _views(columns: Any) -> list[tuple[str, list[int]]]:
    """(title, [left, top, width, height]) of the columns of a clip's video; none where the summary is damaged."""
    if not isinstance(columns, dict):
        return []
    boxes = {str(title): box for title, box in columns.items() if isinstance(box, list) and len(box) == 4}
    return [(title, box) for title, box in boxes.items() if all(isinstance(edge, int) and edge >= 0 for edge in box)]


def _action_table(run: Run) -> dict[str, Any] | None:
    """{"metrics": [names], "rows": [(action, [Comparison of each metric])]}; None where there are fewer than two actions."""
    actions = run.summary.actions
    metrics = [name for name in HEADLINES if name in run.summary.test]
    if len(actions) < 2 or not metrics:
        return None
    rows = [
        (action, [compare(name, *(methods.get(key, {}).get(name) for key in ("prediction", run.baseline))) for name in metrics])
        for action, methods in sorted(actions.items())
    ]
    won = [sum((row[index].gain or 0) > 0 for _, row in rows) for index in range(len(metrics))]
    return {"metrics": [METRICS[name].label for name in metrics], "rows": rows, "won": won}


def _tallies(cards: Iterable[Mapping]) -> list[tuple[str, int, int]]:
    """(metric, clips won, clips compared) for each metric."""
    tallies = []
    for name in HEADLINES:
        gains = [gain for card in cards if (gain := card["scores"][name].gain) is not None]
        if gains:
            tallies.append((METRICS[name].label, sum(gain > 0 for gain in gains), len(gains)))
    return tallies


def _horizon_table(horizon: Mapping) -> dict[str, Any] | None:
    """{"head": [...], "rows": [[...]]} of test/horizon.json; None if the file is missing or not of that form."""
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
    """The run's row. Whatever else an odd run holds, it is one row that says so, and the list goes on."""
    try:
        return _table_row(run, results, metrics)
    except Exception as error:
        log.debug("%s: no row of the list can be made of it", run.folder, exc_info=True)
        run = run if run.problem else Run(run.folder, {}, f"its files are not those of a run: {error}")
        folder = run.folder.relative_to(results)
        return {"run": run, "link": folder, "thumbnail": None, "scores": {name: compare(name, None, None) for name in metrics}}


def _table_row(run: Run, results: Path, metrics: Iterable[str]) -> dict[str, Any]:
    folder = run.folder.relative_to(results)
    page = folder / "index.html"
    samples = samples_of(run.folder)
    thumbnail = next((sample for sample in samples if sample.split == "test"), samples[0] if samples else None)
    return {
        "run": run,
        "link": page if (results / page).is_file() else folder,
        "thumbnail": folder / thumbnail.file if thumbnail else None,
        "scores": {name: _score(run, name) for name in metrics},
    }


def _existing(folder: str | Path) -> Path:
    folder = Path(folder).absolute()  # a run's experiment is the name of its parent, which "." does not tell
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    return folder


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _url(path: Path) -> str:
    """A relative link: each part quoted, so that spaces, quotes, #, ? and any byte of a file name survive."""
    return "/".join(quote(os.fsencode(part), safe="") for part in path.parts)


def _sort_key(value: float | None) -> str:
    """What the script sorts by: a plain number, or empty, which it puts last."""
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
    """Fill in one of the templates and write it as a whole; a page that is not ours is kept, and that is said."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,  # a slip in a template fails a test, not a reader
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = {"duration": duration, "short_count": short_count, "whole": whole, "url": _url, "sort_key": _sort_key}
    environment.filters |= words
    generator = f"analogy, {template}"
    if not _is_ours(path, template, generator):
        log.warning("%s: this page is not ours, and is kept; move it away to have ours there", path)
        return
    html = environment.get_template(template).render(page, generator=generator, now=f"{datetime.now():%Y-%m-%d %H:%M}")
    with replacing(path) as temporary:
        # Names of files may hold bytes that are no text; they are shown with "?" and linked by their bytes.
        temporary.write_bytes(html.encode("utf-8", errors="replace"))
