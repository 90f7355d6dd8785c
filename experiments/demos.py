"""The table of all demos, docs/demos.md: what each experiment reaches at demo scale beside trivial baselines, and its time.

Rows that were measured before are kept, in docs/demos.json, for as long as the settings of their demo stay the same.

python experiments/demos.py --results-dir results                          # of the finished runs that are there
python experiments/demos.py --results-dir results --run seq2seq_sins_l1    # trains these first
"""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from analogy.cli.console import RESULTS, app_of, clear_errors, names_in
from analogy.data.doubts import fingerprint
from analogy.errors import Mistakes, UserError
from analogy.metrics.table import HEADLINES
from analogy.one_line import counted, say
from analogy.ownership import check_text_output, write_our_text
from analogy.resolve import resolve_settings
from analogy.runs.kept import Kept
from analogy.runs.reading import Run, read_experiment_runs
from analogy.runs.ready import FOLDER
from analogy.runs.uses import starting_from
from analogy.settings import Settings, find_experiment, list_experiments, load_settings
from analogy.settings.sections import HEADINGS
from analogy.systems import SYSTEMS
from analogy.systems.run_settings import settings_of_run
from analogy.visualise.tables import markdown_table
from analogy.visualise.wording import compare, duration, whole

OUT = Path(__file__).parent.parent / "docs" / "demos.md"
HEAD = """# What the demos reach

Every experiment has a demo: a few minutes on a laptop, without a dataset (`analogy run EXPERIMENT --scale demo`).
`python experiments/demos.py` makes these tables from finished runs whose settings are those of today's demos.
Experiments that differ at paper scale alone, most of them in their data, have the same demo, and share a row.
"Measured on" names the data and the number of test clips, none of which was trained on (of sines: groups of 200 sequences).
Demos that start from VGG-16 or measure with it need its ImageNet weights. "VGG-16 (HED)": the run had those in their place.
A run's page has its protocol. The README and the pages of the papers have other runs of some, whose figures differ a little.
{times}
A demo shows that a system works. It is not what the system reaches in full, and a method that loses to a baseline is said to
lose. "Not run" below a table names the demos of which there was no such run; the pages of their papers have figures of some.
"""
COLUMNS = ("experiment", "steps", "reaches", "beside", "measured on", "time")
# Settings that say what a run is called, where it lies and how it is shown, and neither what it learns nor what is measured.
BESIDE = {
    **dict.fromkeys((*HEADINGS, "uses"), True),
    "data": {"folder", "cache"},
    "training": {
        "log_every", "sample_every", "checkpoint_every", "keep_checkpoints", "steps_per_call", "trackers",
    },
    "evaluation": {"frames_per_second", "frames_per_call"},
}  # fmt: skip


def main(
    results_dir: Annotated[
        list[Path] | None, typer.Option(help="A folder of runs; several may be given. Runs are trained into the first.")
    ] = None,
    run: Annotated[str, typer.Option(help="Experiments to train at demo scale first, separated by commas.")] = "",
    times: Annotated[str | None, typer.Option(help="A sentence about the machine of the times; by default as before.")] = None,
    out: Annotated[Path, typer.Option(help="The Markdown file to write; beside it a .json keeps the rows.")] = OUT,
) -> None:
    """Write the table of all demos: of each the newest finished run, or the row that was measured before."""
    places = results_dir or [RESULTS]
    with clear_errors(places[0]):
        names = names_in(run)
        check_text_output(out, HEAD, "table of demos")
        kept = KeptRows.read(out, "rows of demos")
        with Mistakes() as mistakes:
            for name in names:
                with mistakes.noted():
                    resolve_settings(name, results_dir=places[0], scale="demo", stages_follow=True)
        for name in names:
            import analogy

            analogy.train(name, scale="demo", results_dir=places[0])
        named = demos()
        rows = {names: row_of(names, places) or kept.rows.get(demo) for demo, names in named.items()}
        if not any(rows.values()):
            raise UserError(f"{places[0]}: there is no finished run of a demo; name some with --run")
        times = kept.times if times is None else times
        write_our_text(out, "\n".join(lines(rows, times)))
        found = {demo: rows[names] for demo, names in sorted(named.items()) if rows[names]}
        KeptRows(times=times, rows=found).write(out)
        say(f"{sum(map(bool, rows.values()))} of {len(rows)} demos were run; written to {out}")


class KeptRows(Kept):
    """What was measured before. times: a sentence about the machine. rows: a demo (see `demos`) -> the cells of its row."""

    times: str = ""
    rows: dict[str, tuple[str, ...]] = {}


def lines(rows: dict[tuple[str, ...], tuple[str, ...] | None], times: str):
    """The Markdown file, line by line: a table for each paper, and below it the names of the demos that were not run.

    rows: names of experiments with the same demo, as `demos` gives them -> the cells of their row; None: it was not run.
    """
    yield HEAD.format(times=f"{times}\n" if times else "")
    papers = list_experiments()
    for paper, entries in groupby(rows.items(), key=lambda entry: papers[entry[0][0]].paper):
        demos_of_paper = [(", ".join(f"`{name}`" for name in names), cells) for names, cells in entries]
        yield f"## {paper}\n"
        if found := [(names, *cells) for names, cells in demos_of_paper if cells]:
            yield from (*markdown_table(COLUMNS, found), "")
        if missing := [names for names, cells in demos_of_paper if not cells]:
            yield f"Not run: {', '.join(missing)}.\n"


def demos() -> dict[str, tuple[str, ...]]:
    """A hash of paper and settings of each demo -> the names of its experiments: paper by paper, those of one paper together
    that have the same demo."""
    together: dict[str, list[str]] = {}
    for name, experiment in list_experiments().items():
        demo = fingerprint([experiment.paper.encode(), json.dumps(_demo_of(name)).encode()])
        together.setdefault(demo, []).append(name)
    return {demo: tuple(names) for demo, names in together.items()}


def row_of(names: tuple[str, ...], places: list[Path]) -> tuple[str, ...] | None:
    """The row of experiments with the same demo, from the newest finished run with its settings; None: there is no such run."""
    folders = [place / name for place in places for name in names]
    found = [run for folder in folders for run in read_experiment_runs(folder) if run.status == "finished"]
    demo = _demo_of(names[0]) if found else None
    for run in sorted(found, key=lambda run: run.started, reverse=True):
        settings = decisive(_settings(run))
        if settings and _of_imagenet(settings) == demo:
            return _cells(run, "" if settings == demo else "; VGG-16 (HED)")
    return None


def _of_imagenet(settings):
    """Settings, or one of them: where a run had the weights of `analogy fetch vgg16-hed`, those that Keras downloads."""
    if isinstance(settings, dict):
        return {key: _of_imagenet(value) for key, value in settings.items()}
    return "imagenet" if settings == "hed" else settings


def _demo_of(name: str) -> dict | None:
    return decisive(load_settings(find_experiment(name), SYSTEMS, scale="demo"))


def decisive(settings: Settings | None) -> dict | None:
    """The settings that decide what is learned, from what, and on which clips it is measured."""
    return settings and settings.model_dump(mode="json", exclude=BESIDE)


def _settings(run: Run) -> Settings | None:
    """The settings of a run. A model of the package that it started from has its name in them, as in a demo, and no path."""
    try:
        settings = settings_of_run(run.folder)
    except UserError:  # of an older version
        return None
    start = settings.training.start_from
    if not start or Path(start.run).parent.name != FOLDER.name:  # the folder of this or of another installation
        return settings
    return starting_from(Path(start.run).name, settings)


def _cells(run: Run, weights: str) -> tuple[str, ...]:
    """weights: what is said of them behind the data."""
    summary = run.summary
    metric = next(name for name in HEADLINES if name in summary.test)
    reached, beside = compare(metric, summary.test[metric], None), []
    for method, figures in summary.baseline.items():
        if metric in figures:
            comparison = compare(metric, summary.test[metric], figures[metric])
            verdict = f" ({comparison.verdict})" if comparison.verdict else ""
            beside.append(f"{method.replace('_', ' ')} {comparison.baseline}{verdict}")
    return (
        whole(summary.steps),
        f"{reached.label} **{reached.score}**",
        "; ".join(beside),
        f"{summary.dataset}, {counted(summary.test['clips'], 'clip')}{weights}",
        duration(summary.seconds.get("total")),
    )


app = app_of(main)

if __name__ == "__main__":
    app()
