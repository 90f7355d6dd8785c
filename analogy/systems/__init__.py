"""The trainable methods, by the name a YAML file gives as `system:`."""

from analogy.systems.analogy_gan import AnalogyGan
from analogy.systems.analogy_masked import AnalogyMasked
from analogy.systems.base import System
from analogy.systems.pose_actions import PoseActionsSystem
from analogy.systems.pose_hourglass import PoseHourglass
from analogy.systems.pose_lstm import PoseLstmSystem
from analogy.systems.pose_residual import PoseResidualSystem
from analogy.systems.seq2seq import ConvLstmSystem, Seq2SeqSystem

SYSTEMS: dict[str, type[System]] = {
    "analogy_gan": AnalogyGan,
    "analogy_masked": AnalogyMasked,
    "convlstm": ConvLstmSystem,
    "pose_actions": PoseActionsSystem,
    "pose_hourglass": PoseHourglass,
    "pose_lstm": PoseLstmSystem,
    "pose_residual": PoseResidualSystem,
    "seq2seq": Seq2SeqSystem,
}

__all__ = ["SYSTEMS", "System"]
