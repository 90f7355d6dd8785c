"""Predicted frames of a test clip, beside the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from analogy.metrics.frames import FRAME_METRICS, measure_frames
from analogy.metrics.table import metric_of
from analogy.predictions.base import Predicted, picture
from analogy.visualise.canvas import absolute_difference
from analogy.visualise.panels import movie_rows


@dataclass(frozen=True)
class PredictedClip(Predicted):
    """Predicted frames, beside the truth and the baseline that costs nothing.

    truth, prediction, baseline: uint8 [T, H, W, 1|3], predicted frames only; baseline_name: for example "copy_reference".
    given: uint8 [k, H, W, 1|3], the observed frames. samples: uint8 [N, T, H, W, 1|3], where a stochastic method predicted N
    times, `prediction` among them: its figures are means over the samples, and NAME_best those of the clip's best sample.
    extra: further columns for the video, as long as `truth`; others: what further methods predicted, measured and shown.
    regions: the body's area in the reference frame ("old") and in the true frame ("new"), bool [T, H, W]; or nothing.
    """

    given: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray
    baseline: np.ndarray
    baseline_name: str
    extra: dict[str, np.ndarray] = field(default_factory=dict)
    others: dict[str, np.ndarray] = field(default_factory=dict)
    regions: dict[str, np.ndarray] = field(default_factory=dict)
    samples: np.ndarray | None = None

    def measure(self, metrics=FRAME_METRICS):
        measured = {name: self._measured(frames, metrics) for name, frames in self.videos()[1].items()}
        if self.samples is not None:
            measured["prediction"] = best_and_mean([self._measured(sample, metrics) for sample in self.samples])
        return measured

    def _measured(self, frames: np.ndarray, metrics: Mapping[str, Callable]) -> dict[str, np.ndarray]:
        return measure_frames(self.truth, frames, self.regions, metrics)

    def videos(self):
        return self.truth, {"prediction": self.prediction, self.baseline_name: self.baseline, **self.others}

    def columns(self):
        """Truth, the extras, prediction and absolute difference, after the observed frames."""
        observed = self.given
        difference = absolute_difference(self.truth, self.prediction)
        columns = [("truth", np.concatenate([observed, self.truth]))]
        for name, pictures in self.extra.items():
            coloured = np.stack([picture(one) for one in pictures])
            columns.append((name, np.concatenate([np.repeat(coloured[:1], len(observed), 0), coloured])))
        for name, frames in {"prediction": self.prediction, **self.others}.items():
            columns.append((name.replace("_", " "), np.concatenate([observed, frames])))
        columns.append(("|difference|", np.concatenate([np.zeros_like(observed), difference])))
        return columns


@dataclass(frozen=True)
class PredictedMovie(PredictedClip):
    """A predicted video. values: unrounded [T, H, W, C] in 0..1, whose squared error is what was trained. shown: write its
    video."""

    values: np.ndarray = field(default_factory=lambda: np.zeros(0))
    shown: bool = False

    def measure(self, metrics=FRAME_METRICS):
        measured = super().measure(metrics)
        size = self.truth[0].size
        for name, frames in {**self.videos()[1], "prediction": 255.0 * self.values.astype(np.float64)}.items():
            error = (frames - self.truth.astype(np.float64)) / 255.0
            mse, mae = np.square(error).mean((1, 2, 3)), np.abs(error).mean((1, 2, 3))
            unrounded = {"mse": mse, "mae": mae, "mse_sum": mse * size, "mae_sum": mae * size}
            measured[name] |= {name: value for name, value in unrounded.items() if name == "mse" or name in metrics}
        return measured

    def columns(self):
        return super().columns() if self.shown else []

    def picture(self):
        return movie_rows(self.given[-1], self.truth, self.prediction) if self.shown else None


def best_and_mean(samples: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Figures [T] of N samples of one clip -> their means, and under NAME_best those of the sample whose mean over the clip is
    best: the field's "best of N", chosen for each metric apart. Where no direction is better there is no best."""
    joined = {}
    for name in samples[0]:
        values = np.stack([sample[name] for sample in samples])  # [N, T]
        joined[name] = values.mean(0)
        better = metric_of(name).better
        if better != "neither" and np.isfinite(values).any():
            means = np.nanmean(values, 1)
            joined[f"{name}_best"] = values[np.nanargmax(means if better == "higher" else -means)]
    return joined
