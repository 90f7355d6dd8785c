"""The action that a test clip was taken for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analogy.metrics.frames import FRAME_METRICS
from analogy.predictions.base import Predicted


@dataclass(frozen=True, kw_only=True)
class PredictedActions(Predicted):
    """What a clip was taken for. There is one figure for the clip, so `distance` is [1].

    probabilities: [A]. label: the true action. commonest: the commonest action in training. clip_length: frames of the clip.
    """

    probabilities: np.ndarray
    label: int
    commonest: int
    clip_length: int

    @property
    def length(self) -> int:
        return self.clip_length

    def measure(self, metrics=FRAME_METRICS):
        named = {"prediction": int(self.probabilities.argmax()), "commonest_action": self.commonest}
        return {name: {"accuracy": np.array([float(action == self.label)])} for name, action in named.items()}
