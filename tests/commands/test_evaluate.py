"""`analogy evaluate`: a run measured again, as exported, and folders of videos."""

import csv
import json
import shutil
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import scipy.io
import tensorflow as tf

from analogy.cli.console import names_in
from analogy.data.video import read_video, write_pictures
from analogy.errors import UserError
from analogy.evaluation import judge
from analogy.measure import check_evaluation
from analogy.metrics.perceptual import FeatureDistance, Lpips
from analogy.predictions.frames import mean_and_best
from analogy.pretrained.fetching import FILES
from analogy.runs.export import export_saved_model
from analogy.runs.reading import read_runs
from analogy.settings import find_experiment, load_settings, write_settings
from analogy.systems import SYSTEMS
from analogy.training.checkpoint import Checkpoints
from analogy.visualise.video import write_mp4
from data_prep.datasets import open_dataset

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


def test_halves_that_were_exchanged_after_the_training_are_said(invoke, finished, actors, tmp_path):
    run, data = finished[0], tmp_path / "data"
    shutil.copytree(actors, data)
    for file in (data / "labels").glob("*.mat"):
        fields = {name: value for name, value in scipy.io.loadmat(file).items() if name[0] != "_"}
        scipy.io.savemat(file, fields | {"train": -int(fields["train"][0, 0])})
    _, measured = evaluate(invoke, tmp_path, "--run", run, "--data-dir", data, "--metrics", "psnr")
    assert "NOT the data of the training: which clips train, which clips test differ" in measured["protocol"]
    done = invoke("run", "--resume", run, "--data-dir", data, "--steps", 12)
    assert done.exit_code == 2 and "the data are not those of the first 8 steps: which clips train" in done.stderr


def test_the_exported_network_has_the_same_figures(invoke, finished, tmp_path):
    run, _ = finished
    clip = json.loads((run / "summary.json").read_text())["clips"][0]
    _, measured = evaluate(invoke, tmp_path, "--run", run / "saved_model", "--clips", clip["clip"], "--metrics", "psnr")
    assert measured["methods"]["prediction"]["psnr"] == pytest.approx(clip["psnr"], abs=0.05)
    assert len(measured["clips"]) == 1 and "as exported" in measured["summary"]


def test_a_clip_that_is_not_there_is_said_of_the_option_that_named_it(invoke, finished, tmp_path):
    run, _ = finished
    done = invoke("evaluate", "--run", run, "--clips", "nobody", "--results-dir", tmp_path)
    assert (
        done.exit_code == 2 and "error: --clips: there is no usable clip nobody in the dataset; there are 0001" in done.stderr
    )
    done = invoke("evaluate", "--run", run, "--clips", "0001", "--results-dir", tmp_path)
    assert done.exit_code == 2 and "0001: in the training and in the test half; name others with --clips\n" in done.stderr


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
    write_pictures(tmp_path / "small" / "a", np.zeros((3, 8, 8, 3), np.uint8))
    write_pictures(tmp_path / "copy" / "a", np.zeros((3, 8, 8, 3), np.uint8))
    return tmp_path


def test_folders_of_videos_and_samples(invoke, videos):
    first, second = ("--predictions", videos / "one"), ("--predictions", videos / "two")
    folder, measured = evaluate(
        invoke, videos, *second, *first, "--truth", videos / "true", "--metrics", "psnr,mae", "--context", 2
    )
    figures = measured["methods"]["prediction"]
    assert figures["psnr_best"] > figures["psnr"] + 3 and figures["mae_best"] < figures["mae"]
    assert "2 samples of each" in measured["protocol"] and [row["frames"] for row in measured["clips"]] == [3, 3]
    assert set(measured["methods"]) == {"prediction", "copy_last_frame"}
    assert (folder / "test" / "videos" / "a.mp4").is_file()


def test_how_predictions_are_stored_stands_in_the_protocol(invoke, videos):
    write_mp4(videos / "coded" / "a.mp4", np.stack(read_video(videos / "one" / "a").frames), 5)
    for folder, stored in (("one", "stored as png;"), ("coded", "stored as h264 (lossy);")):
        options = ("--predictions", videos / folder, "--truth", videos / "true", "--clips", "a", "--metrics", "psnr")
        _, measured = evaluate(invoke, videos / folder, *options)
        assert f"predictions {stored}" in measured["protocol"] + ";"
        assert "NOT MEASURED: 1 of the 2 true videos" in measured["protocol"]


def test_the_best_sample_is_chosen_for_each_metric():
    values = [
        {"psnr": np.array([1.0, 5.0]), "mse": np.array([0.1, 0.2])},
        {"psnr": np.array([2.0, 2.0]), "mse": np.array([0.3, 0.1])},
    ]
    joined = mean_and_best([{**figures, "sharpness_ratio": np.ones(2)} for figures in values])
    assert joined["psnr_best"].tolist() == [1, 5] and joined["psnr"].tolist() == [1.5, 3.5]
    assert joined["mse_best"].tolist() == [0.1, 0.2] and "sharpness_ratio_best" not in joined


def test_a_feature_network_of_one_s_own(videos, squeezenet, invoke):
    options = ("--predictions", videos / "one", "--truth", videos / "true", "--features", squeezenet)
    _, measured = evaluate(invoke, videos, *options, "--metrics", "feature_distance")
    distances = {name: figures["feature_distance"] for name, figures in measured["methods"].items()}
    assert 0 < distances["prediction"] < 0.5 * distances["copy_last_frame"]
    assert "feature distance by SqueezeNet (squeezenet" in measured["protocol"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "give either --run, or --predictions"),
        (("--run", "nowhere"), "neither a run folder"),
        (("--run", ""), "--run: the name of a run is missing"),
        (("--run", "x" * 300), "File name too long; name another file or folder"),
        (("--predictions", "{one}"), "--truth"),
        (("--predictions", "{one}", "--truth", "{none}"), "no such folder"),
        (("--predictions", "{one}", "--truth", "{true}", "--clips", "c"), "give a prediction and its true video the same name"),
        (("--predictions", "{true}", "--truth", "{true}"), "would be its own prediction"),
        (("--predictions", "{one}", "--truth", "{true}", "--metrics", "beauty"), "there is no beauty"),
        (("--predictions", "{one}", "--truth", "{true}", "--metrics", "feature_distance"), "--features"),
        (
            ("--predictions", "{one}", "--truth", "{true}", "--metrics", "feature_distance", "--features", "hed"),
            "get it with `analogy fetch vgg16-hed`",
        ),
        (("--predictions", "{one}", "--truth", "{true}", "--features", "hed"), "--features has no meaning without"),
        (("--predictions", "{one}", "--truth", "{true}", "--metrics", "psnr", "--fvd-frames", "16"), "--fvd-frames has no"),
        (("--predictions", "{one}", "--truth", "{true}", "--metrics", "fvd", "--fvd-frames", "3"), "--fvd-frames: FVD needs"),
        (("--predictions", "{one}", "--truth", "{true}", "--data-dir", "{one}"), "--data-dir has no meaning"),
        (("--predictions", "{small}", "--truth", "{copy}"), "at least 11"),
        (("--predictions", "{one}", "--truth", "{true}", "--context", "5"), "nothing is left"),
    ],
)
def test_a_mistake_is_one_clear_line(invoke, videos, monkeypatch, options, message):
    monkeypatch.setenv("ANALOGY_CACHE", str(videos / "empty"))  # as on a machine where nothing was fetched
    named = [
        option.format(
            one=videos / "one", true=videos / "true", none=videos / "none", small=videos / "small", copy=videos / "copy"
        )
        for option in options
    ]
    done = invoke("evaluate", *named, "--results-dir", videos / "results")
    assert done.exit_code == 2 and message in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_all_mistakes_are_said_before_anything_is_loaded(invoke, videos, monkeypatch):
    def touched(*args, **kwargs):
        raise AssertionError("something was loaded")

    monkeypatch.setenv("ANALOGY_CACHE", str(videos / "empty"))
    monkeypatch.setattr(judge.Measures, "choose", touched)
    monkeypatch.setattr("data_prep.datasets.open_dataset", touched)
    (videos / "file").touch()
    options = ("--run", "nowhere", "--truth", videos / "true", "--metrics", "psnr,beauty,fvd,feature_distance")
    options += ("--recogniser", "nobody", "--features", videos / "no.npz", "--results-dir", videos / "file")
    done = invoke("evaluate", *options)
    expected = ("--truth has no meaning", "there is no beauty", "--features", "choose another --results-dir", "--recogniser")
    lines = done.stderr.splitlines()
    assert done.exit_code == 2 and all(line.startswith("error: ") for line in lines)
    for message in (*expected, "--run nowhere: neither"):
        assert sum(message in line for line in lines) == 1, (message, lines)
    assert len(lines) == 6
    done = invoke("evaluate", "--predictions", videos / "one", "--truth", videos / "true", "--metrics", "fvd")
    assert done.exit_code == 2 and "I3D's weights" in done.stderr and "analogy fetch i3d" in done.stderr


def test_lpips_says_what_it_needs(invoke, videos, monkeypatch):
    monkeypatch.setitem(sys.modules, "lpips", None)
    options = ("--predictions", videos / "one", "--truth", videos / "true", "--metrics", "lpips")
    done = invoke("evaluate", *options, "--results-dir", videos / "results")
    assert done.exit_code == 2 and "LPIPS needs PyTorch" in done.stderr


def test_lpips_asks_its_library_for_three_channels_in_minus_one_to_one(monkeypatch):
    asked = []

    class Network:
        def __init__(self, net, verbose):
            assert net == "alex"

        def __call__(self, a, b):
            asked.append((a, b))
            mean = np.abs(a - b).mean((1, 2, 3))
            return SimpleNamespace(ravel=lambda: SimpleNamespace(numpy=lambda: mean))

    monkeypatch.setitem(sys.modules, "lpips", SimpleNamespace(LPIPS=Network))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(no_grad=nullcontext, from_numpy=np.asarray))
    truth = np.zeros((20, 8, 8, 1), np.uint8)
    prediction = np.full((20, 8, 8, 1), 255, np.uint8)
    np.testing.assert_allclose(Lpips()(truth, prediction), 2.0)
    assert [a.shape for a, _ in asked] == [(16, 3, 8, 8), (4, 3, 8, 8)] and {a.min() for a, _ in asked} == {-1.0}
    assert {b.max() for _, b in asked} == {1.0} and asked[0][0].dtype == np.float32


def test_a_feature_distance_by_hand():
    def features(images):  # two channels: the picture's first, and 1
        return tf.concat([images[..., :1], tf.ones_like(images[..., :1])], -1)

    black, white = np.zeros((1, 2, 2, 3), np.uint8), np.full((1, 2, 2, 3), 255, np.uint8)
    # (-1, 1) and (1, 1) are at right angles: unit vectors sqrt(2) apart.
    np.testing.assert_allclose(FeatureDistance(features)(black, white), 2.0, rtol=1e-6)
    np.testing.assert_allclose(FeatureDistance(features)(white, white), 0.0)


def write_run(results, name, *overrides):
    """A run of demo scale with a checkpoint and an export, not trained. Returns its settings."""
    settings = load_settings(find_experiment(name), SYSTEMS, scale="demo", overrides=["training.steps=1", *overrides])
    keras.utils.set_random_seed(0)
    system = SYSTEMS[settings.system].build(settings)
    system.prepare_training()
    folder = results / name / "2026-11-21_120000"
    Checkpoints(folder / "checkpoints", system, tf.Variable(1, dtype=tf.int64), 1).save({})
    export_saved_model(system, folder / "saved_model")
    write_settings(settings, folder / "settings.yaml")
    (folder / "summary.json").write_text(json.dumps({"status": "finished", "experiment": name}))
    return settings


@pytest.fixture(scope="module")
def sequence_runs(tmp_path_factory):
    """A run of sequences and one of movies."""
    results = tmp_path_factory.mktemp("sequence_runs")
    small = ("data.context=2", "data.horizon=3", "network.units=4")
    write_run(results, "seq2seq_noise_l1", *small, "data.train_count=40", "data.test_count=6", "data.groups_of=3")
    write_run(results, "convlstm_plus_mmnist", *small, "data.test_count=3")
    return results


@pytest.mark.parametrize(
    ("name", "clip"), [("seq2seq_noise_l1", "001"), pytest.param("convlstm_plus_mmnist", "00002", marks=pytest.mark.slow)]
)
def test_sequences_and_movies_are_measured_again(invoke, sequence_runs, tmp_path, name, clip):
    run = sequence_runs / name / "2026-11-21_120000"
    _, whole = evaluate(invoke, tmp_path / "whole", "--run", run)
    _, part = evaluate(invoke, tmp_path / "one", "--run", run / "saved_model", "--clips", clip)
    assert whole["context"] == 2 and whole["horizon"] == 3 and len(part["clips"]) == 1 < len(whole["clips"])
    (row,) = (row for row in whole["clips"] if row["clip"] == clip)
    assert part["clips"][0]["mse"] == pytest.approx(row["mse"], rel=1e-4)
    done = invoke("evaluate", "--run", run, "--clips", "nobody", "--results-dir", tmp_path)
    assert done.exit_code == 2 and "--clips nobody: there is no such test clip" in done.stderr


def test_an_export_is_found_where_runs_are_found(sequence_runs, monkeypatch):
    name = "seq2seq_noise_l1/2026-11-21_120000"
    monkeypatch.setenv("HOME", str(sequence_runs))
    elsewhere = {"results_dir": sequence_runs / "none"}
    for run, options in ((name, {"results_dir": sequence_runs}), (f"~/{name}", elsewhere), (sequence_runs / name, elsewhere)):
        plans = [check_evaluation(run=f"{run}{part}", **options) for part in ("", "/saved_model")]
        assert [plan.subject.exported for plan in plans] == [False, True]
        assert [plan.subject.folder for plan in plans] == [sequence_runs / name, sequence_runs / name / "saved_model"]


def test_a_run_without_its_checkpoints_is_measured_as_exported(sequence_runs, tmp_path):
    run = shutil.copytree(sequence_runs / "seq2seq_noise_l1" / "2026-11-21_120000", tmp_path / "run")
    shutil.rmtree(run / "checkpoints")
    subject = check_evaluation(run=str(run), results_dir=tmp_path).subject
    assert (subject.folder, subject.exported) == (run / "saved_model", True)
    shutil.rmtree(run / "saved_model")
    with pytest.raises(UserError, match="there is no checkpoint in it, and no saved_model; name a finished run"):
        check_evaluation(run=str(run), results_dir=tmp_path)


def test_all_mistakes_are_said(invoke, tmp_path):
    def said(*options):
        done = invoke("evaluate", *options, "--results-dir", tmp_path / "results")
        assert done.exit_code == 2
        return done.stderr.splitlines()

    assert said("--predictions", tmp_path / "p", "--predictions", tmp_path / "q") == [
        "error: --predictions needs --truth, the folder of true videos",
        f"error: --predictions {tmp_path / 'p'}: there is no such folder",
        f"error: --predictions {tmp_path / 'q'}: there is no such folder",
    ]
    lines = said("--run", "nothing", "--data-dir", tmp_path / "d", "--settings", tmp_path / "s.yaml", "--metrics", "beauty")
    for text in ("there is no beauty", "--run nothing", f"--data-dir {tmp_path / 'd'}", f"--settings {tmp_path / 's.yaml'}"):
        assert sum(text in line for line in lines) == 1, (text, lines)
    assert len(lines) == 4


def test_fvd_is_printed_with_what_judges_it(invoke, videos, monkeypatch):
    class Means:
        def __init__(self, path):
            del path

        def logits(self, frames):
            return np.asarray(frames).mean((1, 2, 3)) / 255.0

    monkeypatch.setattr(judge, "I3d", Means)
    monkeypatch.setenv("ANALOGY_CACHE", str(videos))
    (videos / "weights").mkdir()
    (videos / "weights" / FILES["i3d"]).touch()
    for folder in ("true", "one"):
        shutil.rmtree(videos / folder / "a")
    write_pictures(videos / "true" / "a", RNG.integers(0, 256, (11, 32, 32, 3), dtype=np.uint8))
    write_pictures(videos / "one" / "a", np.zeros((11, 32, 32, 3), np.uint8))
    options = ("--predictions", videos / "one", "--truth", videos / "true", "--metrics", "psnr,fvd", "--fvd-frames", "10")
    done = invoke("evaluate", *options, "--results-dir", videos / "results")
    assert done.exit_code == 2 and "1 videos have 10 predicted frames (1 are shorter)" in done.stderr
    assert [run.status for run in read_runs(videos / "results")] == ["failed"]
    for folder in ("true", "one"):
        shutil.rmtree(videos / folder / "b")
        write_pictures(videos / folder / "b", RNG.integers(0, 256, (11, 32, 32, 3), dtype=np.uint8))
    _, measured = evaluate(invoke, videos / "again", *options)
    assert measured["methods"]["prediction"]["fvd"] > 0 and "2 real and 2 predicted videos" in measured["protocol"]
    assert "halves undefined for so few; fewer than 256 videos" in measured["protocol"]


@pytest.fixture(scope="module")
def pose_runs(tmp_path_factory, actors):
    """A predictor and a recogniser of the rendered people."""
    results = tmp_path_factory.mktemp("pose_runs")
    small = (
        "data.context=3",
        "data.horizon=4",
        "data.min_future=4",
        "data.min_frames=8",
        "network.units=8",
    )
    for name in ("pose_lstm", "pose_actions"):
        settings = write_run(results, name, f"data.folder={actors}", "data.dataset=penn_action", *small)
        assert open_dataset(settings).test
    return results


@pytest.mark.slow
def test_predicted_poses_are_recognised(invoke, pose_runs, tmp_path):
    run, recogniser = pose_runs / "pose_lstm", pose_runs / "pose_actions"
    folder, measured = evaluate(invoke, tmp_path, "--run", run, "--recogniser", recogniser)
    assert 0 <= measured["methods"]["prediction"]["accuracy"] <= 1 and "accuracy" in measured["methods"]["hold_last_pose"]
    assert "of true poses it recognises" in measured["protocol"] and "Accuracy" in (folder / "table.md").read_text()
    alone = shutil.copytree(next(recogniser.iterdir()) / "saved_model", tmp_path / "alone")
    for options, message in (
        (("--metrics", "psnr"), "predicts no frames"),
        (("--recogniser", run), "error: --recogniser: "),  # it has no endpoint `classify`
        (("--recogniser", alone), f"error: --recogniser {alone}: it has no settings.yaml with its actions"),
    ):
        done = invoke("evaluate", "--run", run, *options, "--results-dir", tmp_path)
        assert done.exit_code == 2 and message in done.stderr and done.stderr.count("error: ") == 1


@pytest.mark.parametrize("name", ["pose_lstm", "pose_actions"])
def test_exports_of_poses_are_measured_as_they_are(invoke, pose_runs, tmp_path, name):
    (run,) = (pose_runs / name).iterdir()
    _, measured = evaluate(invoke, tmp_path, "--run", run / "saved_model")
    assert "prediction" in measured["methods"] and len(measured["clips"]) == 11
    assert ("the export is not told" in measured["protocol"]) == (name == "pose_lstm")


def test_a_name_that_holds_a_comma_stands_in_quotes():
    assert names_in('0050, "Smith, J. #2" ,a"b,\nc') == ["0050", "Smith, J. #2", 'a"b', "c"]
    assert names_in(None) == names_in(" , ") == []
