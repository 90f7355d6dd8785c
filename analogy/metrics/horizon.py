"""Means of per-frame metrics: over a test set, and against the time distance. Streamed: no frame is kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from scipy.stats import t as student_t


class HorizonMetrics:
    """Collects per-frame values of several methods on the same clips. Where a metric is undefined (NaN) it is left out of
    all means; a metric that is undefined on a whole clip is missing there.

    Args:
        pooled: the mean of a test set is over all values at once (every window counts the same), not over each clip's
            values and then over the clips.
    """

    def __init__(self, *, pooled: bool = False):
        self.pooled = pooled
        self._frames: dict[int, int] = defaultdict(int)
        # method -> metric -> distance -> [sum, count]; and over clips, of each one's sum s and count n there:
        # [clips, sums of s^2, s n and n^2]
        self._sums: dict = defaultdict(lambda: defaultdict(lambda: defaultdict(lambda: np.zeros(2))))
        self._spread: dict = defaultdict(lambda: defaultdict(lambda: defaultdict(lambda: np.zeros(4))))
        # The means of clips: method -> metric -> [mean of each clip]
        self._clips: dict = defaultdict(lambda: defaultdict(list))

    def add(self, distance: np.ndarray, methods: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, dict[str, float]]:
        """Take in one clip.

        Args:
            distance: [T] frames since the last observed one.
            methods: name -> metric -> [T] or [windows, T].

        Returns:
            method -> metric -> mean over the clip.
        """
        measured = [np.isfinite(np.atleast_2d(values)).sum(0) for values in next(iter(methods.values())).values()]  # [T] each
        for d, count in zip(distance, np.max(measured, 0) if measured else (), strict=bool(measured)):
            self._frames[int(d)] += int(count)
        row: dict = {}
        for method, metrics in methods.items():
            row[method] = {}
            for name, values in metrics.items():
                values = np.atleast_2d(values)
                defined = np.isfinite(values)
                for d, column, known in zip(distance, values.T, defined.T, strict=True):
                    if known.any():
                        total, count = column[known].sum(), known.sum()
                        self._sums[method][name][int(d)] += total, count
                        self._spread[method][name][int(d)] += 1, total**2, total * count, count**2
                if defined.any():
                    row[method][name] = float(values[defined].mean())
                    self._clips[method][name].append(row[method][name])
        return row

    def mean(self, method: str) -> dict[str, float]:
        """metric -> its mean over the test set."""
        if self.pooled:
            totals = {name: sum(sums.values()) for name, sums in self._sums[method].items() if sums}
            return {name: float(total / count) for name, (total, count) in totals.items()}
        return {name: float(np.mean(means)) for name, means in self._clips[method].items()}

    def curves(self) -> dict:
        """{"distance": [..], "frames": [..], "methods": {method: {metric: [mean at each distance]}}, "bands": {.. halves of
        their 95 % confidence intervals ..}}; None is a gap.

        By the spread over clips, not frames or windows: those of one clip resemble each other. Student's t: clips are few.
        """
        distance = sorted(self._frames)
        methods = {
            method: {
                name: [float(sums[d][0] / sums[d][1]) if d in sums else None for d in distance]
                for name, sums in metrics.items()
            }
            for method, metrics in self._sums.items()
        }
        bands = {
            method: {
                name: [_half_band(self._sums[method][name].get(d), spread.get(d)) for d in distance]
                for name, spread in metrics.items()
            }
            for method, metrics in self._spread.items()
        }
        return {"distance": distance, "frames": [self._frames[d] for d in distance], "methods": methods, "bands": bands}


def _half_band(sums: np.ndarray | None, spread: np.ndarray | None) -> float | None:
    """Half of the 95 % confidence band of a mean over values that come in clips: Student's quantile times the ratio estimator's
    standard error; None for fewer than two clips."""
    if sums is None or spread is None or spread[0] < 2:
        return None
    clips, squares, products, counts = spread
    mean = sums[0] / sums[1]
    residual = max(squares - 2.0 * mean * products + mean**2 * counts, 0.0)
    error = np.sqrt(residual * clips / (clips - 1)) / sums[1]
    return float(student_t.ppf(0.975, clips - 1) * error)
