"""What a run shows of itself: sample panels while it trains; predicted test clips, figures and plots at its end."""

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
    """samples/step-000500/{train,test}/ACTION/CLIP.png, and the same pictures in TensorBoard. Returns the last predicted frame
    of each, where frames are predicted."""
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
    """Predict the test clips, write videos, curves and plots, and return the summary's figures.

    metrics: of predicted frames; see `analogy.metrics.frames`. observers: called with every predicted clip.
    """
    means = HorizonMetrics(pooled=predictor.pooled)
    of_action: dict[str, HorizonMetrics] = defaultdict(lambda: HorizonMetrics(pooled=predictor.pooled))
    rows, baselines = [], []
    for clip in predictor.predict_clips(dataset):
        measured = clip.measure(metrics)
        for observe in observers:
            observe(clip)
        of_action[clip.action].add(clip.distance, measured)
        ours, *others = (row := means.add(clip.distance, measured))
        baselines += [name for name in others if name not in baselines]
        base = {f"baseline_{name}": value for name, value in row[others[0]].items()}
        known = {"clip": clip.clip, "action": clip.action, "frames": clip.length}
        rows.append({**known, **row[ours], **base, **_write_clip(clip, folder.path / "test" / clip.action, frames_per_second)})
    horizon = means.curves()
    if published := _published_curves(predictor, horizon):
        horizon["methods"]["published"] = published
    write_json(folder.path / "test" / "horizon.json", horizon)
    write_json(folder.path / "test" / "horizon_by_action.json", {name: of_action[name].curves() for name in sorted(of_action)})
    for metric in horizon["methods"].get("prediction", {}) if len(horizon["distance"]) > 1 else ():
        plot_horizon(horizon, metric, folder.path / "plots" / f"{metric}_horizon.png")
    return {
        "test": {**means.mean("prediction"), "clips": len(rows), "frames": sum(row["frames"] for row in rows)},
        "baseline": {name: means.mean(name) for name in baselines},
        "actions": {
            name: {method: of.mean(method) for method in ("prediction", *baselines)} for name, of in sorted(of_action.items())
        },
        "clips": rows,
    }


def _published_curves(predictor: Predictor, horizon: dict) -> dict[str, list[float]]:
    """metric -> the published figure at each distance of the horizon, for those that were measured here."""
    curves = {entry.metric: entry.horizon for entry in predictor.published if entry.horizon}
    measured = horizon["methods"].get("prediction", {})
    return {name: [figures[step - 1] for step in horizon["distance"]] for name, figures in curves.items() if name in measured}


def _write_clip(clip: Predicted, folder: Path, frames_per_second: int) -> dict:
    """Write the clip's video, its picture, or both. Returns the video's length, and the place of each column in it, by which
    pages cut them out; nothing where the clip is not to be drawn."""
    if not clip.drawn:
        return {}
    if (drawn := clip.picture()) is not None:
        write_picture(folder / f"{clip.clip}.png", drawn)
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
    if rows := folder.rows():
        plot_losses(rows, folder.path / "plots" / "losses.png", published_curves(folder.summary))
