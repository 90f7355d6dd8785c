"""Plots of a run: losses against training steps, a metric against steps into the future, and predicted sequences."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from math import ceil, isfinite
from numbers import Real
from pathlib import Path

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from analogy.files.writing import replacing
from analogy.metrics.table import metric_of

Curve = Mapping[int, float]  # step -> value

COLOURS = ["#2563a8", "#c2512f", "#2f8560", "#7d55a6", "#a87d1f", "#4f5b66"]
OF_PLOTS = {
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
    "text.parse_math": False,  # a name may hold dollars
    "legend.frameon": False,
    "legend.fontsize": 8,
}
STYLE = ["default", OF_PLOTS]  # Matplotlib's own defaults, whatever a user's matplotlibrc says; then ours
NOT_CURVES = {"step", "seconds"}  # keys of metrics.jsonl that are not plotted
PUBLISHED = ", published"  # the ending of the name of a paper's curve
FEW_POINTS = 10  # curves with fewer points are not smoothed, and every point is marked


def plot_losses(rows: Iterable[Mapping], path: str | Path, published: Mapping[str, Curve] | None = None) -> None:
    """Write one PNG with every number that the run logged, as a smoothed line over a faint raw one.

    Args:
        rows: rows of metrics.jsonl: "step", "seconds" and names such as "generator/l2". All names with the same part before "/"
            share one plot. Not every row has every name. Values that are not finite numbers are left out. If several rows have
            the same step, as in a resumed run, the last one counts.
        path: the `.png` file. Where there is nothing to plot, no file is written.
        published: name -> a paper's curve, drawn dashed where the run logged the same name.
    """
    groups = group_curves(rows, published)
    if not groups:
        return
    across = 2 if len(groups) == 4 else min(3, len(groups))
    down = ceil(len(groups) / across)
    with _figure(max(5.0, 4.0 * across), 2.9 * down) as figure:
        axes = figure.subplots(down, across, squeeze=False).ravel()
        for ax, (group, curves) in zip(axes, groups.items(), strict=False):
            _draw_group(ax, group, curves)
        for ax in axes[len(groups) :]:
            ax.remove()
        _save(figure, path)


def plot_horizon(horizon: Mapping, metric: str, path: str | Path) -> None:
    """Write one PNG: the metric against the time distance, with one curve for each method. All but "prediction" are dashed.

    Args:
        horizon: the content of test/horizon.json: {"distance": [n], "frames": [n], "methods": {method: {metric: [n]}}}; null is
            a gap. "bands" is optional and has the form of "methods": half the widths of confidence intervals, to be drawn too.
        metric: the metric to plot; methods without it are left out.
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
    with _figure(6.0, 3.6) as figure:
        ax, points = figure.subplots(), []
        for colour, (name, curve) in zip(_colours(), curves.items(), strict=False):
            line = "-" if name == "prediction" else "--"
            values = np.array(curve, dtype=float)
            ax.plot(distance, values, line, color=colour, marker="o", markersize=3, label=name.replace("_", " "))
            spread = horizon.get("bands", {}).get(name, {}).get(metric) or [None] * len(curve)
            band = np.array(spread, dtype=float)
            ax.fill_between(distance, values - band, values + band, color=colour, alpha=0.15, linewidth=0)
            points += zip(values, np.nan_to_num(band), strict=True)
        ax.xaxis.get_major_locator().set_params(integer=True)
        if spans_decades(value for curve in curves.values() for value in curve if value is not None):
            ax.set_yscale("log")
        if limits := axis_limits(points, ax.get_yscale() == "log"):
            ax.set_ylim(*limits)
        ax.set(xlabel="steps ahead", ylabel=metric_label(metric))
        ax.legend()
        bands = "; bands: 95 % of the mean over clips" if horizon.get("bands") else ""
        figure.supxlabel(_counts_caption(horizon.get("frames", [])) + bands, fontsize=8, color="#5b6470", x=0.01, ha="left")
        _save(figure, path)


def sequence_grid(observed: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Plot the first six sequences of a group, each in its own small plot.

    Args:
        observed: [N, k], values in 0..1.
        truth, predicted: [N, T], the values that follow and their prediction.

    Returns:
        uint8 [H, W, 3].
    """
    count = min(6, len(observed))
    across = min(3, count)
    with _figure(2.6 * across, 1.9 * ceil(count / across)) as figure:
        k = observed.shape[1]
        past, future = np.arange(k), np.arange(k, k + truth.shape[1])
        for ax, *lines in zip(
            figure.subplots(ceil(count / across), across, squeeze=False).flat, observed, truth, predicted, strict=False
        ):
            ax.plot(past, lines[0], color=COLOURS[5], label="observed")
            ax.plot(future, lines[1], color=COLOURS[0], label="truth")
            ax.plot(future, lines[2], color=COLOURS[1], linestyle="--", label="prediction")
            ax.set_ylim(-0.1, 1.35)
            ax.legend(ncols=3, fontsize=6, loc="upper center", handlelength=1.2, columnspacing=0.8)
        return _pixels(figure)


def confusion_matrix(counts: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Draw how often each action was taken for each other one.

    Args:
        counts: [A, A], the number of clips of the action in the row for which the action in the column was predicted.
        classes: the names of the A actions.

    Returns:
        uint8 [H, W, 3].
    """
    side = max(3.2, 1.6 + 0.24 * len(classes))
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    with _figure(side + 0.4, side) as figure:
        ax = figure.subplots()
        ax.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
        ax.grid(visible=False)
        names = [name.replace("_", " ") for name in classes]
        ax.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
        ax.set_yticks(range(len(names)), names, fontsize=7)
        ax.set(xlabel="predicted", ylabel="truth")
        for row, column in zip(*np.nonzero(counts), strict=True):
            colour = "white" if shares[row, column] > 0.5 else "#3b4350"
            ax.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=7, color=colour)
        return _pixels(figure)


def bars(values: Mapping, title: str, xlabel: str, ylabel: str, logarithmic: bool = False) -> np.ndarray:
    """Draw a bar for each value, with its number above it where there are few.

    Args:
        values: label -> value.
        logarithmic: the scale of the values.

    Returns:
        uint8 [H, W, 3].
    """
    few = len(values) <= FEW_POINTS
    with _figure(7.5, 3.4) as figure:
        ax = figure.subplots()
        drawn = ax.bar(range(len(values)), list(values.values()), color=COLOURS[0], log=logarithmic)
        if few:
            ax.bar_label(drawn, [f"{value:,.0f}" for value in values.values()], fontsize=8)
            ax.set_xticks(range(len(values)), [str(label).replace(", ", "\n") for label in values], fontsize=8)
        ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
        return _pixels(figure)


def spans_decades(values: Iterable[float]) -> bool:
    """Whether the values are all positive and so far apart that a logarithmic axis is needed."""
    finite = [value for value in values if isfinite(value)]
    return bool(finite) and min(finite) > 0 and max(finite) > 300 * min(finite)


def axis_limits(points: Iterable[tuple[float, float]], log: bool) -> tuple[float, float] | None:
    """The limits of the axis of a chart with bands; as in templates/curves_script.html, which draws the same charts.

    All of the lines is shown, and of bands what exceeds them by no more than half of their range, or than the median band:
    where a few clips are left, a band may be far wider than all lines.

    Args:
        points: (value, half the width of its band, or 0). log: the scale.

    Returns:
        None where the limits of the lines alone will do: there is no band, or no value.
    """
    values, bands = np.array([point for point in points if isfinite(point[0])], float).reshape(-1, 2).T
    if not bands.any():
        return None
    lowest = values.min() / 2 if log else -np.inf  # a band that reaches 0 or below is cut off there
    middle, lower, upper = (np.log10(np.maximum(y, lowest)) if log else y for y in (values, values - bands, values + bands))
    widths = np.concatenate([middle - lower, upper - middle])
    room = max(np.ptp(middle) / 2, np.median(widths[widths > 0]))
    low, high = max(middle.min() - room, lower.min()), min(middle.max() + room, upper.max())
    low, high = low - 0.05 * (high - low), high + 0.05 * (high - low)
    return (10.0**low, 10.0**high) if log else (low, high)


def metric_label(name: str) -> str:
    """A metric's label for an axis, with its unit and "lower is better" where that is so."""
    metric = metric_of(name)
    hints = [hint for hint in (metric.unit, "lower is better" if metric.better == "lower" else "") if hint]
    return f"{metric.label} ({', '.join(hints)})" if hints else metric.label


def group_curves(rows: Iterable[Mapping], published: Mapping[str, Curve] | None = None) -> dict[str, dict[str, Curve]]:
    """Sort the numbers that a run logged into curves.

    Args:
        rows, published: see `plot_losses`.

    Returns:
        {group: {name: {step: value}}}, in the order in which groups and names first appear. "generator/l2" has the group
        "generator" and the name "l2". Published curves are called "NAME, published".
    """
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
    """Moving average over a window of a twentieth of the curve.

    The window is centred, so that the average does not lag behind; at the ends of the curve it is shorter.
    """
    radius = max(1, len(values) // 40)
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    middle = np.arange(len(values))
    first, last = np.maximum(middle - radius, 0), np.minimum(middle + radius + 1, len(values))
    return (total[last] - total[first]) / (last - first)


def _counts_caption(frames: Sequence[int]) -> str:
    if not frames:
        return ""
    each = f"{min(frames):,}" if min(frames) == max(frames) else f"{min(frames):,} to {max(frames):,}"
    return f"{sum(frames):,} predicted in all, {each} at each step"


def _colours() -> Iterator[str]:
    return cycle(COLOURS)


@contextmanager
def _figure(width: float, height: float) -> Iterator[Figure]:
    """An empty figure of this size in inches. Inside the context it is drawn in our style."""
    with matplotlib.style.context(STYLE):
        yield Figure(figsize=(width, height), dpi=100, layout="constrained")


def _pixels(figure: Figure) -> np.ndarray:
    """A figure as a picture, uint8 [H, W, 3]."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _save(figure: Figure, path: str | Path) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)
