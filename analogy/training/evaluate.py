"""What a run shows of itself: sample panels while it trains; predicted test clips, figures and plots at its end."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from analogy.metrics.horizon import HorizonMetrics
from analogy.systems.base import PredictedClip, System
from analogy.training.run_folder import RunFolder, write_json
from analogy.visualise.panels import heatmap_picture, write_panels
from analogy.visualise.plots import plot_horizon, plot_losses
from analogy.visualise.video import column_boxes, side_by_side, write_gif, write_mp4


def picture(image: np.ndarray) -> np.ndarray:
    """uint8 images pass; float heatmaps [H, W, J] in 0..1 become colours."""
    return image if image.dtype == np.uint8 else heatmap_picture(image)


def write_samples(system: System, clips, folder: RunFolder, step: int, tensorboard=None) -> None:
    """samples/step-000500/{train,test}/ACTION/CLIP.png, and the same pictures in TensorBoard."""
    for panels in system.sample_panels(clips):
        path = folder.path / "samples" / f"step-{step:06d}" / panels.split / panels.action / f"{panels.clip}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        columns = [(title, picture(image)) for title, image in panels.columns]
        write_panels(path, columns)
        if tensorboard:
            tensorboard.image(f"{panels.split}/{panels.action}/{panels.clip}", columns[-1][1], step)


def evaluate(system: System, clips, folder: RunFolder, frames_per_second: int, on_clip=lambda clip: None) -> dict:
    """Predict the test clips, write videos, curves and plots, and return the summary's figures."""
    metrics = HorizonMetrics()
    rows = []
    for clip in system.predict_clips(clips):
        methods = {"prediction": clip.prediction, system.baseline_name: clip.baseline}
        row = metrics.add(clip.clip, clip.action, clip.truth, clip.distance, clip.regions, **methods)
        ours, baseline = row["prediction"], row[system.baseline_name]
        base = {f"baseline_{name}": value for name, value in baseline.items()}
        columns = _write_clip(clip, folder.path / "test" / clip.action, frames_per_second)
        known = {"clip": clip.clip, "action": clip.action, "frames": row["frames"]}
        rows.append({**known, **ours, **base, "columns": columns})
        on_clip(clip)
    horizon = metrics.curves()
    write_json(folder.path / "test" / "horizon.json", horizon)
    for metric in horizon["methods"].get("prediction", {}):
        plot_horizon(horizon, metric, folder.path / "plots" / f"{metric}_horizon.png")
    return {
        "test": {**metrics.mean("prediction"), "clips": len(rows), "frames": sum(row["frames"] for row in rows)},
        "baseline": {system.baseline_name: metrics.mean(system.baseline_name)},
        "clips": rows,
    }


def _write_clip(clip: PredictedClip, folder: Path, frames_per_second: int) -> dict[str, tuple[int, int, int, int]]:
    """Truth, poses, prediction and absolute difference, side by side, after the observed frames.

    Returns the place of each column in the video, by which a comparison of runs cuts it out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    difference = np.abs(clip.truth.astype(np.int16) - clip.prediction).astype(np.uint8)
    observed = clip.given
    columns = [("truth", np.concatenate([observed, clip.truth]))]
    for name, pictures in clip.extra.items():
        coloured = np.stack([picture(one) for one in pictures])
        columns.append((name, np.concatenate([np.repeat(coloured[:1], len(observed), 0), coloured])))
    columns.append(("prediction", np.concatenate([observed, clip.prediction])))
    columns.append(("|difference|", np.concatenate([np.zeros_like(observed), difference])))
    frames = side_by_side(columns)
    write_mp4(folder / f"{clip.clip}.mp4", frames, frames_per_second)
    write_gif(folder / f"{clip.clip}.gif", frames, frames_per_second)
    return {title: box for (title, _), box in zip(columns, column_boxes(columns), strict=True)}


def write_loss_plot(folder: RunFolder) -> None:
    if rows := folder.rows():
        plot_losses(rows, folder.path / "plots" / "losses.png")
