"""The table of metrics contains every metric that is computed."""

import sys
from pathlib import Path

import numpy as np
import pytest
from typer.main import get_command

from analogy.cli import evaluate
from analogy.cli.console import app_of
from analogy.errors import UserError
from analogy.evaluation.judge import Measures
from analogy.evaluation.selection import Selection
from analogy.metrics.frames import ERROR_METRICS, FRAME_METRICS, REGION_METRICS
from analogy.metrics.table import HEADLINES, METRICS, SELECTABLE, USUAL, metric_of, names_of
from analogy.predictions.actions import PredictedActions
from analogy.predictions.frames import PredictedFrames, UnroundedFrames
from analogy.predictions.poses import PredictedJoints, PredictedPoses
from analogy.predictions.sequences import PredictedSequences

RNG = np.random.default_rng(0)
TRUTH, GUESS = RNG.integers(0, 256, (2, 3, 32, 32, 1), dtype=np.uint8)
EVERY = {**FRAME_METRICS, **ERROR_METRICS}
SELECTED = {"clip": "0001", "action": "squat", "distance": np.arange(1, 4)}
FRAMES = {
    **SELECTED, "observed_frames": TRUTH[:1], "truth": TRUTH, "prediction": GUESS, "baseline": TRUTH // 2,
    "baseline_name": "grey", "samples": np.stack([GUESS, TRUTH // 3]),
    "regions": {name: RNG.random((3, 32, 32)) > 0.5 for name in ("old", "new")},
}  # fmt: skip


def predicted_poses():
    joints, ones = RNG.random((2, 5, 13, 2)) * 100, np.ones
    windows = {"joints": joints, "visibility": ones((2, 5, 13)), "valid": ones((2, 5)), "survives": ones((2, 13))}
    windows |= {"box": np.array([[0, 0, 100, 100]] * 2), "origin": joints[:, 0]}
    return PredictedPoses(**SELECTED, windows=windows, prediction=joints[:, 2:], visibility=ones((2, 3, 13)))


def predicted_joints():
    joints, visibility = RNG.random((3, 13, 2)) * 30, np.ones((3, 13))
    pictures = {"frames": TRUTH, "scale": np.ones((3, 2)), "mean_pose": joints[0]}
    return PredictedJoints(
        **SELECTED, **pictures, truth=joints, truth_visibility=visibility, prediction=joints, visibility=visibility
    )  # fmt: skip


def predicted_sequences():
    values = RNG.random((4, 6, 1))
    return PredictedSequences(
        **SELECTED, observed=values[:, :3], truth=values[:, 3:], prediction=values[:, 3:], linear_map=values[:, 3:]
    )


@pytest.mark.parametrize(
    ("predicted", "kinds"),
    [
        (PredictedFrames(**FRAMES), {"frames", "errors", "regions"}),
        (PredictedFrames(**FRAMES, centres=np.full([3, 2], 9.0)), {"frames", "errors", "regions", "centres"}),
        (UnroundedFrames(**FRAMES, unrounded=GUESS / 255.0), {"frames", "errors", "regions"}),
        (predicted_poses(), {"poses"}),
        (predicted_joints(), {"poses", "joints"}),
        (predicted_sequences(), {"errors"}),
        (PredictedActions(**SELECTED, probabilities=np.array([0.2, 0.8]), label=1, commonest=0, clip_length=9), {"actions"}),
    ],
)
def test_every_figure_of_a_prediction_is_in_the_table(predicted, kinds):
    measured = {name for metrics in predicted.measure(EVERY).values() for name in metrics}
    assert measured and measured <= set(METRICS) and {METRICS[name].kind for name in measured} == kinds


def test_functions_and_headlines_are_those_of_the_table():
    assert (*FRAME_METRICS, *ERROR_METRICS) == names_of("frames", "errors") and tuple(REGION_METRICS) == names_of("regions")
    assert HEADLINES == ("psnr", "ssim", "mse", "centre_error", "collapse_index", "pose_mse", "pck_10", "accuracy")
    assert (*FRAME_METRICS, *ERROR_METRICS, "lpips", "feature_distance", "fvd") == SELECTABLE and set(USUAL) < set(SELECTABLE)
    assert list(Measures.choose(Selection()).frames) == list(USUAL)


def test_names_are_unique_and_meanings_say_the_direction():
    for name, metric in METRICS.items():
        assert metric.name == name and metric.label and metric.digits > 0
        if f"{metric.better} is better" not in metric.meaning:
            assert "is better" not in metric.meaning


def test_variants_follow_from_the_table():
    start, best = METRICS["pose_mse_start0"], METRICS["psnr_best"]
    assert (start.label, start.digits, start.better, start.headline) == ("Pose error (MSE), first windows", 5, "lower", False)
    assert (best.label, best.unit, best.meaning) == ("PSNR, best sample", "dB", "")
    assert not {"pck_20_start0", "sharpness_ratio_best", "fvd_best", "pose_mse_best"} & set(METRICS)


def test_an_unknown_name_is_printed_without_a_verdict():
    assert (metric_of("warp_error").label, metric_of("warp_error").higher_is_better) == ("warp error", None)


def test_the_help_of_evaluate_lists_exactly_what_may_be_asked(monkeypatch):
    (option,) = [p for p in get_command(app_of(evaluate.main)).params if p.name == "metrics"]
    selectable, usual = option.help.removeprefix("Metrics of frames: ").removesuffix(".").split(". Default: ")
    assert selectable == ", ".join(SELECTABLE) and usual == ", ".join(USUAL)
    monkeypatch.setattr("analogy.evaluation.selection.fetched_file", lambda name: Path(__file__))
    monkeypatch.setitem(sys.modules, "lpips", sys.modules[__name__])  # as if it were installed
    for name in SELECTABLE:
        Selection((name,), features=__file__ if name == "feature_distance" else None)
    for name in set(METRICS) - set(SELECTABLE):
        with pytest.raises(UserError, match=f"there is no {name} to choose"):
            Selection((name,))
