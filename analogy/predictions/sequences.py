"""Predicted sequences of numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analogy.metrics.frames import FRAME_METRICS
from analogy.predictions.base import Predicted
from analogy.visualise.plots import sequence_grid


@dataclass(frozen=True, kw_only=True)
class PredictedSequences(Predicted):
    """A group of N test sequences that are measured together; values in 0..1.

    observed: [N, k, C].
    truth, prediction: [N, T, C].
    linear_map: [N, T, C], the prediction of a baseline: the best linear map of the observed values.
    """

    observed: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray
    linear_map: np.ndarray

    def picture(self):
        return sequence_grid(self.observed[..., 0], self.truth[..., 0], self.prediction[..., 0])

    def measure(self, metrics=FRAME_METRICS):
        methods = {
            "prediction": self.prediction,
            "linear_map": self.linear_map,  # the strongest baseline first: it is the one to beat
            "last_value": np.broadcast_to(self.observed[:, -1:], self.truth.shape),
            "half": np.full_like(self.truth, 0.5),
        }
        truth = self.truth.astype(np.float64)
        return {name: {"mse": np.square(values - truth).mean(2)} for name, values in methods.items()}
