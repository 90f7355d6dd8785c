"""The experiments of the package. Each is a YAML file in the folder analogy/systems/PAPER/configs."""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from analogy.errors import UserError, about
from analogy.files.paths import expanded
from analogy.files.reading import not_there
from analogy.settings.loading import PAPERS, read_mapping


class Experiment(NamedTuple):
    """An entry of the list of experiments. summary: what it is. source: where it was published. path: its YAML file."""

    paper: str
    summary: str
    source: str
    path: Path


def list_experiments() -> dict[str, Experiment]:
    """experiment name -> its entry, paper by paper. A file without the key `experiment` is a base, not an experiment."""
    entries = ((path.stem, _read_entry(path)) for path in sorted(PAPERS.glob("*/configs/*.yaml")))
    return {name: entry for name, entry in entries if entry}


@cache
def papers() -> dict[str, str]:
    """experiment name -> the folder of its paper. No file is read, so that a list of many runs is quick."""
    return {path.stem: path.parent.parent.name for path in PAPERS.glob("*/configs/*.yaml")}


def _read_entry(path: Path) -> Experiment | None:
    content = read_mapping(path)
    if "experiment" not in content:
        return None
    return Experiment(path.parent.parent.name, *(str(content.get(key, "")) for key in ("summary", "source")), path)


def find_experiment(name: str) -> Path:
    """The YAML file of an experiment. name: its name, or the path of a YAML file. Raises UserError with the nearest names."""
    if name.endswith((".yaml", ".yml")):
        with about("--exp"):
            file = expanded(name)
        if why := not_there(file):
            raise UserError(f"--exp {name}: {why}; name the YAML file of an experiment, or one of --list")
        return file
    for path in PAPERS.glob("*/configs/*.yaml"):
        if path.stem == name and _read_entry(path):
            return path
    near = difflib.get_close_matches(name, list_experiments(), n=3, cutoff=0.4)
    mean = f"did you mean {', '.join(near)}?" if near else "see --list for all of them"
    raise UserError(f"--exp {name}: there is no experiment of that name; {mean}")
