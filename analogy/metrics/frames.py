"""The metrics of predicted frames, as functions by name; `analogy.metrics.table` says what each one is."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from analogy.metrics import detail, image, regions
from analogy.metrics.table import Kind, names_of


def _functions(kind: Kind) -> dict[str, Callable]:
    """The functions of this kind, each called as its metric."""
    modules = (image, detail, regions)
    return {name: next(getattr(module, name) for module in modules if hasattr(module, name)) for name in names_of(kind)}


FRAME_METRICS = _functions("frames")  # of (truth, prediction)
ERROR_METRICS = _functions("errors")  # the same, on request
REGION_METRICS = _functions("regions")  # of (truth, prediction, old region, new region)


def measure_frames(
    truth: np.ndarray,
    prediction: np.ndarray,
    regions: Mapping[str, np.ndarray],
    metrics: Mapping[str, Callable] = FRAME_METRICS,
) -> dict[str, np.ndarray]:
    """metric -> [T], NaN where it is undefined.

    Args:
        truth, prediction: uint8 [T, H, W, C].
        regions: bool [T, H, W] by name: "old" and "new", the body's area in the reference frame and in the true frame.
            Without them the metrics of regions are missing.
        metrics: name -> function of (truth, prediction) that gives [T].
    """
    values = {name: metric(truth, prediction) for name, metric in metrics.items()}
    if regions:
        areas = regions["old"], regions["new"]
        values |= {name: metric(truth, prediction, *areas) for name, metric in REGION_METRICS.items()}
    return values
