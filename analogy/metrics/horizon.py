"""Averages per-frame metrics over a test set, and separately at each future step. Frames themselves are not kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from scipy.stats import t as student_t


class HorizonMetrics:
    """Collects the per-frame values of several methods on the same clips, and averages them.

    Undefined values (NaN) are left out of all means. A metric that is undefined on a whole clip is missing from its row.

    Args:
        pooled: whether the mean over the test set is taken over all values at once, so that every window counts the same.
            Otherwise each clip is averaged first, and then the clips.
    """

    def __init__(self, *, pooled: bool = False):
        self.pooled = pooled
        self._frames: dict[int, int] = defaultdict(int)
        # method -> metric -> distance -> [sum of the values, number of values]
        self._sums: dict = defaultdict(lambda: defaultdict(lambda: defaultdict(lambda: np.zeros(2))))
        # For confidence bands. With s the sum and n the number of a clip's values at a distance:
        # method -> metric -> distance -> [number of clips, sum of s^2, sum of s n, sum of n^2] over the clips
        self._spread: dict = defaultdict(lambda: defaultdict(lambda: defaultdict(lambda: np.zeros(4))))
        # method -> metric -> [mean of each clip]
        self._clips: dict = defaultdict(lambda: defaultdict(list))

    def add(self, distance: np.ndarray, methods: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, dict[str, float]]:
        """Add one clip.

        Args:
            distance: [T], of each predicted frame, how many frames it lies after the last observed frame.
            methods: method -> metric -> values [T] or [windows, T].

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
                for d, column, usable in zip(distance, values.T, defined.T, strict=True):
                    if usable.any():
                        total, count = column[usable].sum(), usable.sum()
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
        """The means at each distance into the future, with confidence bands.

        Returns:
            distance: the distances, in frames, in ascending order.
            frames: the number of values at each distance.
            methods: method -> metric -> [mean at each distance], None where there is no value.
            bands: method -> metric -> [half the width of the mean's 95 % confidence interval], None for fewer than two clips.

        The bands follow from the spread between clips, not between frames or windows, because frames of one clip resemble each
        other. They use Student's t, because there are few clips.
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
    """Half the width of the 95 % confidence interval of a mean over values that come in clips.

    It is Student's quantile times the standard error of the ratio estimator (sum of values / number of values).

    Args:
        sums, spread: an entry of `_sums` and of `_spread`.

    Returns:
        None for fewer than two clips.
    """
    if sums is None or spread is None or spread[0] < 2:
        return None
    clips, squares, products, counts = spread
    mean = sums[0] / sums[1]
    residual = max(squares - 2.0 * mean * products + mean**2 * counts, 0.0)
    error = np.sqrt(residual * clips / (clips - 1)) / sums[1]
    return float(student_t.ppf(0.975, clips - 1) * error)
