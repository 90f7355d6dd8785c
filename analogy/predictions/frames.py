"""Predicted frames of a test clip, beside the truth."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from analogy.metrics.frames import FRAME_METRICS, measure_frames
from analogy.metrics.table import metric_of
from analogy.predictions.base import Figures, Metrics, Predicted
from analogy.visualise.canvas import absolute_difference
from analogy.visualise.panels import coloured, movie_rows


@dataclass(frozen=True, kw_only=True)
class PredictedFrames(Predicted):
    """Predicted frames, beside the truth and the baseline that costs nothing.

    observed_frames: uint8 [k, H, W, 1|3]. truth, prediction, baseline: uint8 [T, H, W, 1|3], the future frames alone.
    baseline_name: for example "copy_reference". samples: uint8 [N, T, H, W, 1|3], where a stochastic method predicted N times,
    `prediction` among them: its figures are means over the samples, and NAME_best those of the clip's best sample.
    other_methods: name -> uint8 [T, H, W, 1|3], what further methods predicted, measured and shown.
    extra_columns: title -> [T, H, W, 1|3] uint8 or [T, H, W, 13] heatmaps, further columns of the video.
    regions: bool [T, H, W], the body's area in the reference frame ("old") and in the true frame ("new"); or nothing.
    """

    observed_frames: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray
    baseline: np.ndarray
    baseline_name: str
    samples: np.ndarray | None = None
    other_methods: dict[str, np.ndarray] = field(default_factory=dict)
    extra_columns: dict[str, np.ndarray] = field(default_factory=dict)
    regions: dict[str, np.ndarray] = field(default_factory=dict)

    def measure(self, metrics=FRAME_METRICS):
        measured = {name: self._measure_frames(frames, metrics) for name, frames in self.videos()[1].items()}
        if self.samples is not None:
            measured["prediction"] = mean_and_best([self._measure_frames(sample, metrics) for sample in self.samples])
        return measured

    def _measure_frames(self, frames: np.ndarray, metrics: Metrics) -> Figures:
        return measure_frames(self.truth, frames, self.regions, metrics)

    def videos(self):
        return self.truth, {"prediction": self.prediction, self.baseline_name: self.baseline, **self.other_methods}

    def columns(self):
        """Truth, the extra columns, every method but the baseline, and the absolute difference; all begin with the observed
        frames."""
        observed = self.observed_frames
        columns = [("truth", np.concatenate([observed, self.truth]))]
        for title, pictures in self.extra_columns.items():
            frames = np.stack([coloured(image) for image in pictures])
            columns.append((title, np.concatenate([np.repeat(frames[:1], len(observed), 0), frames])))
        for name, frames in {"prediction": self.prediction, **self.other_methods}.items():
            columns.append((name.replace("_", " "), np.concatenate([observed, frames])))
        difference = absolute_difference(self.truth, self.prediction)
        columns.append(("|difference|", np.concatenate([np.zeros_like(observed), difference])))
        return columns


@dataclass(frozen=True, kw_only=True)
class UnroundedFrames(PredictedFrames):
    """Frames of a network that is trained on their squared error, which is measured before rounding.

    unrounded: [T, H, W, C] in 0..1, what `prediction` is the rounding of.
    """

    unrounded: np.ndarray

    def measure(self, metrics=FRAME_METRICS):
        """The mean squared error is always measured; the other errors where they are asked for."""
        measured = super().measure(metrics)
        size = self.truth[0].size
        for name, frames in {**self.videos()[1], "prediction": 255.0 * self.unrounded.astype(np.float64)}.items():
            error = (frames - self.truth.astype(np.float64)) / 255.0
            mse, mae = np.square(error).mean((1, 2, 3)), np.abs(error).mean((1, 2, 3))
            errors = {"mse": mse, "mae": mae, "mse_sum": mse * size, "mae_sum": mae * size}
            measured[name] |= {name: value for name, value in errors.items() if name == "mse" or name in metrics}
        return measured

    def picture(self):
        """The last observed frame, and the future ones beside each other: true, predicted, different."""
        return movie_rows(self.observed_frames[-1], self.truth, self.prediction)


def mean_and_best(samples: list[Figures]) -> Figures:
    """Figures [T] of N samples of one clip -> their means, and under NAME_best those of the sample whose mean over the clip is
    best: the field's "best of N", taken for each metric apart. Where no direction is better there is no best."""
    joined = {}
    for name in samples[0]:
        values = np.stack([sample[name] for sample in samples])  # [N, T]
        joined[name] = values.mean(0)
        better = metric_of(name).better
        if better != "neither" and np.isfinite(values).any():
            means = np.nanmean(values, 1)
            joined[f"{name}_best"] = values[np.nanargmax(means if better == "higher" else -means)]
    return joined
