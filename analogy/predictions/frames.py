"""Predicted frames of a test clip, beside the truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from analogy.metrics.centre import centre_error
from analogy.metrics.frames import FRAME_METRICS, measure_frames
from analogy.metrics.table import metric_of
from analogy.predictions.base import Figures, Metrics, Predicted
from analogy.visualise.canvas import absolute_difference
from analogy.visualise.panels import coloured, movie_rows


@dataclass(frozen=True, kw_only=True)
class PredictedFrames(Predicted):
    """Predicted frames, with the true frames and a trivial baseline to compare with.

    observed_frames: uint8 [k, H, W, 1|3].
    truth, prediction, baseline: uint8 [T, H, W, 1|3], the future frames alone.
    baseline_name: for example "copy_reference".
    samples: uint8 [N, T, H, W, 1|3], the N predictions of a stochastic method, `prediction` among them. Its figures are then
        means over the samples, and NAME_best are those of the best sample.
    other_methods: name -> uint8 [T, H, W, 1|3], predictions of further methods, which are measured and shown too.
    extra_columns: title -> uint8 [T, H, W, 1|3] or heatmaps [T, H, W, 13], further columns of the video.
    regions: "old" -> the body's area in the reference frame, "new" -> the body's area in the true frame, bool [T, H, W] each.
        Empty where the pose is unknown.
    centres: [T, 2], x then y in pixels: the true centre of the only object in each future frame; [0, 2] where it is unknown.
    further_metrics: name -> function of the true and the predicted frames that gives [T]; measured beside the usual ones.
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
    centres: np.ndarray = field(default_factory=lambda: np.zeros([0, 2]))
    further_metrics: Metrics = field(default_factory=dict)

    def measure(self, metrics=FRAME_METRICS):
        measured = {name: self._measure_frames(frames, metrics) for name, frames in self.videos()[1].items()}
        if self.samples is not None:
            measured["prediction"] = mean_and_best([self._measure_frames(sample, metrics) for sample in self.samples])
        return measured

    def _measure_frames(self, frames: np.ndarray, metrics: Metrics) -> Figures:
        figures = measure_frames(self.truth, frames, self.regions, {**metrics, **self.further_metrics})
        return figures | ({"centre_error": centre_error(self.centres, frames)} if len(self.centres) else {})

    def videos(self):
        return self.truth, {"prediction": self.prediction, self.baseline_name: self.baseline, **self.other_methods}

    def columns(self):
        """The truth, the extra columns, every method but the baseline, and the absolute difference to the truth.

        Every column begins with the k observed frames; the extra columns repeat their first frame there.
        """
        observed = self.observed_frames
        columns = [("truth", np.concatenate([observed, self.truth]))]
        for title, frames in self._extra_pictures.items():
            columns.append((title, np.concatenate([np.repeat(frames[:1], len(observed), 0), frames])))
        for name, frames in {"prediction": self.prediction, **self.other_methods}.items():
            columns.append((name.replace("_", " "), np.concatenate([observed, frames])))
        difference = absolute_difference(self.truth, self.prediction)
        columns.append(("|difference|", np.concatenate([np.zeros_like(observed), difference])))
        return columns

    @cached_property  # a clip's film and its still picture both show them
    def _extra_pictures(self) -> dict[str, np.ndarray]:
        """The extra columns as pictures: title -> uint8 [T, H, W, 1|3]."""
        return {title: np.stack([coloured(image) for image in images]) for title, images in self.extra_columns.items()}


@dataclass(frozen=True, kw_only=True)
class UnroundedFrames(PredictedFrames):
    """Predicted frames whose errors are measured before rounding to uint8.

    For networks that are trained on the squared error, so that the figures can be compared with the loss.

    unrounded: float [T, H, W, C] in 0..1; rounded to uint8 it is `prediction`.
    """

    unrounded: np.ndarray

    def measure(self, metrics=FRAME_METRICS):
        """As `PredictedFrames.measure`. The mean squared error is always among the figures, other errors only on request."""
        measured = super().measure(metrics)
        size = self.truth[0].size
        for name, frames in {**self.videos()[1], "prediction": 255.0 * self.unrounded.astype(np.float64)}.items():
            error = (frames - self.truth.astype(np.float64)) / 255.0
            mse, mae = np.square(error).mean((1, 2, 3)), np.abs(error).mean((1, 2, 3))
            errors = {"mse": mse, "mae": mae, "mse_sum": mse * size, "mae_sum": mae * size}
            measured[name] |= {name: value for name, value in errors.items() if name == "mse" or name in metrics}
        return measured

    def picture(self):
        """The last observed frames, then rows of true frames, predicted frames, their differences, and the extra columns."""
        return movie_rows(self.observed_frames, self.truth, self.prediction, self._extra_pictures)


def mean_and_best(samples: list[Figures]) -> Figures:
    """Combine the figures [T] of N samples of one clip.

    Returns:
        NAME -> mean over the samples, and NAME_best -> the figures of the sample whose mean over the clip is best. The best
        sample is selected for each metric alone ("best of N"). A metric without a better direction has no NAME_best.
    """
    joined = {}
    for name in samples[0]:
        values = np.stack([sample[name] for sample in samples])  # [N, T]
        joined[name] = values.mean(0)
        better = metric_of(name).better
        if better != "neither" and np.isfinite(values).any():
            means = np.nanmean(values, 1)
            joined[f"{name}_best"] = values[np.nanargmax(means if better == "higher" else -means)]
    return joined
