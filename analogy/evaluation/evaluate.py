"""Sample panels during training, and the evaluation at its end: predicted test clips, figures and plots."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from itertools import chain, groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from analogy.evaluation.contract import Predictor
from analogy.metrics.frames import FRAME_METRICS
from analogy.metrics.horizon import HorizonMetrics
from analogy.predictions.base import Predicted, parts_of
from analogy.runs.folder import RunFolder, write_json
from analogy.systems.base import System
from analogy.visualise.panels import coloured, write_panels, write_picture
from analogy.visualise.plots import plot_horizon, plot_losses
from analogy.visualise.published import published_curves
from analogy.visualise.video import column_boxes, mp4_writer, side_by_side, write_gif

GIF_PARTS = 3  # parts of PART frames


def write_samples(system: System, dataset, folder: RunFolder, step: int, trackers=None) -> list[np.ndarray]:
    """Write sample panels to samples/step-000500/{train,test}/ACTION/CLIP.png, and the same pictures to the trackers.

    Returns:
        The last predicted column of every panel, as the system gives it; empty where the system predicts no pictures.
    """
    predicted = []
    for panels in system.sample_panels(dataset):
        path = folder.path / "samples" / f"step-{step:06d}" / panels.split / panels.action / f"{panels.clip}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        columns = [(column.title, coloured(column.picture)) for column in panels.columns]
        write_panels(path, columns)
        if trackers:
            trackers.image(f"{panels.split}/{panels.action}/{panels.clip}", columns[-1][1], step)
        predicted += [column.picture for column in panels.columns if column.predicted][-1:]
    return predicted


def evaluate(
    predictor: Predictor,
    dataset,
    folder: RunFolder,
    frames_per_second: int,
    metrics: Mapping[str, Callable] = FRAME_METRICS,
    observers: Sequence[Callable[[Predicted], None]] = (),
) -> dict:
    """Predict all test clips, measure them, and write videos, curves and plots into the run folder.

    Args:
        predictor: the system, or anything else that predicts clips.
        dataset: handed to `predictor.predict_clips`.
        folder: the run folder to write to.
        frames_per_second: of the videos.
        metrics: name -> function of (true, predicted) frames; see `analogy.metrics.frames`.
        observers: functions that are called with every predicted clip, of a long one with its first part, such as FVD's.

    Returns:
        Entries of summary.json: "test" (means over the test set), "baseline" (the same of each baseline), "actions" (means of
        each action and method), and "clips" (one row for each test clip).
    """
    clips = measure_clips(predictor.predict_clips(dataset), folder.path, frames_per_second, metrics, observers)
    return write_figures(predictor, clips, folder.path)


class MeasuredClip(NamedTuple):
    """A test clip that is measured and drawn.

    clip: its name. distance [T]; figures: method -> metric -> [T] or [windows, T]; frames: how many are measured.
    video: where one is written, "video": its number of frames and its frame rate, and "columns": title -> the column's box in
    it, which pages use to show one column alone. Otherwise empty.
    """

    clip: str
    action: str
    distance: np.ndarray
    figures: dict[str, dict[str, np.ndarray]]
    frames: int
    video: dict


def measure_clips(
    predictions: Iterable[Predicted],
    run: Path,
    frames_per_second: int,
    metrics: Mapping[str, Callable] = FRAME_METRICS,
    observers: Sequence[Callable[[Predicted], None]] = (),
) -> Iterator[MeasuredClip]:
    """Measure predicted clips, and write their videos and pictures into a run folder. Arguments: see `evaluate`."""
    for (_, action), parts in groupby(predictions, key=lambda part: (part.clip, part.action)):
        yield _measure(parts, metrics, observers, run / "test" / action, frames_per_second)


def write_figures(predictor: Predictor, clips: Iterable[MeasuredClip], run: Path) -> dict:
    """Take the means over measured clips, and write curves and plots into a run folder. Returns what `evaluate` does.

    Raises ValueError: two clips of an action have one name, and so one video.
    """
    means = HorizonMetrics(pooled=predictor.pooled)
    means_of_action: dict[str, HorizonMetrics] = defaultdict(lambda: HorizonMetrics(pooled=predictor.pooled))
    rows, baselines, names = [], [], set()
    for measured in clips:
        if (measured.action, measured.clip) in names:
            raise _two_of_one_name(measured)
        names.add((measured.action, measured.clip))
        means_of_action[measured.action].add(measured.distance, measured.figures)
        figures = means.add(measured.distance, measured.figures)
        method, *clip_baselines = figures  # the prediction comes first, then the baselines
        baselines += [name for name in clip_baselines if name not in baselines]
        baseline = {f"baseline_{name}": value for name, value in figures[clip_baselines[0]].items()}
        entry = {"clip": measured.clip, "action": measured.action, "frames": measured.frames}
        rows.append({**entry, **figures[method], **baseline, **measured.video})
    horizon = means.curves()
    if published := _published_curves(predictor, horizon):
        horizon["methods"]["published"] = published
    write_json(run / "test" / "horizon.json", horizon)
    curves_of_action = {action: means_of_action[action].curves() for action in sorted(means_of_action)}
    write_json(run / "test" / "horizon_by_action.json", curves_of_action)
    for metric in horizon["methods"].get("prediction", {}) if len(horizon["distance"]) > 1 else ():
        plot_horizon(horizon, metric, run / "plots" / f"{metric}_horizon.png")
    return {
        "test": {**means.mean("prediction"), "clips": len(rows), "frames": sum(row["frames"] for row in rows)},
        "baseline": {name: means.mean(name) for name in baselines},
        "actions": {
            action: {method: action_means.mean(method) for method in ("prediction", *baselines)}
            for action, action_means in sorted(means_of_action.items())
        },
        "clips": rows,
    }


def _two_of_one_name(clip: MeasuredClip | Predicted) -> ValueError:
    return ValueError(f"two clips of {clip.action} are called {clip.clip}: give each a name of its own")


def _published_curves(predictor: Predictor, horizon: dict) -> dict[str, list[float]]:
    """metric -> the published figure at each future step, for the metrics that this run measured too."""
    curves = {entry.metric: entry.horizon for entry in predictor.published if entry.horizon}
    measured = horizon["methods"].get("prediction", {})
    return {name: [figures[step - 1] for step in horizon["distance"]] for name, figures in curves.items() if name in measured}


def _measure(
    parts: Iterator[Predicted],
    metrics: Mapping[str, Callable],
    observers: Sequence[Callable[[Predicted], None]],
    folder: Path,
    frames_per_second: int,
) -> MeasuredClip:
    """Measure a clip part by part, and write its video, its picture, or both; no more than two parts are held in memory.

    parts: of the clip. folder: for the video and the picture. The GIF shows the first part alone, and of very many observed
    frames the last ones. For the rest see `evaluate`.

    Raises:
        ValueError: a part does not continue the one before, so it is of another clip of the same name and action.
    """
    first = next(parts)
    for observe in observers:
        observe(first)
    with_pictures, frames, shown = first.with_pictures, 0, 0
    columns = first.columns() if with_pictures else []
    if with_pictures and (picture := first.picture()) is not None:
        write_picture(folder / f"{first.clip}.png", picture)
    distances, measured = [], []
    film = mp4_writer(folder / f"{first.clip}.mp4", frames_per_second) if columns else nullcontext()
    gif = partial(write_gif, folder / f"{first.clip}.gif", fps=frames_per_second)
    with film as append:
        for part in chain([first], parts):
            if distances and part.distance[0] <= distances[-1][-1]:
                raise _two_of_one_name(part)
            distances.append(part.distance)
            measured.append(part.measure(metrics))
            frames += part.length
            if append:
                shown += _draw(append, columns if part is first else part.columns(), gif if part is first else None)
    video = {}
    if columns:
        boxes = {title: box for (title, _), box in zip(columns, column_boxes(columns), strict=True)}
        video = {"columns": boxes, "video": {"frames": shown, "fps": frames_per_second}}
    return MeasuredClip(first.clip, first.action, np.concatenate(distances), first.joined(measured), frames, video)


def _draw(append: Callable, columns: Sequence[tuple[str, np.ndarray]], gif: Callable | None) -> int:
    """Append the pictures of a part to its film, and give the last of them to `gif`. Returns how many pictures there are."""
    shown, last = 0, deque(maxlen=GIF_PARTS if gif else 0)
    for pictures in _pictures(columns):
        append(pictures)
        shown += len(pictures)
        last.append(pictures)
    if gif:
        gif(np.concatenate(last))
    return shown


def _pictures(columns: Sequence[tuple[str, np.ndarray]]) -> Iterator[np.ndarray]:
    """`side_by_side` in parts: enlarged, many observed frames would take much memory."""
    for numbers in parts_of(len(columns[0][1])):
        yield side_by_side([(title, frames[numbers[0] : numbers[-1] + 1]) for title, frames in columns])


def write_loss_plot(folder: RunFolder) -> None:
    """Plot everything in metrics.jsonl against the training step, in plots/losses.png."""
    if rows := folder.rows():
        plot_losses(rows, folder.path / "plots" / "losses.png", published_curves(folder.summary))
