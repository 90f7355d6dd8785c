"""Reading run folders for the pages. A folder may be incomplete or damaged: what cannot be read is treated as missing."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from math import isnan
from pathlib import Path
from typing import Any

import yaml

from analogy.files.marks import EVALUATION, RUN, kind_of
from analogy.files.names import COMPARISONS
from analogy.files.reading import read_json, read_regular, read_yaml
from analogy.runs.folder import is_running
from analogy.runs.summary import Summary, read_summary

BASELINE = "copy_reference"
CLIP_SUFFIXES = (".mp4", ".gif", ".png")  # the page shows the first that exists
FILES = [
    "log.txt",
    "metrics.csv",
    "metrics.jsonl",
    "summary.json",
    "settings.yaml",
    "environment.json",
    "test/horizon.json",
    "test/horizon_by_action.json",
    "saved_model",
    "tensorboard",
    "checkpoints",
]


@dataclass(frozen=True)
class Run:
    """One run folder.

    table: the unchecked content of summary.json. problem: one line that says why summary.json cannot be read; else "".
    """

    folder: Path
    table: dict
    problem: str = ""

    @cached_property
    def _read(self) -> tuple[Summary, list[str]]:
        return read_summary(self.table)

    @property
    def summary(self) -> Summary:
        """The content of summary.json, without values of a wrong type."""
        return self._read[0]

    @property
    def faults(self) -> list[str]:
        """One line for each value of summary.json that was left out because it has a wrong type."""
        return self._read[1]

    @property
    def experiment(self) -> str:
        return self.summary.experiment or self.folder.parent.name

    @property
    def started(self) -> str:
        """YYYY-MM-DD_HHMMSS, to sort by time: the date in the folder's name, or else the time when the folder last changed."""
        if date := re.search(r"\d{4}-\d\d-\d\d_\d{6}", self.folder.name):
            return date[0]
        try:
            return f"{datetime.fromtimestamp(self.folder.stat().st_mtime):%Y-%m-%d_%H%M%S}"
        except (OSError, OverflowError, ValueError):  # the folder cannot be read, or its date is out of range
            return ""

    @property
    def status(self) -> str:
        """finished, running, interrupted, failed, unreadable or unknown.

        The summary of a process that was killed still says "running". So the lock tells whether the run really runs.
        """
        if self.problem:
            return "unreadable"
        status = self.summary.status or "unknown"
        if status == "running":
            return {True: "running", False: "interrupted", None: "unknown"}[is_running(self.folder)]
        return status

    @property
    def advice(self) -> str:
        """How to continue an interrupted run; empty for all other runs."""
        can_resume = self.status == "interrupted" and (self.folder / "settings.yaml").is_file()
        return "go on with --resume" if can_resume else ""

    @property
    def baseline(self) -> str:
        """The name of the baseline to compare with: copy_reference if the run has it, else its first one; "" if it has none."""
        names = list(self.summary.baseline)
        return BASELINE if BASELINE in names else next(iter(names), "")


@dataclass(frozen=True)
class Clip:
    """One test clip.

    file: its video, or a picture if there is no video. row: its row in summary.json. picture: its picture. Paths are relative
    to the run folder. `file` or `row` may be missing.
    """

    action: str
    name: str
    file: Path | None = None
    row: dict = field(default_factory=dict)
    picture: Path | None = None

    @property
    def views(self) -> list[tuple[str, list[int]]]:
        """(title, [left, top, width, height] in pixels) of each column of its video; empty where the row is damaged."""
        columns = self.row.get("columns")
        if not isinstance(columns, dict):
            return []
        boxes = {str(title): box for title, box in columns.items() if isinstance(box, list) and len(box) == 4}
        return [(title, box) for title, box in boxes.items() if all(isinstance(edge, int) and edge >= 0 for edge in box)]


@dataclass(frozen=True)
class Sample:
    """One picture that was made during training. file: relative to the run folder."""

    step: int
    split: str
    action: str
    name: str
    file: Path


def read_run(folder: Path) -> Run:
    """Read the summary.json of a run. Whatever the file contains, no exception is raised."""
    summary, problem = _read_json(folder / "summary.json")
    if not problem and not isinstance(summary, dict):
        problem = "summary.json holds no table of values"
    return Run(folder, {}, problem) if problem else Run(folder, summary)


def read_runs(results: Path) -> list[Run]:
    """All runs in results/EXPERIMENT/RUN, newest first. Whatever is in these folders, no exception is raised."""
    experiments = [folder for folder in _folders(results) if folder.name != COMPARISONS]
    runs = [run for experiment in experiments for run in read_experiment_runs(experiment)]
    return sorted(runs, key=lambda run: (run.started, run.experiment), reverse=True)


def read_experiment_runs(experiment: Path) -> list[Run]:
    """All runs in the folder of one experiment, newest first. A folder that cannot be listed gives one Run with a `problem`."""
    try:
        runs = [read_run(folder) for folder in _folders(experiment) if kind_of(folder) in (None, RUN, EVALUATION)]
    except OSError as error:
        runs = [Run(experiment, {"experiment": experiment.name}, f"the folder cannot be read: {error.strerror}")]
    return sorted(runs, key=lambda run: run.started, reverse=True)


def comparisons_of(results: Path) -> list[Path]:
    """The pages results/comparisons/NAME/index.html, relative to `results`."""
    return _visible(results, f"{COMPARISONS}/*/index.html")


def clips_of(run: Run) -> list[Clip]:
    """The clips in test/ACTION joined with those of summary.json by action and name; sorted by action, then name."""
    files = {}
    for suffix in reversed(CLIP_SUFFIXES):
        files |= {(file.parent.name, file.stem): file for file in _visible(run.folder, f"test/*/*{suffix}")}
    pictures = {(file.parent.name, file.stem): file for file in _visible(run.folder, "test/*/*.png")}
    rows = {(str(row.get("action", "")), str(row.get("clip", ""))): row for row in run.summary.clips if row}
    keys = sorted(files.keys() | rows.keys())
    return [Clip(*key, files.get(key), rows.get(key, {}), pictures.get(key)) for key in keys]


def samples_of(folder: Path) -> list[Sample]:
    """The pictures samples/step-N/SPLIT/ACTION/CLIP.png, newest step first."""
    samples = []
    for file in _visible(folder, "samples/step-*/*/*/*.png"):
        _, step, split, action, _ = file.parts
        if step.removeprefix("step-").isdecimal():
            samples.append(Sample(int(step.removeprefix("step-")), split, action, file.stem, file))
    return sorted(samples, key=lambda sample: (-sample.step, sample.split, sample.action, sample.name))


def plots_of(folder: Path) -> list[Path]:
    """The pictures in plots/, relative to the run folder."""
    return _visible(folder, "plots/*.png")


def files_of(folder: Path) -> list[Path]:
    """The existing files and folders of a run that its page links, relative to the run folder."""
    return [Path(name) for name in FILES if (folder / name).exists()]


def read_text(file: Path) -> str:
    """The text of a file; empty if it cannot be read. Bytes that are not UTF-8 are replaced."""
    try:
        return read_regular(file).decode("utf-8", errors="replace")
    except OSError:
        return ""


def flat_settings(folder: Path) -> dict[str, str]:
    """Dotted key -> value of a run's settings, each value as the text in the file. Raises ValueError if that is not YAML."""
    return flat_yaml(read_text(folder / "settings.yaml"))


def flat_yaml(text: str) -> dict[str, str]:
    """Dotted key -> value of a YAML text, each value as it stands there. Raises ValueError if that is not YAML."""
    try:
        # The base loader reads every value as text, so an impossible date is no error. The C loader is fast: a list of runs
        # reads hundreds of files.
        return _flat(read_yaml(text, yaml.CBaseLoader))  # it makes only texts, lists and dicts
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(getattr(error, "problem", None) or str(error).splitlines()[0]) from error


def _flat(settings: Any, prefix: str = "") -> dict[str, str]:
    if not isinstance(settings, dict):
        return {prefix.removesuffix("."): str(settings)} if prefix else {}
    return {k: v for key, value in settings.items() for k, v in _flat(value, f"{prefix}{key}.").items()}


def read_table(file: Path) -> dict[str, Any]:
    """The JSON object in a file; empty if it is missing or broken."""
    table, _ = _read_json(file)
    return table if isinstance(table, dict) else {}


def number(table: Any, *keys: str) -> float | None:
    """The number at a path of keys in nested dicts. None if it is missing, not a number, NaN, or too large for a float."""
    value = _at(table, *keys)
    try:
        usable = isinstance(value, int | float) and not isinstance(value, bool) and not isnan(value)
    except OverflowError:
        return None
    return value if usable else None


def _at(table: Any, *keys: str) -> Any:
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table


def _read_json(file: Path) -> tuple[Any, str]:
    """(content, "") of a JSON file, or (None, one line that says why it cannot be read)."""
    try:
        return read_json(file), ""
    except FileNotFoundError:
        return None, f"{file.name} is missing"
    except OSError as error:
        return None, f"{file.name} cannot be read: {error.strerror}"
    except ValueError as error:
        return None, f"{file.name} is broken: {error}"


def _folders(folder: Path) -> list[Path]:
    """The folders in a folder except hidden ones; broken links are included. Raises OSError."""
    with os.scandir(folder) as entries:
        return sorted(Path(entry) for entry in entries if not entry.name.startswith(".") and _may_be_folder(entry))


def _may_be_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir() or (entry.is_symlink() and not os.path.exists(entry))
    except OSError:  # a link to itself
        return True


def _visible(folder: Path, pattern: str) -> list[Path]:
    """The files that match `pattern`, relative to `folder`; empty if the folder cannot be read.

    Hidden files are left out: files that are still being written have names that begin with a dot.
    """
    with suppress(OSError):
        files = [file.relative_to(folder) for file in folder.glob(pattern)]
        return sorted(file for file in files if not any(part.startswith(".") for part in file.parts))
    return []
