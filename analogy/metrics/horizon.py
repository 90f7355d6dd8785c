"""Means of per-frame metrics: over clips, and against the time distance. Streamed: no frame is kept."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from analogy.metrics.image import psnr, ssim

METRICS = {"psnr": psnr, "ssim": ssim}


class HorizonMetrics:
    """Collects per-frame values of several methods on the same clips."""

    def __init__(self):
        self.clips: list[dict] = []
        self._sums: dict = defaultdict(lambda: defaultdict(lambda: defaultdict(float)))  # method, metric, distance
        self._frames: dict[int, int] = defaultdict(int)

    def add(self, clip: str, action: str, truth: np.ndarray, distance: np.ndarray, **methods: np.ndarray) -> dict:
        """Measure one clip.

        Args:
            truth: uint8 [T, H, W, C]. distance: [T] frames since the reference.
            methods: name -> uint8 [T, H, W, C].

        Returns:
            {"clip", "action", "frames", method: {metric: mean over the clip's frames}}.
        """
        row: dict = {"clip": clip, "action": action, "frames": len(truth)}
        for d in distance:
            self._frames[int(d)] += 1
        for method, prediction in methods.items():
            row[method] = {}
            for name, metric in METRICS.items():
                values = metric(truth, prediction)
                row[method][name] = float(values.mean())
                for d, value in zip(distance, values, strict=True):
                    self._sums[method][name][int(d)] += float(value)
        self.clips.append(row)
        return row

    def mean(self, method: str) -> dict[str, float]:
        """metric -> mean over frames, then over clips."""
        return {name: float(np.mean([row[method][name] for row in self.clips])) for name in METRICS}

    def curves(self) -> dict:
        """{"distance": [..], "frames": [..], "methods": {method: {metric: [mean at each distance]}}}."""
        distance = sorted(self._frames)
        methods = {
            method: {name: [sums[d] / self._frames[d] for d in distance] for name, sums in metrics.items()}
            for method, metrics in self._sums.items()
        }
        return {"distance": distance, "frames": [self._frames[d] for d in distance], "methods": methods}
