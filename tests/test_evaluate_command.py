"""experiments/evaluate.py: a run measured again, as exported, and folders of videos."""

import csv
import json

import numpy as np
import pytest

from analogy.data.video import write_pictures
from analogy.systems.predicted import best_and_mean

RNG = np.random.default_rng(0)


def evaluate(invoke, tmp_path, *options):
    done = invoke("evaluate", *options, "--results-dir", tmp_path / "results")
    assert done.exit_code == 0, (done.output, done.stderr, done.exception)
    (page,) = (tmp_path / "results").glob("evaluation_of_*/*/index.html")
    return page.parent, json.loads((page.parent / "metrics.json").read_text())


def test_a_run_measured_again_has_the_figures_it_had(invoke, finished, tmp_path):
    run, _ = finished
    folder, measured = evaluate(invoke, tmp_path, "--run", run, "--metrics", "psnr,ssim,mse")
    before = json.loads((run / "summary.json").read_text())
    assert measured["methods"]["prediction"]["psnr"] == pytest.approx(before["test"]["psnr"], abs=1e-3)
    assert measured["methods"]["copy_reference"]["ssim"] == pytest.approx(
        before["baseline"]["copy_reference"]["ssim"], abs=1e-4
    )
    assert "mse" in measured["methods"]["prediction"] and "sharpness_ratio" not in measured["methods"]["prediction"]
    assert measured["protocol"] == before["protocol"] and measured["commit"] and measured["seed"] == 0
    with open(folder / "clips.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == before["test"]["clips"]
    assert np.mean([float(row["psnr"]) for row in rows]) == pytest.approx(before["test"]["psnr"], abs=1e-3)
    assert (folder / "table.md").read_text().startswith("| method | PSNR | SSIM |")
    assert r"copy reference & " in (folder / "table.tex").read_text() and (folder / "plots" / "mse_horizon.png").is_file()


def test_the_exported_network_has_the_same_figures(invoke, finished, tmp_path):
    run, _ = finished
    clip = json.loads((run / "summary.json").read_text())["clips"][0]
    _, measured = evaluate(invoke, tmp_path, "--run", run / "saved_model", "--clips", clip["clip"], "--metrics", "psnr")
    assert measured["methods"]["prediction"]["psnr"] == pytest.approx(clip["psnr"], abs=0.05)
    assert len(measured["clips"]) == 1 and "as exported" in measured["summary"]


@pytest.fixture
def videos(tmp_path):
    """Two true videos of five frames, and two samples of each, the first given frame being the same."""
    for name in ("a", "b"):
        true = RNG.integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
        write_pictures(tmp_path / "true" / name, true)
        for sample, noise in (("one", 10), ("two", 40)):
            wrong = np.clip(true + RNG.normal(0, noise, true.shape), 0, 255).astype(np.uint8)
            wrong[0] = true[0]
            write_pictures(tmp_path / sample / name, wrong)
    return tmp_path


def test_folders_of_videos_and_samples(invoke, videos):
    one, two = ("--predictions", videos / "one"), ("--predictions", videos / "two")
    folder, measured = evaluate(invoke, videos, *two, *one, "--truth", videos / "true", "--metrics", "psnr,mae", "--context", 2)
    found = measured["methods"]["prediction"]
    assert found["psnr_best"] > found["psnr"] + 3 and found["mae_best"] < found["mae"]
    assert "2 samples of each" in measured["protocol"] and [row["frames"] for row in measured["clips"]] == [3, 3]
    assert set(measured["methods"]) == {"prediction", "copy_last_frame"}
    assert (folder / "test" / "videos" / "a.mp4").is_file()


def test_the_best_sample_is_chosen_for_each_metric():
    values = [
        {"psnr": np.array([1.0, 5.0]), "mse": np.array([0.1, 0.2])},
        {"psnr": np.array([2.0, 2.0]), "mse": np.array([0.3, 0.1])},
    ]
    joined = best_and_mean([{**one, "sharpness_ratio": np.ones(2)} for one in values])
    assert joined["psnr_best"].tolist() == [1, 5] and joined["psnr"].tolist() == [1.5, 3.5]
    assert joined["mse_best"].tolist() == [0.1, 0.2] and "sharpness_ratio_best" not in joined


def test_a_feature_network_of_one_s_own(videos, squeezenet, invoke):
    options = ("--predictions", videos / "one", "--truth", videos / "true", "--features", squeezenet)
    _, measured = evaluate(invoke, videos, *options, "--metrics", "feature_distance")
    found = {name: of["feature_distance"] for name, of in measured["methods"].items()}
    assert 0 < found["prediction"] < 0.5 * found["copy_last_frame"]
    assert "feature distance by squeezenet" in measured["protocol"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "give --run, or --predictions"),
        (("--run", "nowhere"), "neither a run folder"),
        (("--predictions", "{one}"), "--truth"),
        (("--predictions", "{one}", "--truth", "{none}"), "no such folder"),
        (("--predictions", "{one}", "--truth", "{true}", "--clips", "c"), "there is no c in it"),
        (("--predictions", "{one}", "--truth", "{true}", "--metrics", "beauty"), "there is no beauty"),
        (("--predictions", "{one}", "--truth", "{true}", "--metrics", "feature_distance"), "--features"),
        (("--predictions", "{one}", "--truth", "{true}", "--metrics", "lpips"), "lpips"),
        (("--predictions", "{one}", "--truth", "{true}", "--context", "5"), "nothing is left"),
    ],
)
def test_a_mistake_is_one_clear_line(invoke, videos, options, message):
    named = [option.format(one=videos / "one", true=videos / "true", none=videos / "none") for option in options]
    done = invoke("evaluate", *named, "--results-dir", videos / "results")
    assert done.exit_code == 2 and message in done.stderr and done.stderr.count("\n") == 1, done.stderr
