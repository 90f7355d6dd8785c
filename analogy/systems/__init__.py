"""SYSTEMS: every trainable system by its name, the value of `system:` in a YAML file. A new system adds one line here.

Importing this module does not import TensorFlow, so that reading and checking settings is quick.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from analogy.settings.sections import Settings
from analogy.systems.hierarchical.settings.analogy_gan import AnalogyGanSettings
from analogy.systems.hierarchical.settings.analogy_masked import AnalogyMaskedSettings
from analogy.systems.hierarchical.settings.pose import PoseActionsSettings, PoseLstmSettings, PoseResidualSettings
from analogy.systems.hierarchical.settings.pose_hourglass import PoseHourglassSettings
from analogy.systems.keypoints.settings import FlowSettings, MotionSettings, TranslatorSettings
from analogy.systems.keypoints.settings import PlusSettings as KeypointsPlusSettings
from analogy.systems.lvln.settings import LadderClassifierSettings, LadderSettings, PlusSettings
from analogy.systems.seq2seq.settings import ConvLstmSettings, LstmSettings
from analogy.systems.vgg_lstm.settings import NextFrameSettings, VaePlusSettings, VaeSettings
from analogy.systems.vgg_lstm.settings import PlusSettings as VggPlusSettings

if TYPE_CHECKING:
    from analogy.systems.base import System


class Entry(NamedTuple):
    """One system: its paper's folder, its settings class, and the module and name of its class, a subclass of `System`."""

    paper: str
    settings: type[Settings]
    module: str
    name: str

    @property
    def system(self) -> type[System]:
        """The system's class. Reading this imports TensorFlow and the paper's networks."""
        return getattr(import_module(self.module), self.name)

    def build(self, settings: Settings, used: Mapping[str, object] | None = None) -> System:
        """The system that these settings describe. used: role -> loaded SavedModel, for each role in the system's `needs`."""
        return self.system(settings, used) if self.system.needs else self.system(settings)


def _entry(paper: str, settings: type[Settings], module: str, name: str) -> Entry:
    return Entry(paper, settings, f"analogy.systems.{paper}.{module}", name)


SYSTEMS: dict[str, Entry] = {
    "analogy_gan": _entry("hierarchical", AnalogyGanSettings, "analogy_gan", "AnalogyGan"),
    "analogy_masked": _entry("hierarchical", AnalogyMaskedSettings, "analogy_masked", "AnalogyMasked"),
    "pose_actions": _entry("hierarchical", PoseActionsSettings, "pose_actions", "PoseActionsSystem"),
    "pose_hourglass": _entry("hierarchical", PoseHourglassSettings, "pose_hourglass", "PoseHourglass"),
    "pose_lstm": _entry("hierarchical", PoseLstmSettings, "pose_lstm", "PoseLstmSystem"),
    "pose_residual": _entry("hierarchical", PoseResidualSettings, "pose_residual", "PoseResidualSystem"),
    "keypoints_flow": _entry("keypoints", FlowSettings, "motion_flow", "MotionFlowSystem"),
    "keypoints_motion": _entry("keypoints", MotionSettings, "motion_vae", "MotionVaeSystem"),
    "keypoints_plus": _entry("keypoints", KeypointsPlusSettings, "plus", "PlusSystem"),
    "keypoints_translator": _entry("keypoints", TranslatorSettings, "translator", "TranslatorSystem"),
    "lvln": _entry("lvln", LadderSettings, "ladder", "LadderSystem"),
    "lvln_plus": _entry("lvln", PlusSettings, "plus", "PlusSystem"),
    "lvln_classifier": _entry("lvln", LadderClassifierSettings, "classifier", "LadderClassifier"),
    "convlstm": _entry("seq2seq", ConvLstmSettings, "seq2seq", "ConvLstmSystem"),
    "seq2seq": _entry("seq2seq", LstmSettings, "seq2seq", "Seq2SeqSystem"),
    "vgg_lstm_next_frame": _entry("vgg_lstm", NextFrameSettings, "next_frame", "NextFrameSystem"),
    "vgg_lstm_plus": _entry("vgg_lstm", VggPlusSettings, "plus", "PlusSystem"),
    "vgg_lstm_vae": _entry("vgg_lstm", VaeSettings, "vae", "VaeSystem"),
    "vgg_lstm_vae_plus": _entry("vgg_lstm", VaePlusSettings, "vae_plus", "VaePlusSystem"),
}

__all__ = ["SYSTEMS", "Entry"]
