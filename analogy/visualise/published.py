"""Published results for a run's page, compared with the run's own. They are read from `published` in summary.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analogy.metrics.table import metric_of
from analogy.runs.reading import number
from analogy.visualise.wording import Comparison, compare, whole


@dataclass(frozen=True)
class PublishedRow:
    """A published result in the page's table.

    label: of the metric.
    form: what kind of result it is, such as "over the test set".
    protocol: how the paper measured it.
    score: this run's score, compared with the published figure; None for a training curve.
    differs: why the two cannot be compared, in words; empty where they can.
    """

    label: str
    form: str
    protocol: str
    score: Comparison | None
    differs: str


def published_rows(summary: Mapping) -> list[PublishedRow]:
    """The table's rows; results that can be compared with this run come first. Entries that cannot be read are left out."""
    rows = [_row(summary, entry) for entry in _entries(summary)]
    return sorted((row for row in rows if row), key=lambda row: bool(row.differs))


def published_curves(summary: Mapping) -> dict[str, dict[int, float]]:
    """The published training curves that can be compared with this run: logged name, such as network/loss -> {step: value}."""
    curves = {}
    for entry in _entries(summary):
        points = _pairs(entry.get("curve"))
        if points and not entry.get("differs"):
            curves[str(entry.get("metric"))] = dict(points)
    return curves


def _entries(summary: Mapping) -> list[dict[str, Any]]:
    entries = summary.get("published")
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _row(summary: Mapping, entry: dict[str, Any]) -> PublishedRow | None:
    metric, differs = str(entry.get("metric")), entry.get("differs")
    figure, horizon, curve = _numbers([entry.get("figure")]), _numbers(entry.get("horizon")), _pairs(entry.get("curve"))
    score = None
    if figure or horizon:
        values = figure or horizon
        form = "over the test set" if figure else f"mean of {len(horizon)} future steps"
        score = compare(metric, number(summary, "test", metric), sum(values) / len(values))
    elif curve:
        form = f"while training, {len(curve)} values up to step {whole(curve[-1][0])}"
    else:
        return None
    reasons = "; ".join(map(str, differs)) if isinstance(differs, list) else ""
    return PublishedRow(metric_of(metric).label, form, str(entry.get("protocol", "")), score, reasons)


def _numbers(values: Any) -> list[float]:
    """The list of numbers; empty where `values` is something else."""
    numbers = isinstance(values, list) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    return values if numbers else []


def _pairs(values: Any) -> list[tuple[int, float]]:
    """The list of (step, value); empty where `values` is something else."""
    pairs = isinstance(values, list) and all(isinstance(pair, list) and len(_numbers(pair)) == 2 for pair in values)
    return [(step, value) for step, value in values] if pairs else []
