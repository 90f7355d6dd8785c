"""What a paper reports, beside a run's own figures, for its page. The functions read `published` in summary.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analogy.metrics.table import metric_of
from analogy.runs.reading import number
from analogy.visualise.wording import Comparison, compare, whole


@dataclass(frozen=True)
class PublishedRow:
    """form: what the published values are, in words. score: ours, with the published figure as its baseline; None for a curve.
    differs: why it does not stand beside this run; empty where it does."""

    label: str
    form: str
    protocol: str
    score: Comparison | None
    differs: str


def published_rows(summary: Mapping) -> list[PublishedRow]:
    """The entries that can be read, those that stand beside this run first."""
    rows = [_row(summary, entry) for entry in _entries(summary)]
    return sorted((row for row in rows if row), key=lambda row: bool(row.differs))


def published_curves(summary: Mapping) -> dict[str, dict[int, float]]:
    """Name of a logged value, such as network/loss -> {step: published value}, of those that stand beside this run."""
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
    """Empty where they are not all numbers."""
    numbers = isinstance(values, list) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    return values if numbers else []


def _pairs(values: Any) -> list[tuple[int, float]]:
    """Empty where they are not all (step, value)."""
    pairs = isinstance(values, list) and all(isinstance(pair, list) and len(_numbers(pair)) == 2 for pair in values)
    return [(step, value) for step, value in values] if pairs else []
