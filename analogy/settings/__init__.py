"""Settings: a YAML file, refined by another and by `--set`, becomes one validated, frozen object."""

from analogy.settings.analogy_gan import AnalogyGanSettings
from analogy.settings.loading import list_experiments, load_settings, write_settings
from analogy.settings.sections import Settings

# Which settings each `system:` takes. A new system adds its line here and in `analogy.systems.SYSTEMS`.
SETTINGS: dict[str, type[Settings]] = {"analogy_gan": AnalogyGanSettings}

__all__ = ["SETTINGS", "AnalogyGanSettings", "Settings", "list_experiments", "load_settings", "write_settings"]
