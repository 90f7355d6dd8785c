"""Averages per-frame metrics over a test set, and separately at each future step. Frames themselves are not kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy.stats import t as student_t

SUMS = 6  # that are kept of each distance


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
        # method -> metric -> [distance, SUMS]. With s the sum and n the number of a clip's values at a distance:
        # sums over the clips of s, n, 1 (where n > 0), and for confidence bands of s^2, s n, n^2.
        self._sums: dict = defaultdict(lambda: defaultdict(lambda: np.zeros((0, SUMS))))
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
                total, count = np.where(defined, values, 0.0).sum(0), defined.sum(0)
                new = np.stack([total, count, count > 0, total**2, total * count, count**2], -1)
                self._sums[method][name] = _added(self._sums[method][name], distance, new)
                if defined.any():
                    row[method][name] = float(values[defined].mean())
                    self._clips[method][name].append(row[method][name])
        return row

    def mean(self, method: str) -> dict[str, float]:
        """metric -> its mean over the test set."""
        if self.pooled:
            totals = {name: sums[:, :2].sum(0) for name, sums in self._sums[method].items()}
            return {name: float(total / count) for name, (total, count) in totals.items() if count}
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
        methods, bands = (
            {
                method: {name: [figure(row) for row in _rows(sums, distance)] for name, sums in metrics.items() if sums.any()}
                for method, metrics in self._sums.items()
            }
            for figure in (_mean, _half_band)
        )
        return {"distance": distance, "frames": [self._frames[d] for d in distance], "methods": methods, "bands": bands}


def _added(sums: np.ndarray, distance: np.ndarray, new: np.ndarray) -> np.ndarray:
    """`sums` [distance, SUMS] with the sums of a clip, `new` [T, SUMS], added at its distances [T]."""
    missing = int(distance.max(initial=-1)) + 1 - len(sums)
    if missing > 0:
        sums = np.concatenate([sums, np.zeros((missing, SUMS))])
    np.add.at(sums, distance, new)
    return sums


def _rows(sums: np.ndarray, distance: Sequence[int]) -> Iterator[np.ndarray]:
    """The sums [SUMS] at each distance; zeros where there is no value."""
    return (sums[d] if d < len(sums) else np.zeros(SUMS) for d in distance)


def _mean(sums: np.ndarray) -> float | None:
    """The mean at a distance; None where there is no value. sums: a row of `_sums`."""
    return float(sums[0] / sums[1]) if sums[1] else None


def _half_band(sums: np.ndarray) -> float | None:
    """Half the width of the 95 % confidence interval of a mean over values that come in clips.

    It is Student's quantile times the standard error of the ratio estimator (sum of values / number of values).

    sums: a row of `_sums`.

    Returns:
        None for fewer than two clips.
    """
    total, values, clips, squares, products, counts = sums
    if clips < 2:
        return None
    mean = total / values
    residual = max(squares - 2.0 * mean * products + mean**2 * counts, 0.0)
    error = np.sqrt(residual * clips / (clips - 1)) / values
    return float(student_t.ppf(0.975, clips - 1) * error)
