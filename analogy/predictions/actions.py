"""The action that a test clip was taken for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analogy.metrics.frames import FRAME_METRICS
from analogy.predictions.base import Predicted


@dataclass(frozen=True)
class PredictedActions(Predicted):
    """What a clip was taken for. probabilities: [A]. label, commonest: the true action, and the commonest training action.
    length: frames of the clip."""

    probabilities: np.ndarray
    label: int
    commonest: int
    length: int = 0

    def measure(self, metrics=FRAME_METRICS):
        del metrics
        named = {"prediction": int(self.probabilities.argmax()), "commonest_action": self.commonest}
        return {name: {"accuracy": np.array([float(action == self.label)])} for name, action in named.items()}
