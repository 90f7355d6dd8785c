"""Sample panels during training, and the evaluation at its end: predicted test clips, figures and plots."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from analogy.evaluation.contract import Predictor
from analogy.metrics.frames import FRAME_METRICS
from analogy.metrics.horizon import HorizonMetrics
from analogy.predictions.base import Predicted
from analogy.runs.folder import RunFolder, write_json
from analogy.systems.base import System
from analogy.visualise.panels import coloured, write_panels, write_picture
from analogy.visualise.plots import plot_horizon, plot_losses
from analogy.visualise.published import published_curves
from analogy.visualise.video import column_boxes, side_by_side, write_gif, write_mp4


def write_samples(system: System, dataset, folder: RunFolder, step: int, tensorboard=None) -> list[np.ndarray]:
    """Write sample panels to samples/step-000500/{train,test}/ACTION/CLIP.png, and the same pictures to TensorBoard.

    Returns:
        The last predicted column of every panel, as the system gives it; empty where the system predicts no pictures.
    """
    predicted = []
    for panels in system.sample_panels(dataset):
        path = folder.path / "samples" / f"step-{step:06d}" / panels.split / panels.action / f"{panels.clip}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        columns = [(column.title, coloured(column.picture)) for column in panels.columns]
        write_panels(path, columns)
        if tensorboard:
            tensorboard.image(f"{panels.split}/{panels.action}/{panels.clip}", columns[-1][1], step)
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
        observers: functions that are called with every predicted clip, such as FVD's.

    Returns:
        Entries of summary.json: "test" (means over the test set), "baseline" (the same of each baseline), "actions" (means of
        each action and method), and "clips" (one row for each test clip).
    """
    means = HorizonMetrics(pooled=predictor.pooled)
    means_of_action: dict[str, HorizonMetrics] = defaultdict(lambda: HorizonMetrics(pooled=predictor.pooled))
    rows, baselines = [], []
    for clip in predictor.predict_clips(dataset):
        measured = clip.measure(metrics)
        for observe in observers:
            observe(clip)
        means_of_action[clip.action].add(clip.distance, measured)
        figures = means.add(clip.distance, measured)
        method, *clip_baselines = figures  # the prediction comes first, then the baselines
        baselines += [name for name in clip_baselines if name not in baselines]
        baseline = {f"baseline_{name}": value for name, value in figures[clip_baselines[0]].items()}
        entry = {"clip": clip.clip, "action": clip.action, "frames": clip.length}
        video = _write_clip(clip, folder.path / "test" / clip.action, frames_per_second)
        rows.append({**entry, **figures[method], **baseline, **video})
    horizon = means.curves()
    if published := _published_curves(predictor, horizon):
        horizon["methods"]["published"] = published
    write_json(folder.path / "test" / "horizon.json", horizon)
    curves_of_action = {action: means_of_action[action].curves() for action in sorted(means_of_action)}
    write_json(folder.path / "test" / "horizon_by_action.json", curves_of_action)
    for metric in horizon["methods"].get("prediction", {}) if len(horizon["distance"]) > 1 else ():
        plot_horizon(horizon, metric, folder.path / "plots" / f"{metric}_horizon.png")
    return {
        "test": {**means.mean("prediction"), "clips": len(rows), "frames": sum(row["frames"] for row in rows)},
        "baseline": {name: means.mean(name) for name in baselines},
        "actions": {
            action: {method: action_means.mean(method) for method in ("prediction", *baselines)}
            for action, action_means in sorted(means_of_action.items())
        },
        "clips": rows,
    }


def _published_curves(predictor: Predictor, horizon: dict) -> dict[str, list[float]]:
    """metric -> the published figure at each future step, for the metrics that this run measured too."""
    curves = {entry.metric: entry.horizon for entry in predictor.published if entry.horizon}
    measured = horizon["methods"].get("prediction", {})
    return {name: [figures[step - 1] for step in horizon["distance"]] for name, figures in curves.items() if name in measured}


def _write_clip(clip: Predicted, folder: Path, frames_per_second: int) -> dict:
    """Write the clip's video, its picture, or both.

    Returns:
        "video": its number of frames and its frame rate; "columns": title -> the column's box in the video, which pages use to
        show one column alone. Empty where no video is written.
    """
    if not clip.with_pictures:
        return {}
    if (picture := clip.picture()) is not None:
        write_picture(folder / f"{clip.clip}.png", picture)
    columns = clip.columns()
    if not columns:
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    frames = side_by_side(columns)
    write_mp4(folder / f"{clip.clip}.mp4", frames, frames_per_second)
    write_gif(folder / f"{clip.clip}.gif", frames, frames_per_second)
    boxes = {title: box for (title, _), box in zip(columns, column_boxes(columns), strict=True)}
    return {"columns": boxes, "video": {"frames": len(frames), "fps": frames_per_second}}


def write_loss_plot(folder: RunFolder) -> None:
    """Plot everything in metrics.jsonl against the training step, in plots/losses.png."""
    if rows := folder.rows():
        plot_losses(rows, folder.path / "plots" / "losses.png", published_curves(folder.summary))
