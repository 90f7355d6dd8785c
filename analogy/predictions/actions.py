"""The predicted action of a test clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analogy.metrics.frames import FRAME_METRICS
from analogy.predictions.base import Predicted


@dataclass(frozen=True, kw_only=True)
class PredictedActions(Predicted):
    """The action that a classifier predicts for a clip. There is one figure for the whole clip, so `distance` has length 1.

    probabilities: [A], of each action, in 0..1.
    label: index of the true action.
    commonest: index of the commonest action in training; always predicting it is the baseline.
    clip_length: number of frames of the clip.
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
