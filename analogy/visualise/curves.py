"""Curves as data for the page, where they can be zoomed: losses against steps, metrics against time distance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from numbers import Real
from pathlib import Path
from typing import Any

from analogy.runs.reading import read_table, read_text
from analogy.runs.summary import read_rows
from analogy.visualise.plots import Curve, group_curves, metric_label, spans_decades

MOST_POINTS = 1000  # of a line; longer ones are averaged in groups

# {"title", "x", "log": a logarithmic axis, "lines": [{"name", "points": [[x, y or None, half of the band or None]]}]}
Chart = dict[str, Any]


def curves_of(run: Path, published: Mapping[str, Curve] | None = None) -> list[Chart]:
    """Every curve of a run folder, from metrics.jsonl and test/horizon.json as far as they can be read, and the published
    training curves (see `published_curves`)."""
    return [
        *_losses(read_rows(read_text(run / "metrics.jsonl")), published or {}),
        *_horizon(read_table(run / "test" / "horizon.json")),
    ]


def _losses(rows: Iterable[Mapping], published: Mapping[str, Curve]) -> Iterable[Chart]:
    for group, curves in group_curves(rows, published).items():
        lines = [{"name": name, "points": _thinned(sorted(points.items()))} for name, points in curves.items()]
        yield _chart(group.replace("_", " "), "step", lines)


def _chart(title: str, x: str, lines: list[dict]) -> Chart:
    log = spans_decades(y for line in lines for _, y, _ in line["points"] if y is not None)
    return {"title": title, "x": x, "log": log, "lines": lines}


def _thinned(points: list[tuple[int, float]]) -> list[list]:
    size = -(-len(points) // MOST_POINTS)
    groups = [points[i : i + size] for i in range(0, len(points), size)]
    return [[group[len(group) // 2][0], sum(y for _, y in group) / len(group), None] for group in groups]


def _horizon(horizon: Mapping) -> Iterable[Chart]:
    distance, methods, bands = (horizon.get(key) for key in ("distance", "methods", "bands"))
    if not isinstance(distance, list) or len(distance) < 2 or not isinstance(methods, dict):
        return
    measured = {name: of for name, of in methods.items() if isinstance(of, dict)}
    for metric in dict.fromkeys(name for of in measured.values() for name in of):
        lines = []
        for method, of in measured.items():
            spread = bands.get(method, {}).get(metric) if isinstance(bands, dict) else None
            if points := _points(distance, of.get(metric), spread):
                lines.append({"name": method.replace("_", " "), "points": points})
        if lines:
            yield _chart(metric_label(metric), "steps ahead", lines)


def _points(distance: list, curve: Any, spread: Any) -> list[list]:
    """[x, y, half of the band]; none where the lists do not fit together."""
    if not isinstance(curve, list) or len(curve) != len(distance):
        return []
    fits = isinstance(spread, list) and len(spread) == len(distance)
    bands = [_number(half) for half in (spread if fits else [None] * len(distance))]
    return [[x, _number(y), band] for x, y, band in zip(distance, curve, bands, strict=True) if _number(x) is not None]


def _number(value: Any) -> float | None:
    usable = isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)
    return value if usable else None
