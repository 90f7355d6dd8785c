"""Means of per-frame metrics: over clips, and against the time distance. Streamed: no frame is kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from analogy.metrics.detail import checkerboard_ratio, sharpness_ratio
from analogy.metrics.image import psnr, ssim
from analogy.metrics.regions import background, ghosting, pose_following

METRICS = {"psnr": psnr, "ssim": ssim, "sharpness_ratio": sharpness_ratio, "checkerboard_ratio": checkerboard_ratio}
REGION_METRICS = {"ghosting": ghosting, "pose_following": pose_following, "background": background}


class HorizonMetrics:
    """Collects per-frame values of several methods on the same clips. Frames where a metric is undefined (NaN) are left
    out of its means; a metric that is undefined on a whole clip is missing there."""

    def __init__(self):
        self.clips: list[dict] = []
        self._values: dict = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))  # method, metric, distance
        self._frames: dict[int, int] = defaultdict(int)

    def add(
        self,
        clip: str,
        action: str,
        truth: np.ndarray,
        distance: np.ndarray,
        regions: Mapping[str, np.ndarray] | None = None,
        **methods: np.ndarray,
    ) -> dict:
        """Measure one clip.

        Args:
            truth: uint8 [T, H, W, C]. distance: [T] frames since the reference.
            regions: bool [T, H, W] by name: "old" and "new", the body's area in the reference frame and in the true
                frame. Without them the metrics of regions are missing.
            methods: name -> uint8 [T, H, W, C].

        Returns:
            {"clip", "action", "frames", method: {metric: mean over the clip's frames}}.
        """
        row: dict = {"clip": clip, "action": action, "frames": len(truth)}
        for d in distance:
            self._frames[int(d)] += 1
        for method, prediction in methods.items():
            row[method] = {}
            for name, values in _measure(truth, prediction, regions or {}).items():
                defined = np.isfinite(values)
                if defined.any():
                    row[method][name] = float(values[defined].mean())
                for d, value in zip(distance[defined], values[defined], strict=True):
                    self._values[method][name][int(d)].append(float(value))
        self.clips.append(row)
        return row

    def mean(self, method: str) -> dict[str, float]:
        """metric -> mean over frames, then over the clips that have it."""
        rows = [row[method] for row in self.clips]
        names = [name for name in (*METRICS, *REGION_METRICS) if any(name in row for row in rows)]
        return {name: float(np.mean([row[name] for row in rows if name in row])) for name in names}

    def curves(self) -> dict:
        """{"distance": [..], "frames": [..], "methods": {method: {metric: [mean at each distance]}}}; None is a gap."""
        distance = sorted(self._frames)
        methods = {
            method: {
                name: [float(np.mean(values[d])) if d in values else None for d in distance] for name, values in metrics.items()
            }
            for method, metrics in self._values.items()
        }
        return {"distance": distance, "frames": [self._frames[d] for d in distance], "methods": methods}


def _measure(truth: np.ndarray, prediction: np.ndarray, regions: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """metric -> [T], NaN where it is undefined."""
    values = {name: metric(truth, prediction) for name, metric in METRICS.items()}
    if regions:
        areas = regions["old"], regions["new"]
        values |= {name: metric(truth, prediction, *areas) for name, metric in REGION_METRICS.items()}
    return values
