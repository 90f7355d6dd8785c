"""The functions that compute the metrics of predicted frames, by name. `analogy.metrics.table` describes each metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from analogy.metrics import detail, image, regions
from analogy.metrics.table import Kind, names_of

TOGETHER = 32  # frames that are measured at once: in float64 they take eight times their memory


def _functions(kind: Kind) -> dict[str, Callable]:
    """metric -> the function of that name, for all metrics of this kind."""
    modules = (image, detail, regions)
    return {name: next(getattr(module, name) for module in modules if hasattr(module, name)) for name in names_of(kind)}


FRAME_METRICS = _functions("frames")  # functions of (truth, prediction)
ERROR_METRICS = _functions("errors")  # the same, on request
REGION_METRICS = _functions("regions")  # functions of (truth, prediction, old region, new region)


def measure_frames(
    truth: np.ndarray,
    prediction: np.ndarray,
    regions: Mapping[str, np.ndarray],
    metrics: Mapping[str, Callable] = FRAME_METRICS,
) -> dict[str, np.ndarray]:
    """Measure every predicted frame.

    Args:
        truth, prediction: uint8 [T, H, W, C].
        regions: "old" -> the body's area in the reference frame, "new" -> the body's area in the true frame, bool [T, H, W]
            each. Where it is empty, the metrics of regions are left out.
        metrics: name -> function of (truth, prediction) that returns [T].

    Returns:
        metric -> [T], NaN where the metric is undefined.
    """
    parts = []
    for first in range(0, len(truth), TOGETHER):
        together = slice(first, first + TOGETHER)
        frames = truth[together], prediction[together]
        values = {name: metric(*frames) for name, metric in metrics.items()}
        if regions:
            areas = regions["old"][together], regions["new"][together]
            values |= {name: metric(*frames, *areas) for name, metric in REGION_METRICS.items()}
        parts.append(values)
    return {name: np.concatenate([values[name] for values in parts]) for name in parts[0]} if parts else {}
