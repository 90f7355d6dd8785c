"""The settings of a finished run, for what calls its SavedModel."""

from __future__ import annotations

from pathlib import Path

from analogy.errors import UserError
from analogy.settings.loading import load_settings, read_experiment
from analogy.systems import SYSTEMS


def settings_of_run(run: Path):
    """The settings of the run in this folder. Raises UserError where it has none."""
    path = run / "settings.yaml"
    if not path.is_file():
        raise UserError(f"{run}: it has no settings.yaml, which names its actions and sizes; name a run folder")
    scale = read_experiment(path).get("scale")
    if scale not in ("paper", "demo"):
        raise UserError(f"{path}: scale: expected paper or demo, as runs write it; name another run")
    return load_settings(path, SYSTEMS, scale=scale)
