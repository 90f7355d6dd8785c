"""The data of a comparison of runs: the test clips that they share, their figures side by side, and settings that differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import isclose
from pathlib import Path

from analogy.errors import UserError
from analogy.metrics.table import METRICS, Metric
from analogy.runs.reading import Clip, Run, clips_of, flat_settings, flat_yaml, number, read_run
from analogy.settings import load_settings, settings_text
from analogy.settings.loading import HasSettings, read_experiment
from analogy.settings.sections import is_heading
from analogy.visualise.wording import decimal

Key = tuple[str, str]  # action, clip
# What LaTeX takes for a command -> what it prints as that sign.
LATEX = str.maketrans(
    {sign: f"\\{sign}" for sign in "&%$#_{}"} | {"\\": r"\textbackslash{}", "^": r"\^{}", "~": r"\~{}", "−": "$-$"}
)
SAME_FIGURE = 1e-3  # relative difference; video decoders of different machines differ by less


@dataclass(frozen=True)
class Tested:
    """A finished run in a comparison.

    label: its short name. clips: its test clips that have a video whose columns can be cut out.
    """

    run: Run
    label: str
    clips: dict[Key, Clip]


@dataclass(frozen=True)
class Column:
    """A column of a table: the figures of the run `tested`, or of its baseline if `prefix` is "baseline_"."""

    title: str
    tested: Tested
    prefix: str = ""

    def value(self, metric: str, key: Key) -> float | None:
        return number(self.tested.clips[key].row, self.prefix + metric)

    def mean(self, metric: str, keys: Iterable[Key]) -> float | None:
        values = [value for key in keys if (value := self.value(metric, key)) is not None]
        return sum(values) / len(values) if values else None


@dataclass(frozen=True)
class Cell:
    text: str
    best: bool = False


@dataclass(frozen=True)
class Row:
    """A row of a table: one metric, with the cells of each group of columns. The label includes the unit."""

    label: str
    meaning: str
    groups: list[list[Cell]]


def read_tested(folders: Sequence[Path]) -> list[Tested]:
    """Read finished runs. Their labels are the experiments' names; runs of the same experiment add their folders' names.

    Raises:
        UserError: there are fewer than two runs, a run is named twice, or a run is unreadable or unfinished.
    """
    folders = [folder.resolve() for folder in folders]
    if len(set(folders)) < 2:
        raise UserError("a comparison needs at least two different runs: give --run twice or more")
    if repeated := [folder for folder in folders if folders.count(folder) > 1]:
        raise UserError(f"{repeated[0]}: given more than once")
    runs = [read_run(folder) for folder in folders]
    for run in runs:
        if run.problem:
            raise UserError(f"{run.folder}: {run.problem}")
        if run.status != "finished":
            mend = "wait for it to end" if run.status == "running" else "finish it with --resume first"
            raise UserError(f"{run.folder}: this run is {run.status}: {mend}")
    names = [run.experiment for run in runs]
    labels = [name if names.count(name) == 1 else f"{name} {run.folder.name}" for name, run in zip(names, runs, strict=True)]
    return [Tested(run, label, _clips_with_columns(run)) for run, label in zip(runs, labels, strict=True)]


def _clips_with_columns(run: Run) -> dict[Key, Clip]:
    clips = [clip for clip in clips_of(run) if clip.file and clip.file.suffix == ".mp4"]
    return {(clip.action, clip.name): clip for clip in clips if isinstance(clip.row.get("columns"), dict)}


def common_clips(runs: Sequence[Tested]) -> list[Key]:
    """The clips that all runs were tested on, sorted.

    Raises:
        UserError: there is no such clip.
    """
    common = sorted(set.intersection(*(set(tested.clips) for tested in runs)))
    if not common:
        counts = ", ".join(f"{tested.label} {len(tested.clips)}" for tested in runs)
        raise UserError(
            f"the runs have no test clip in common (clips with a video: {counts}); name runs that predict "
            "frames, of the same data"
        )
    return common


def same_pictures(runs: Sequence[Tested], common: Sequence[Key]) -> list[list[Tested]]:
    """Group the runs by the pictures that they were tested on, which may differ in size or crop.

    Runs belong to the same group if their baselines have the same figures, since these depend on the pictures alone. Figures of
    different groups cannot be compared.
    """
    groups: list[list[Tested]] = []
    for tested in runs:
        for group in groups:
            if _same_baseline(group[0], tested, common):
                group.append(tested)
                break
        else:
            groups.append([tested])
    return groups


def _same_baseline(a: Tested, b: Tested, common: Sequence[Key]) -> bool:
    def same(key: Key) -> bool:
        rows = a.clips[key].row, b.clips[key].row
        x, y = ({name: number(row, name) for name in row if name.startswith("baseline_")} for row in rows)
        shared = [name for name in x.keys() & y.keys() if None not in (x[name], y[name])]
        close = all(isclose(x[name], y[name], rel_tol=SAME_FIGURE) for name in shared)
        return bool(shared) and close and number(rows[0], "frames") == number(rows[1], "frames")

    return a.run.baseline == b.run.baseline and all(same(key) for key in common)


def columns_of(groups: Sequence[Sequence[Tested]]) -> list[list[Column]]:
    """The columns of each group: first its baseline, then its runs."""
    columns = []
    for group in groups:
        suffix = f" for {group[0].label}" if len(groups) > 1 else ""
        baseline = Column(group[0].run.baseline.replace("_", " ") + suffix, group[0], "baseline_")
        columns.append([baseline, *(Column(tested.label, tested) for tested in group)])
    return columns


def table(groups: Sequence[Sequence[Column]], keys: Sequence[Key]) -> list[Row]:
    """The rows of a table, one for each metric that at least one column has.

    Cells are means over the clips `keys`. The best of each group is marked.
    """
    rows = []
    for name, metric in METRICS.items():
        values = [[column.mean(name, keys) for column in group] for group in groups]
        if any(value is not None for group in values for value in group):
            rows.append(Row(metric.label_with_unit, metric.meaning, [_cells(metric, group) for group in values]))
    return rows


def _cells(metric: Metric, values: Sequence[float | None]) -> list[Cell]:
    """The cells of one group. The best value is marked, after rounding to the printed digits, unless all are the same."""
    rounded = [None if value is None else round(value, metric.digits) for value in values]
    distinct = {value for value in rounded if value is not None}
    best = None
    if len(distinct) > 1 and metric.better != "neither":
        best = max(distinct) if metric.better == "higher" else min(distinct)
    return [Cell(decimal(v, metric.digits) or "–", v is not None and v == best) for v in rounded]


def differing_settings(runs: Sequence[Run], systems: Mapping[str, HasSettings]) -> list[tuple[str, list[str]]]:
    """The settings that are not the same in all runs: (dotted key, its value in each run), "–" where a run lacks the key.

    systems: system name -> the class of its settings. A run of an earlier version lacks newer keys. It gets their defaults,
    which are what that version did.
    """
    all_settings = [_read_settings(run, systems) for run in runs]
    keys = dict.fromkeys(key for settings in all_settings for key in settings)
    rows = [(key, [settings.get(key, "–") for settings in all_settings]) for key in keys if not is_heading(key)]
    return [(key, values) for key, values in rows if len(set(values)) > 1]


def _read_settings(run: Run, systems: Mapping[str, HasSettings]) -> dict[str, str]:
    file = run.folder / "settings.yaml"
    with suppress(UserError):  # settings that are not valid in this version are compared as they stand in the file
        return flat_yaml(settings_text(load_settings(file, systems, scale=str(read_experiment(file).get("scale")))))
    try:
        return flat_settings(run.folder)
    except ValueError as error:
        raise UserError(f"{file}: this is not YAML: {error}") from error


def latex_table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a LaTeX tabular that uses the booktabs package; the first column is left-aligned."""

    def row(cells: Sequence[str]) -> str:
        return " & ".join(cell.translate(LATEX) for cell in cells) + r" \\"

    body = [row(line) for line in lines]
    columns = "l" + "r" * (len(head) - 1)
    return [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", row(head), r"\midrule", *body, r"\bottomrule", r"\end{tabular}"]


def markdown_table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table."""
    table = [head, ["---"] * len(head), *lines]
    return ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in table]
