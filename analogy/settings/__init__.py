"""Settings: a YAML file, refined by another and by `--set`, becomes one validated, frozen object."""

from analogy.settings.analogy_gan import AnalogyGanSettings
from analogy.settings.analogy_masked import AnalogyMaskedSettings
from analogy.settings.loading import list_experiments, load_settings, write_settings
from analogy.settings.pose import PoseActionsSettings, PoseLstmSettings, PoseResidualSettings
from analogy.settings.pose_hourglass import PoseHourglassSettings
from analogy.settings.sections import Settings
from analogy.settings.seq2seq import ConvLstmSettings, LstmSettings

# Which settings each `system:` takes. A new system adds its line here and in `analogy.systems.SYSTEMS`.
SETTINGS: dict[str, type[Settings]] = {
    "analogy_gan": AnalogyGanSettings,
    "analogy_masked": AnalogyMaskedSettings,
    "convlstm": ConvLstmSettings,
    "pose_actions": PoseActionsSettings,
    "pose_hourglass": PoseHourglassSettings,
    "pose_lstm": PoseLstmSettings,
    "pose_residual": PoseResidualSettings,
    "seq2seq": LstmSettings,
}

__all__ = [
    "SETTINGS",
    "AnalogyGanSettings",
    "AnalogyMaskedSettings",
    "ConvLstmSettings",
    "LstmSettings",
    "PoseActionsSettings",
    "PoseHourglassSettings",
    "PoseLstmSettings",
    "PoseResidualSettings",
    "Settings",
    "list_experiments",
    "load_settings",
    "write_settings",
]
