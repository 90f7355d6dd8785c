"""Reading a run folder for its page. A folder may be half finished or damaged: what cannot be read is missing."""

import errno
import json
import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from math import isnan
from pathlib import Path
from typing import Any

import yaml

from analogy.ownership import EVALUATION, RUN, kind_of
from analogy.runs.folder import is_running
from analogy.runs.summary import Summary, read_summary

BASELINE = "copy_reference"
# Settings that name a run, or stand beside its figures, and change nothing; published.mse is the key of older runs.
HEADINGS = {"experiment", "summary", "source", "published", "published.mse"}
COMPARISONS = "comparisons"  # the folder beside those of the experiments
CLIP_SUFFIXES = (".mp4", ".gif", ".png")  # the first that exists is shown
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
    """One run folder: its summary, or in `problem` one line that says why there is none.

    table: what summary.json holds, as it is.
    """

    folder: Path
    table: dict
    problem: str = ""

    @cached_property
    def _read(self) -> tuple[Summary, list[str]]:
        return read_summary(self.table)

    @property
    def summary(self) -> Summary:
        """What summary.json says; a value of a wrong type is missing."""
        return self._read[0]

    @property
    def faults(self) -> list[str]:
        """A line for each value of summary.json that is missing because it is of a wrong type."""
        return self._read[1]

    @property
    def experiment(self) -> str:
        return self.summary.experiment or self.folder.parent.name

    @property
    def started(self) -> str:
        """A key that sorts by time: the date in the folder's name, else the age of the folder."""
        if date := re.search(r"\d{4}-\d\d-\d\d_\d{6}", self.folder.name):
            return date[0]
        try:
            return f"{datetime.fromtimestamp(self.folder.stat().st_mtime):%Y-%m-%d_%H%M%S}"
        except (OSError, OverflowError, ValueError):  # a folder that cannot be looked at, or a date before the year 1
            return ""

    @property
    def status(self) -> str:
        """finished, running, interrupted, failed, unreadable or unknown. Whether a run still runs is read from its lock: a
        process that was killed could not say that it ended."""
        if self.problem:
            return "unreadable"
        status = self.summary.status or "unknown"
        if status == "running":
            return {True: "running", False: "interrupted", None: "unknown"}[is_running(self.folder)]
        return status

    @property
    def advice(self) -> str:
        """How to go on with a run that has stopped half-way; empty for all others."""
        goes_on = self.status == "interrupted" and (self.folder / "settings.yaml").is_file()
        return "go on with --resume" if goes_on else ""

    @property
    def baseline(self) -> str:
        """The baseline to compare with: copying the reference frame, or the first one there is, or none."""
        names = list(self.summary.baseline)
        return BASELINE if BASELINE in names else next(iter(names), "")


@dataclass(frozen=True)
class Clip:
    """One test clip: the player's file relative to the run folder, the row of the summary, or both; and the picture that
    was drawn of it, where there is one."""

    action: str
    name: str
    file: Path | None = None
    row: dict = field(default_factory=dict)
    picture: Path | None = None


@dataclass(frozen=True)
class Sample:
    """One panel drawn during training; `file` is relative to the run folder."""

    step: int
    split: str
    action: str
    name: str
    file: Path


def read_run(folder: Path) -> Run:
    """Read summary.json; never raises for what the file contains."""
    summary, problem = _read_json(folder / "summary.json")
    if not problem and not isinstance(summary, dict):
        problem = "summary.json holds no table of values"
    return Run(folder, {}, problem) if problem else Run(folder, summary)


def read_runs(results: Path) -> list[Run]:
    """All runs of results/EXPERIMENT/RUN, newest first; never raises for what a folder below `results` is or holds."""
    experiments = [folder for folder in _folders(results) if folder.name != COMPARISONS]
    runs = [run for experiment in experiments for run in read_experiment_runs(experiment)]
    return sorted(runs, key=lambda run: (run.started, run.experiment), reverse=True)


def read_experiment_runs(experiment: Path) -> list[Run]:
    """All runs in the folder of one experiment, newest first. A folder that cannot be listed stands for its runs."""
    try:
        runs = [read_run(folder) for folder in _folders(experiment) if kind_of(folder) in (None, RUN, EVALUATION)]
    except OSError as error:
        runs = [Run(experiment, {"experiment": experiment.name}, f"the folder cannot be read: {error.strerror}")]
    return sorted(runs, key=lambda run: run.started, reverse=True)


def comparisons_of(results: Path) -> list[Path]:
    """The pages results/comparisons/NAME/index.html, relative to `results`."""
    return _visible(results, f"{COMPARISONS}/*/index.html")


def clips_of(run: Run) -> list[Clip]:
    """The clips under test/ACTION and those of the summary, joined by action and name, in that order."""
    files = {}
    for suffix in reversed(CLIP_SUFFIXES):
        files |= {(file.parent.name, file.stem): file for file in _visible(run.folder, f"test/*/*{suffix}")}
    pictures = {(file.parent.name, file.stem): file for file in _visible(run.folder, "test/*/*.png")}
    rows = {(str(row.get("action", "")), str(row.get("clip", ""))): row for row in run.summary.clips if row}
    keys = sorted(files.keys() | rows.keys())
    return [Clip(*key, files.get(key), rows.get(key, {}), pictures.get(key)) for key in keys]


def samples_of(folder: Path) -> list[Sample]:
    """The panels samples/step-N/SPLIT/ACTION/CLIP.png, newest step first."""
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
    """Those files and folders of a run that a reader may want to open, relative to the run folder."""
    return [Path(name) for name in FILES if (folder / name).exists()]


def read_text(file: Path) -> str:
    """The file's text; empty if it is missing, unreadable bytes replaced."""
    try:
        return _read_bytes(file).decode("utf-8", errors="replace")
    except OSError:
        return ""


def flat_settings(folder: Path) -> dict[str, str]:
    """A run's settings by dotted key, their values as they are written. Raises ValueError where that is not YAML."""
    text = read_text(folder / "settings.yaml")
    try:
        # Every value is taken as text: nothing in it can be an impossible date. In C: the list of runs reads hundreds.
        return _flat(yaml.load(text, yaml.CBaseLoader))  # noqa: S506 - it makes texts, lists and dicts alone
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
    """The number at a path of keys in nested dicts; None if it is missing, no number, NaN, or too large for a float."""
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
    try:
        return json.loads(_read_bytes(file).decode("utf-8")), ""
    except FileNotFoundError:
        return None, f"{file.name} is missing"
    except OSError as error:
        return None, f"{file.name} cannot be read: {error.strerror}"
    except (ValueError, RecursionError) as error:
        return None, f"{file.name} is broken: {error}"


def _read_bytes(file: Path) -> bytes:
    """Of a regular file alone: a pipe would be waited for without end. Raises OSError."""
    if not stat.S_ISREG(file.stat().st_mode):
        raise OSError(errno.EINVAL, "it is not a file")
    return file.read_bytes()


def _folders(folder: Path) -> list[Path]:
    """The visible folders in a folder, and links that lead nowhere. Raises OSError."""
    with os.scandir(folder) as entries:
        return sorted(Path(entry) for entry in entries if not entry.name.startswith(".") and _may_be_folder(entry))


def _may_be_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir() or (entry.is_symlink() and not os.path.exists(entry))
    except OSError:  # a link to itself
        return True


def _visible(folder: Path, pattern: str) -> list[Path]:
    """Files relative to `folder`, without those that are still being written (their names begin with a dot). None where the
    folder cannot be read."""
    with suppress(OSError):
        files = [file.relative_to(folder) for file in folder.glob(pattern)]
        return sorted(file for file in files if not any(part.startswith(".") for part in file.parts))
    return []
