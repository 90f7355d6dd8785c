"""The models that come along: they are whole, said honestly, found by name, and reach the figures that they claim."""

import io
import json
import re
import shlex
import zipfile
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from analogy.cli.predict import _open
from analogy.errors import UserError
from analogy.measure import check_evaluation, evaluate
from analogy.metrics.table import HEADLINES
from analogy.resolve import resolve_settings
from analogy.runs.find import endpoints_of
from analogy.runs.ready import FOLDER as READY_MODELS
from analogy.runs.ready import FOR_VIDEOS, coming_along, ready_models, run_or_ready
from analogy.runs.uses import checksum, open_used
from analogy.settings import find_experiment, list_experiments, load_settings
from analogy.systems import SYSTEMS
from analogy.systems.run_settings import settings_of_run
from analogy.training.checkpoint import load_networks
from analogy.visualise.wording import compare
from experiments.ready_models import KEPT, app, take_over

LARGEST = 6 * 2**20  # bytes of all together in a wheel, which is a zip file
OF_VIDEOS = ("convlstm_plus", FOR_VIDEOS, "vgg_lstm_plus")  # of three papers, each predicts the next frames of any video


def bytes_in_a_wheel(folder: Path) -> int:
    with zipfile.ZipFile(packed := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as wheel:
        for file in sorted(folder.rglob("*")):
            wheel.write(file, file.relative_to(folder))
    return len(packed.getvalue())


def test_what_cannot_be_put_in_its_place_is_not_trained(monkeypatch, tmp_path):
    monkeypatch.setattr("subprocess.run", lambda *values, **options: pytest.fail("a model was trained"))
    monkeypatch.setattr("experiments.ready_models.FOLDER", tmp_path / "file")
    (tmp_path / "file").touch()
    for name, why in (("lvln_nix", "lvln_nix: no model of this name comes along"), (FOR_VIDEOS, "file is a file; allow it")):
        done = CliRunner().invoke(app, [name])
        assert done.exit_code == 2 and why in done.stderr


def test_they_are_small_whole_and_name_no_place_of_a_machine():
    models = ready_models()
    assert FOR_VIDEOS in models and sum(bytes_in_a_wheel(model.run) for model in models.values()) < LARGEST
    for name, model in models.items():
        assert model.about.keys() == {"does", "data", "command", "real", "limits", "use"}
        assert model.summary["experiment"] == name and model.summary["status"] == "finished" and model.summary["baseline"]
        assert model.summary["seed"] == 0 and model.summary["checksum"] == checksum(model.run / "saved_model")
        assert len(model.summary["commit"]) >= 40
        command = shlex.split(model.about["command"])
        assert command[:3] == ["analogy", "run", name] and str(model.summary["steps"]) in {*command, str(_steps(name))}
        metric = next(metric for metric in HEADLINES if metric in model.summary["test"])
        copying = next(figures[metric] for figures in model.summary["baseline"].values() if metric in figures)
        assert compare(metric, model.summary["test"][metric], copying).verdict == "wins" or "LOSE" in model.about["limits"]
        assert settings_of_run(model.run).experiment == name
        assert b"serving_default" in (model.run / "saved_model" / "saved_model.pb").read_bytes()
        place = re.compile(rb"/(home|root|Users|tmp|work|mnt)/")
        assert not [file for file in model.run.rglob("*") if file.is_file() and place.search(file.read_bytes())]


def _steps(name: str) -> int:
    """Of the demo, where the command names none."""
    return load_settings(find_experiment(name), SYSTEMS, scale="demo").training.steps


@pytest.mark.parametrize("name", sorted(ready_models()))
def test_its_command_trains_the_experiment_as_it_is_today(name):
    """With its own network and frames, so that `make models` makes it again, and training can start from it."""
    words = shlex.split(ready_models()[name].about["command"])
    changes = [word for before, word in pairwise(words) if before == "--set"]
    today = load_settings(find_experiment(name), SYSTEMS, scale="demo", overrides=changes)
    model = settings_of_run(ready_models()[name].run)
    assert getattr(model, "network", None) == getattr(today, "network", None)
    for key in ("context", "horizon", "image_size"):
        assert getattr(model.data, key, None) == getattr(today.data, key, None), key


def test_predict_takes_one_by_name_only_where_there_is_no_run_of_ones_own(tmp_path, capsys):
    folder, settings = _open(FOR_VIDEOS, tmp_path)
    assert folder == ready_models()[FOR_VIDEOS].run and settings.experiment == FOR_VIDEOS
    assert "there is no run of your own" in capsys.readouterr().out
    (tmp_path / FOR_VIDEOS).mkdir()
    with pytest.raises(UserError, match="neither a run folder nor an experiment"):
        _open(FOR_VIDEOS, tmp_path)


def test_a_name_that_is_nearly_a_model_s_names_it(tmp_path):
    with pytest.raises(UserError, match=r"--run lvln_pluss: .*, nor a model of `analogy models`; did you mean lvln_plus\?"):
        _open("lvln_pluss", tmp_path)


def test_a_model_builds_on_another_one_that_comes_along_and_calls_it_by_name(tmp_path):
    name, overrides = "keypoints_plus_motion", ["train_used=false"]
    settings = resolve_settings(name, results_dir=tmp_path, scale="demo", overrides=overrides, writes=False)
    translator = ready_models()["keypoints_plus"].run
    assert settings.uses == {"translator": str(translator)}
    model = ready_models()[name]
    assert settings_of_run(model.run).uses == {"translator": "keypoints_plus"}
    used = model.summary["uses"]["translator"][-1]
    assert used == {"run": "keypoints_plus", "checksum": checksum(translator)}, "it moves the keypoints of that one alone"
    assert coming_along("keypoints_plus") == translator and coming_along("mine") is None
    (tmp_path / "keypoints_plus").mkdir()
    with pytest.raises(UserError, match="neither a run folder nor an experiment"):
        resolve_settings(name, results_dir=tmp_path, scale="demo", overrides=overrides, writes=False)


@pytest.mark.slow
def test_a_picture_and_an_action_are_enough(invoke, tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "me.png"), np.random.default_rng(0).integers(0, 256, (80, 70, 3), np.uint8))
    options = ["predict", tmp_path / "me.png", "--results-dir", tmp_path, "--out", tmp_path / "out"]
    assert "--action is missing; this run knows baseball_pitch, bowl" in invoke(*options).output
    done = invoke(*options, "--action", "golf_swing", "--samples", 2)
    assert done.exit_code == 0 and "keypoints_plus_motion, which comes along" in done.output, (done.output, done.exception)
    assert (tmp_path / "out" / "index.html").is_file() and np.load(tmp_path / "out" / "keypoints.npy").shape == (2, 32, 24, 2)


def small_system():
    """One layer, two endpoints of its own that share a graph, and one that calls the model of another run."""
    import keras
    import tensorflow as tf

    network, other = keras.layers.Dense(1, use_bias=False), tf.Variable(tf.zeros([100_000]))
    network.build([None, 2])
    network.set_weights([np.array([[1.0001], [3.0]])])
    dropout = keras.layers.Dropout(0.5, seed=70_001)  # its state is an integer, which half precision does not hold

    def endpoint(function):
        return tf.function(function, input_signature=[tf.TensorSpec([None, 2], tf.float32, "values")])

    def endpoints():
        answer = tf.function(network)
        return {
            "generate": endpoint(lambda values: {"out": network(values) + other[0]}),
            "sample": endpoint(lambda values: {"out": answer(values)}),
            "decode": endpoint(lambda values: {"out": -answer(values)}),
        }

    return SimpleNamespace(exported=[network, dropout], endpoints=endpoints)


def test_a_run_is_reduced_to_what_predicting_needs(tmp_path, monkeypatch):
    import tensorflow as tf

    run, folder, system = tmp_path / "run", tmp_path / "keypoints_plus_motion", small_system()
    monkeypatch.setattr("analogy.training.in_float32.predicting_system", {run: system}.get)
    run.mkdir()
    (run / "settings.yaml").write_text(f"uses: {{translator: {READY_MODELS}/keypoints_plus}}\n")
    (run / "environment.json").write_text(json.dumps({"commit": "abc", "earlier_commits": ["old"], "folder": str(run)}))
    (run / "summary.json").write_text(
        json.dumps(
            {"seed": 0, "precision": "float32", "test": {"psnr": 1.0}, "clips": [{"clip": "a", "video": 1}], "parts": []}
        )
    )
    (folder / "saved_model").mkdir(parents=True)
    (folder / "saved_model" / "old").write_text("old")
    (folder / "about.yaml").write_text("does: it\n")
    take_over(run, folder)
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {"about.yaml", "saved_model/saved_model.pb", "settings.yaml", "summary.json"} < files
    assert "saved_model/old" not in files
    summary = json.loads((folder / "summary.json").read_text())
    assert (
        summary.keys() <= {*KEPT, "clips", "commit", "earlier_commits", "checksum"}
        and summary["clips"] == [{"clip": "a"}]
        and (summary["earlier_commits"], summary["commit"]) == (["old"], "abc")
    )
    assert summary["checksum"] == checksum(folder / "saved_model")
    assert (folder / "settings.yaml").read_text() == "uses: {translator: keypoints_plus}\n"
    again = tf.saved_model.load(str(folder / "saved_model"))
    assert (
        endpoints_of(again) == ["decode", "sample"] and sum(file.stat().st_size for file in folder.rglob("*.data-*")) < 100_000
    )
    assert again.weights[0].dtype == tf.float16 and 70_001 in again.weights[1].numpy()
    assert again.sample(values=tf.ones([1, 2]))["out"].numpy().tolist() == [[4.0]], "rounded to half precision"
    for name in ("sample", "serving_default"):
        assert again.signatures[name](values=tf.ones([1, 2]))["out"].numpy().tolist() == [[4.0]]
    assert again.decode(values=tf.ones([1, 2]))["out"].numpy().tolist() == [[-4.0]]
    assert system.exported[0](tf.ones([1, 2])).numpy().tolist() == [[pytest.approx(4.0001, abs=1e-6)]], "it is as it was"


@pytest.mark.parametrize("name", OF_VIDEOS)
def test_training_starts_from_one_by_its_name_where_there_is_no_run_of_ones_own(name, tmp_path):
    assert run_or_ready(name, tmp_path, "training.start_from") == ready_models()[name].run
    settings = resolve_settings(
        name, results_dir=tmp_path, scale="demo", overrides=[f"training.start_from={name}"], writes=False
    )
    assert Path(settings.training.start_from.run) == ready_models()[name].run
    (tmp_path / name).mkdir()
    with pytest.raises(UserError, match="neither a run folder nor an experiment"):
        run_or_ready(name, tmp_path, "training.start_from")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ready_models()))
def test_the_networks_of_each_fit_its_experiment(name):
    import tensorflow as tf

    from analogy.training.distribute import local_strategy
    from analogy.training.loop import build_system

    settings = settings_of_run(ready_models()[name].run)
    entry = SYSTEMS[settings.system]
    system = build_system(entry.build, settings, local_strategy("cpu"), None, open_used(settings, entry.system.needs))
    path = load_networks(system, ready_models()[name].run)
    assert path.endswith("saved_model")
    saved = tf.train.load_checkpoint(f"{path}/variables/variables")
    for index, weight in enumerate(variable for network in system.exported for variable in network.variables):
        value = saved.get_tensor(f"weights/{index}/.ATTRIBUTES/VARIABLE_VALUE")
        assert value.dtype == (np.float16 if weight.dtype == "float32" else np.int64)
        assert np.array_equal(weight, value), "what predicts has them, also where it is a copy"


def test_the_list_of_models(invoke):
    done = invoke("models")
    assert done.exit_code == 0 and all(f"{name}  (" in done.output for name in ready_models())
    for words in ("motion continued", "LOSES in SSIM", "not good for: ", "analogy run lvln_plus --scale demo", "start_from="):
        assert words in done.output


def test_each_is_measured_by_its_name_or_folder_where_there_is_no_run_of_ones_own(tmp_path):
    for name, ready in ready_models().items():
        for run in (name, ready.run, ready.run / "saved_model"):
            subject = check_evaluation(run=str(run), results_dir=tmp_path).subject
            assert (subject.folder, subject.exported) == (ready.run / "saved_model", True)
    recogniser = check_evaluation(run="pose_lstm_residual", recogniser="pose_actions", results_dir=tmp_path).recogniser
    assert recogniser == ready_models()["pose_actions"].run
    (tmp_path / FOR_VIDEOS).mkdir()
    with pytest.raises(UserError, match="--run lvln_plus: neither a run folder nor an experiment"):
        check_evaluation(run=FOR_VIDEOS, results_dir=tmp_path)
    with pytest.raises(UserError, match="nor a model of `analogy models`; did you mean lvln_plus"):
        check_evaluation(run="lvln_pluss", results_dir=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ready_models()))
def test_each_reaches_its_figures_as_it_comes_along(name, tmp_path):
    """On one of its test clips, so that it takes seconds."""
    ready = ready_models()[name]
    claimed = {str(row["clip"]): row for row in ready.summary["clips"][:1]}
    plan = check_evaluation(run=name, clips=tuple(claimed), results_dir=tmp_path)
    measured = {str(row["clip"]): row for row in json.loads((evaluate(plan) / "summary.json").read_text())["clips"]}
    metrics = [metric for metric in HEADLINES if metric in ready.summary["test"]]
    assert metrics and measured.keys() == claimed.keys()
    for clip, row in claimed.items():
        for metric in metrics:
            assert measured[clip][metric] == pytest.approx(row[metric], rel=5e-3), (clip, metric)


def test_a_video_without_further_options_is_predicted_by_it(invoke, tmp_path):
    from analogy.visualise.video import write_mp4

    frames = 20 * np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 64, 96, 3), np.uint8)
    write_mp4(tmp_path / "mine.mp4", frames, 10)
    done = invoke("predict", tmp_path / "mine.mp4", "--results-dir", tmp_path / "results")
    assert done.exit_code == 0, (done.output, done.exception)
    assert "lvln_plus, which comes along, predicts the frames" in done.output
    page = (tmp_path / "results" / "predictions" / "mine" / "index.html").read_text()
    assert " · by lvln_plus, which comes along · from frame 0 on 5 frames are" in page


def test_what_an_experiment_promises_of_a_model_that_comes_along_is_what_that_reaches():
    advice = load_settings(find_experiment("keypoints_penn_full"), SYSTEMS, scale="demo").try_next["keypoints_plus_motion"]
    summary = ready_models()["keypoints_plus_motion"].summary
    test, copied, still = summary["test"], summary["baseline"]["copy_first_frame"], summary["baseline"]["still"]
    figures = (test["keypoint_error"], still["keypoint_error"], test["psnr"], copied["psnr"])
    assert re.findall(r"\d+\.\d+", advice) == [f"{figure:.2f}" for figure in figures]
    assert ("its frames LOSE" in advice) == (test["psnr"] < copied["psnr"])


@pytest.mark.slow
def test_every_paper_has_one_and_the_others_predict_videos_by_name(invoke, tmp_path):
    """A GIF, and more frames than the ConvLSTM answers with at once; a prediction that is the truth's likeness, never flat."""
    import cv2

    from analogy.visualise.video import write_gif

    models, experiments = ready_models(), list_experiments()
    assert {experiments[name].paper for name in models} == {experiment.paper for experiment in experiments.values()}
    frames = np.stack([np.roll(picture(), 2 * shift, 1) for shift in range(17)])
    write_gif(tmp_path / "mine.gif", frames, 10)
    for name in sorted({*OF_VIDEOS} - {FOR_VIDEOS}):
        out = tmp_path / name
        done = invoke(
            "predict", tmp_path / "mine.gif", "--run", name, "--horizon", 7, "--results-dir", tmp_path / "none", "--out", out
        )
        assert done.exit_code == 0 and "the model that comes along is taken" in done.output, (done.output, done.exception)
        predicted = [cv2.imread(str(path))[..., ::-1] for path in sorted((out / "frames").iterdir())]
        assert len(predicted) == 7 and (out / "index.html").is_file()
        observed = cv2.resize(frames[0], predicted[0].shape[1::-1], interpolation=cv2.INTER_AREA)
        for frame in predicted:
            assert 0.5 < frame.std() / observed.std() < 1.5 and abs(frame.mean() - observed.mean()) < 20


def picture() -> np.ndarray:
    """A bright disc before a slope of colour, uint8 [64, 96, 3]."""
    rows, columns = np.mgrid[:64, :96].astype(np.float32)
    slope = np.stack([2 * rows, columns, 160 - rows], -1)
    return np.where(((rows - 30) ** 2 + (columns - 40) ** 2 < 200)[..., None], 230, slope).astype(np.uint8)
