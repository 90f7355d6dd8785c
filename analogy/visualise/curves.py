"""The data of the page's interactive charts: losses against training steps, and metrics against steps into the future."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from numbers import Real
from pathlib import Path
from typing import Any

from analogy.runs.reading import flat_settings, read_table, read_text
from analogy.runs.summary import read_rows
from analogy.visualise.plots import Curve, group_curves, metric_label, spans_decades

# Of a discriminator with a ReLU on its logit: the loss of what is generated, where the logit is zero (docs/keypoints.md).
DEAD_LOGIT, DEAD_LOSS = "log 2: no gradient", math.log(2.0)
MOST_POINTS = 1000  # of a line; in longer lines, neighbouring points are averaged

# {"title", "x": label of the x axis, "log": whether the y axis is logarithmic,
#  "lines": [{"name", "points": [[x, y or None, half the width of the confidence band or None], ...], "dashed": optional}, ...]}
Chart = dict[str, Any]


def curves_of(run: Path, published: Mapping[str, Curve] | None = None) -> list[Chart]:
    """The charts of a run, from metrics.jsonl and test/horizon.json. What cannot be read is left out.

    published: training curves of papers, which are added to the charts of the same losses; see `published_curves`.
    """
    return [
        *_losses(read_rows(read_text(run / "metrics.jsonl")), published or {}, _bounds(run)),
        *_horizon(read_table(run / "test" / "horizon.json")),
    ]


def _losses(rows: Iterable[Mapping], published: Mapping[str, Curve], bounds: Mapping[str, dict]) -> Iterable[Chart]:
    """bounds: group -> {name: the height of a level line across its chart}."""
    for group, curves in group_curves(rows, published).items():
        lines = [{"name": name, "points": _thinned(sorted(points.items()))} for name, points in curves.items()]
        steps = [step for points in curves.values() for step in points]
        for name, height in bounds.get(group, {}).items():
            ends = [[step, height, None] for step in sorted({min(steps), max(steps)})]
            lines.append({"name": name, "points": ends, "dashed": True})
        yield _chart(group.replace("_", " "), "step", lines)


def _bounds(run: Path) -> dict[str, dict[str, float]]:
    """See `_losses`."""
    try:
        relu = flat_settings(run).get("network.fc_activation") == "relu"
    except ValueError:  # damaged settings
        return {}
    return {"discriminator": {DEAD_LOGIT: DEAD_LOSS}} if relu else {}


def _chart(title: str, x: str, lines: list[dict]) -> Chart:
    log = spans_decades(y for line in lines for _, y, _ in line["points"] if y is not None)
    return {"title": title, "x": x, "log": log, "lines": lines}


def _thinned(points: list[tuple[int, float]]) -> list[list]:
    """At most MOST_POINTS points, each the mean of a group of neighbours."""
    size = -(-len(points) // MOST_POINTS)
    groups = [points[i : i + size] for i in range(0, len(points), size)]
    return [[group[len(group) // 2][0], sum(y for _, y in group) / len(group), None] for group in groups]


def _horizon(horizon: Mapping) -> Iterable[Chart]:
    distance, methods, bands = (horizon.get(key) for key in ("distance", "methods", "bands"))
    if not isinstance(distance, list) or len(distance) < 2 or not isinstance(methods, dict):
        return
    measured = {name: metrics for name, metrics in methods.items() if isinstance(metrics, dict)}
    for metric in dict.fromkeys(name for metrics in measured.values() for name in metrics):
        lines = []
        for method, metrics in measured.items():
            spread = bands.get(method, {}).get(metric) if isinstance(bands, dict) else None
            if points := _points(distance, metrics.get(metric), spread):
                lines.append({"name": method.replace("_", " "), "points": points})
        if lines:
            yield _chart(metric_label(metric), "steps ahead", lines)


def _points(distance: list, curve: Any, spread: Any) -> list[list]:
    """[x, y, half the width of the band] for each point; empty where the curve is not as long as `distance`."""
    if not isinstance(curve, list) or len(curve) != len(distance):
        return []
    fits = isinstance(spread, list) and len(spread) == len(distance)
    bands = [_number(value) for value in (spread if fits else [None] * len(distance))]
    return [[x, _number(y), band] for x, y, band in zip(distance, curve, bands, strict=True) if _number(x) is not None]


def _number(value: Any) -> float | None:
    """The value if it is a finite number, otherwise None."""
    usable = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    return value if usable else None
