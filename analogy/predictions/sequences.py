"""Predicted sequences of values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analogy.metrics.frames import FRAME_METRICS
from analogy.predictions.base import Predicted
from analogy.visualise.plots import sequence_grid


@dataclass(frozen=True)
class PredictedSequences(Predicted):
    """Some test sequences, measured together. seen: [N, k, C]; truth, prediction, and linear, the best linear map's: [N, T, C];
    values in 0..1. shown: draw the first ones."""

    seen: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray
    linear: np.ndarray
    shown: bool = False

    def picture(self):
        return sequence_grid(self.seen[..., 0], self.truth[..., 0], self.prediction[..., 0]) if self.shown else None

    def measure(self, metrics=FRAME_METRICS):
        del metrics
        methods = {
            "prediction": self.prediction,
            "linear_map": self.linear,  # the strongest first: it is the one to beat
            "last_value": np.broadcast_to(self.seen[:, -1:], self.truth.shape),
            "half": np.full_like(self.truth, 0.5),
        }
        truth = self.truth.astype(np.float64)
        return {name: {"mse": np.square(values - truth).mean(2)} for name, values in methods.items()}
