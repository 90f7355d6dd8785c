"""Settings: YAML files and `--set` options, merged into one validated, frozen object."""

from analogy.settings.experiments import Experiment, find_experiment, list_experiments
from analogy.settings.loading import load_settings, settings_text, write_settings
from analogy.settings.sections import Settings

__all__ = [
    "Experiment",
    "Settings",
    "find_experiment",
    "list_experiments",
    "load_settings",
    "settings_text",
    "write_settings",
]
