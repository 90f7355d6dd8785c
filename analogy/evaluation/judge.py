"""Evaluation without training: it writes a run folder of its own with figures, tables, plots, videos and a page."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import tensorflow as tf

from analogy.data.python_calls import user_errors
from analogy.errors import UserError
from analogy.evaluation.contract import Predictor
from analogy.evaluation.evaluate import evaluate
from analogy.evaluation.recogniser import Recogniser
from analogy.evaluation.selection import Selection
from analogy.files.marks import EVALUATION
from analogy.metrics.frames import ERROR_METRICS, FRAME_METRICS
from analogy.metrics.fvd import LONGEST, Fvd
from analogy.metrics.perceptual import FeatureDistance, Lpips
from analogy.metrics.table import metric_of
from analogy.pretrained.feature_networks import feature_network, feature_network_name
from analogy.pretrained.i3d import I3d
from analogy.runs.environment import describe_environment
from analogy.runs.folder import RunFolder, write_json, write_text
from analogy.visualise.pages import write_pages
from analogy.visualise.tables import latex_table, markdown_table
from analogy.visualise.wording import decimal


@dataclass
class Measures:
    """The metrics to compute.

    frames: name -> function of (true, predicted) frames.
    fvd: the Frechet video distance; None where it is not computed.
    recogniser: a run that recognises actions in poses; None where recognition is not measured.
    notes: sentences about these metrics for the protocol.
    """

    frames: dict[str, Callable] = field(default_factory=lambda: dict(FRAME_METRICS))
    fvd: Fvd | None = None
    recogniser: Recogniser | None = None
    notes: list[str] = field(default_factory=list)

    @classmethod
    def choose(cls, selection: Selection) -> Measures:
        """The measures of the selected metrics; loads the networks that they need. Raises UserError where one is damaged."""
        frame_metrics, measures = {**FRAME_METRICS, **ERROR_METRICS}, cls(frames={})
        for name in dict.fromkeys(selection.names):
            if name in frame_metrics:
                measures.frames[name] = frame_metrics[name]
            elif name == "fvd":
                measures.fvd = Fvd(I3d(selection.weights).logits, selection.fvd_length)
            else:
                measures._add_network(name, selection.features)
        return measures

    @property
    def observers(self) -> list[Callable]:
        """The measures that look at whole clips: functions to call with every predicted clip."""
        fvd = [lambda clip: self.fvd.add(*clip.videos())] if self.fvd else []
        return fvd + ([self.recogniser.add] if self.recogniser else [])

    def _add_network(self, name: str, features: str) -> None:
        """Add a metric that a trained network computes: "lpips" or "feature_distance"."""
        if name == "lpips":
            self.frames[name] = Lpips()
            self.notes.append("LPIPS v0.1, AlexNet")
        else:
            self.frames[name] = FeatureDistance(feature_network(features))
            self.notes.append(f"feature distance by {feature_network_name(features)}")


def write_evaluation(
    predictor: Predictor,
    dataset,
    results: Path,
    experiment: str,
    measures: Measures,
    facts: dict,
    frames_per_second: int = 10,
) -> Path:
    """Predict all test clips, measure them, and write a new run folder RESULTS/EXPERIMENT/DATE_TIME.

    Args:
        predictor: predicts the test clips.
        dataset: handed to the predictor.
        results: the folder of all results.
        experiment: name of the experiment, under which the new run is filed.
        measures: the metrics to compute.
        facts: further entries for summary.json.
        frames_per_second: of the videos.

    Returns:
        The path of the new run's page, index.html.

    Raises:
        UserError: a clip cannot be predicted, or there are too few videos for FVD.
    """
    began, folder = time.monotonic(), RunFolder.create(results, experiment, EVALUATION)
    try:
        folder.update_summary(experiment=experiment, status="running", **facts)
        with user_errors():
            figures = evaluate(predictor, dataset, folder, frames_per_second, measures.frames, measures.observers)
        protocol = "; ".join([predictor.protocol(dataset), *measures.notes])
        if measures.fvd:
            protocol += "; " + _add_fvd(figures, measures.fvd)
        if measures.recogniser:
            protocol += "; " + _add_accuracy(figures, measures.recogniser)
        environment = describe_environment(tf.distribute.get_strategy())
        write_json(folder.path / "environment.json", environment)
        seconds = {"total": round(time.monotonic() - began, 2)}
        folder.update_summary(**figures, status="finished", protocol=protocol, seconds=seconds)
        _write_tables(folder.path, {**facts, "protocol": protocol, "commit": environment["commit"]}, figures)
        write_pages(folder.path)
    except BaseException:  # Ctrl-C too
        with suppress(OSError):  # of a full disk, which the first fault has named
            folder.update_summary(status="failed")
        raise
    finally:
        folder.close()
    return folder.path / "index.html"


def _add_fvd(figures: dict, fvd: Fvd) -> str:
    """Add FVD to the figures of each method. Returns the sentence about it for the protocol."""
    result = fvd.result()
    if result["videos"] < 2:
        raise UserError(
            f"--metrics fvd: {result['videos']} videos have {result['length']} predicted frames "
            f"({result['left_out']} are shorter); a distance of sets needs two; lower --fvd-frames, or give more videos"
        )
    _add(figures, "fvd", result["fvd"])
    halves = f"{result['real_halves']:.1f}" if result["videos"] > 3 else "undefined for so few"
    few = "; fewer than 256 videos: indicative only" if result["videos"] < 256 else ""
    return (
        f"FVD: {result['videos']} real and {result['videos']} predicted videos, their first {result['length']} predicted "
        f"frames (at most {LONGEST} of a clip; {result['left_out']} shorter videos left out), logits of I3D (Kinetics-400), "
        f"real against real halves {halves}{few}"
    )


def _add_accuracy(figures: dict, recogniser: Recogniser) -> str:
    """Add the recogniser's accuracy to the figures of each method. Returns the sentence about it for the protocol."""
    accuracies = recogniser.result()
    accuracy_of_truth = accuracies.pop("truth")
    _add(figures, "accuracy", accuracies)
    return (
        f"accuracy: clips whose predicted poses {recogniser.run.name} recognises ({recogniser.left_out} of actions unknown to "
        f"it left out); of true poses it recognises {accuracy_of_truth:.3f}"
    )


def _add(figures: dict, metric: str, values: dict[str, float]) -> None:
    """Add a metric to the figures. values: method -> the metric's value."""
    for method, value in values.items():
        (figures["test"] if method == "prediction" else figures["baseline"][method])[metric] = value


def _write_tables(folder: Path, facts: dict, figures: dict) -> None:
    """Write metrics.json, clips.csv, table.md and table.tex: all figures, with the protocol that they were measured under."""
    methods = {"prediction": figures["test"], **figures["baseline"]}
    write_json(folder / "metrics.json", {**facts, "methods": methods, "clips": figures["clips"]})
    names = [name for name in figures["test"] if name not in ("clips", "frames")]
    head = ["method", *(metric_of(name).label for name in names)]
    lines = [
        [method.replace("_", " "), *(decimal(means.get(name), metric_of(name).digits) for name in names)]
        for method, means in methods.items()
    ]
    write_text(folder / "table.md", "\n".join([*markdown_table(head, lines), "", facts["protocol"], ""]))
    write_text(folder / "table.tex", "\n".join([*latex_table(head, lines), "% " + facts["protocol"], ""]))
    rows = [{key: value for key, value in row.items() if key not in ("columns", "video")} for row in figures["clips"]]
    if rows:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), restval="")
        writer.writeheader()
        writer.writerows(rows)
        write_text(folder / "clips.csv", text.getvalue())
