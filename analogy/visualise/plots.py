"""Curves of a run: losses against steps, and a metric against the distance into the future."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import ceil, isfinite
from numbers import Real
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from analogy.files import replacing
from analogy.metrics.table import metric_of

Curve = Mapping[int, float]  # step -> value

COLOURS = ["#2563a8", "#c2512f", "#2f8560", "#7d55a6", "#a87d1f", "#4f5b66"]
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9aa3ad",
    "axes.labelcolor": "#3b4350",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e9ed",
    "xtick.color": "#5b6470",
    "ytick.color": "#5b6470",
    "legend.frameon": False,
    "legend.fontsize": 8,
}
NOT_CURVES = {"step", "seconds"}
PUBLISHED = ", published"  # what the name of a paper's curve ends with
FEW_POINTS = 10  # below this every point is marked and nothing is smoothed


def plot_losses(rows: Iterable[Mapping], path: str | Path, published: Mapping[str, Curve] | None = None) -> None:
    """Write one PNG with every number that the run logged, as a smoothed line over a faint raw one.

    Args:
        rows: rows of metrics.jsonl: "step", "seconds" and names such as "generator/l2"; the part before "/" chooses the
            small multiple. Rows may lack names. What is not a finite number is left out; of several rows with one
            step (a resumed run) the last counts.
        path: the `.png` file. Where there is nothing to draw, nothing is written.
        published: name -> the curve that a paper has, drawn dashed where the run logged that name.
    """
    groups = group_curves(rows, published)
    if not groups:
        return
    across = 2 if len(groups) == 4 else min(3, len(groups))
    down = ceil(len(groups) / across)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(max(5.0, 4.0 * across), 2.9 * down), layout="constrained")
        axes = figure.subplots(down, across, squeeze=False).ravel()
        for ax, (group, curves) in zip(axes, groups.items(), strict=False):
            _draw_group(ax, group, curves)
        for ax in axes[len(groups) :]:
            ax.remove()
        _save(figure, path)


def plot_horizon(horizon: Mapping, metric: str, path: str | Path) -> None:
    """Write one PNG: the metric against the time distance, a curve per method, all but "prediction" dashed.

    Args:
        horizon: test/horizon.json: {"distance": [n], "frames": [n], "methods": {name: {metric: [n]}}}; null is a gap. Where it
            has "bands", halves of confidence intervals in the same form, they are drawn.
        metric: the key to draw; a method without it is left out.
        path: the `.png` file.

    Raises:
        ValueError: no method has this metric, or a curve is not as long as "distance".
    """
    curves = {name: scores[metric] for name, scores in horizon["methods"].items() if metric in scores}
    distance = horizon["distance"]
    if not curves:
        raise ValueError(f"horizon: no method has {metric!r}")
    for name, curve in curves.items():
        if len(curve) != len(distance):
            raise ValueError(f"horizon: {name} has {len(curve)} values of {metric!r} for {len(distance)} distances")
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.0, 3.6), layout="constrained")
        ax = figure.subplots()
        for colour, (name, curve) in zip(_colours(), curves.items(), strict=False):
            line = "-" if name == "prediction" else "--"
            values = np.array(curve, dtype=float)
            ax.plot(distance, values, line, color=colour, marker="o", markersize=3, label=name.replace("_", " "))
            if spread := horizon.get("bands", {}).get(name, {}).get(metric):
                band = np.array(spread, dtype=float)
                ax.fill_between(distance, values - band, values + band, color=colour, alpha=0.15, linewidth=0)
        ax.xaxis.get_major_locator().set_params(integer=True)
        if spans_decades(value for curve in curves.values() for value in curve if value is not None):
            ax.set_yscale("log")
        ax.set(xlabel="steps ahead", ylabel=metric_label(metric))
        ax.legend()
        bands = "; bands: 95 % of the mean over clips" if horizon.get("bands") else ""
        figure.supxlabel(_counts_caption(horizon.get("frames", [])) + bands, fontsize=8, color="#5b6470", x=0.01, ha="left")
        _save(figure, path)


def sequence_grid(seen: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3]: the first six sequences [N, k], their futures [N, T] as they came and as predicted; values in 0..1."""
    count = min(6, len(seen))
    across = min(3, count)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(2.6 * across, 1.9 * ceil(count / across)), dpi=100, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        known = np.arange(seen.shape[1])
        future = np.arange(seen.shape[1], seen.shape[1] + truth.shape[1])
        for ax, *lines in zip(
            figure.subplots(ceil(count / across), across, squeeze=False).flat, seen, truth, predicted, strict=False
        ):
            ax.plot(known, lines[0], color=COLOURS[5], label="seen")
            ax.plot(future, lines[1], color=COLOURS[0], label="truth")
            ax.plot(future, lines[2], color=COLOURS[1], linestyle="--", label="prediction")
            ax.set_ylim(-0.1, 1.35)
            ax.legend(ncols=3, fontsize=6, loc="upper center", handlelength=1.2, columnspacing=0.8)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def spans_decades(values: Iterable[float]) -> bool:
    """Positive numbers so far apart that only a logarithmic axis shows them all."""
    known = [value for value in values if isfinite(value)]
    return bool(known) and min(known) > 0 and max(known) > 300 * min(known)


def metric_label(metric: str) -> str:
    """Its name, unit and direction, for a plot."""
    known = metric_of(metric)
    hints = [hint for hint in (known.unit, "lower is better" if known.better == "lower" else "") if hint]
    return f"{known.label} ({', '.join(hints)})" if hints else known.label


def group_curves(rows: Iterable[Mapping], published: Mapping[str, Curve] | None = None) -> dict[str, dict[str, Curve]]:
    """{group: {name: {step: value}}}, groups and names in the order in which they first appear; then "NAME, published" of the
    names that were logged."""
    groups = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        for key, value in row.items():
            if key in NOT_CURVES or isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value):
                continue
            group, _, name = key.partition("/")
            groups[group][name or group][row["step"]] = value
    for key, curve in (published or {}).items():
        group, _, name = key.partition("/")
        if (name or group) in groups.get(group, ()):
            groups[group][(name or group) + PUBLISHED] = curve
    return groups


def _draw_group(ax: Axes, group: str, curves: Mapping[str, Mapping[int, float]]) -> None:
    for colour, (name, points) in zip(_colours(), curves.items(), strict=False):
        steps = np.array(sorted(points))
        values = np.array([points[step] for step in steps])
        if len(values) < FEW_POINTS or name.endswith(PUBLISHED):
            line = "--" if name.endswith(PUBLISHED) else "-"
            ax.plot(steps, values, line, color=colour, marker="o", markersize=3, label=name)
        else:
            ax.plot(steps, values, color=colour, alpha=0.22, linewidth=0.8)
            ax.plot(steps, _smoothed(values), color=colour, linewidth=1.6, label=name)
    ax.set(title=group.replace("_", " "), xlabel="step")
    ax.xaxis.get_major_locator().set_params(nbins=5, integer=True)
    if spans_decades(value for points in curves.values() for value in points.values()):
        ax.set_yscale("log")
    if list(curves) != [group]:
        ax.legend()


def _smoothed(values: Sequence[float]) -> np.ndarray:
    """Mean over a centred window of a twentieth of the curve, cut off at the ends: a centred window does not lag."""
    half = max(1, len(values) // 40)
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    middle = np.arange(len(values))
    first, last = np.maximum(middle - half, 0), np.minimum(middle + half + 1, len(values))
    return (total[last] - total[first]) / (last - first)


def _counts_caption(frames: Sequence[int]) -> str:
    if not frames:
        return ""
    each = f"{min(frames):,}" if min(frames) == max(frames) else f"{min(frames):,} to {max(frames):,}"
    return f"{sum(frames):,} predicted in all, {each} at each step"


def _colours() -> Iterable[str]:
    while True:
        yield from COLOURS


def _save(figure: Figure, path: str | Path) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)
