"""predict.py, and both steps joined in one SavedModel."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from analogy.cli.predict import NEXT_FRAMES
from analogy.data.video import read_video
from analogy.errors import UserError
from analogy.runs.export import export_saved_model
from analogy.runs.find import finished_runs
from analogy.runs.ready import FOR_VIDEOS
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from analogy.systems.hierarchical.estimation.hourglass import Hourglass
from analogy.systems.hierarchical.estimation.tflite import Pose, whole_frame
from analogy.systems.hierarchical.estimation.tracking import track_person
from analogy.systems.hierarchical.pipeline import Pipeline, crop_box
from analogy.systems.hierarchical.pose_files import read_poses
from analogy.systems.hierarchical.steps import find_steps
from analogy.visualise.video import write_mp4
from tests.poses import tiny_settings

RNG = np.random.default_rng(0)


def test_the_crop_holds_everybody_visible_and_stays_in_the_frame():
    joints, visibility = np.zeros([2, 13, 2], np.float32), np.zeros([2, 13], np.float32)
    joints[0, 1], joints[1, 2], visibility[0, 1], visibility[1, 2] = (20, 30), (60, 110), 1, 1
    size = np.array([200, 115])
    assert crop_box(joints, visibility, size, margin=0.1).numpy().tolist() == [12, 22, 68, 115]
    assert crop_box(joints, 0 * visibility, size, margin=0.0).numpy().tolist() == [0, 0, 200, 115]
    joints[:] = (199, 114)
    low_x, low_y, high_x, high_y = crop_box(joints, visibility, size).numpy()
    assert high_x - low_x >= 16 and high_y - low_y >= 16 and high_x <= 200 and high_y <= 115


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A pose run and an analogy run, hardly trained: exported, with a summary."""
    results = tmp_path_factory.mktemp("results")
    poses = tiny_settings("pose_lstm_residual")
    small = ("data.image_size=32", "generator.widths=[4, 8]", "generator.work_size=32")
    paint = load_settings(find_experiment("analogy_masked"), SYSTEMS, scale="demo", overrides=small)
    for name, settings in (("poses", poses), ("paint", paint)):
        keras.utils.set_random_seed(0)
        folder = results / name / "2026-11-21_120000"
        system = SYSTEMS[settings.system].build(settings)
        system.prepare_training()
        export_saved_model(system, folder / "saved_model")
        (folder / "summary.json").write_text(json.dumps({"system": settings.system, "status": "finished"}))
    return results


def scene(count=4):
    frame = RNG.integers(0, 256, (90, 120, 3), dtype=np.uint8)
    return frame, RNG.uniform(30, 70, (count, 13, 2)).astype(np.float32), np.ones([count, 13], np.float32)


STRANGER = """
import sys
import numpy as np
import tensorflow as tf

folder, inputs, outputs = sys.argv[1:]
loaded = tf.saved_model.load(folder)
given = {name: tf.constant(value) for name, value in np.load(inputs).items()}
np.savez(outputs, **loaded.predict(**given), **{f"s_{k}": v for k, v in loaded.signatures["predict"](**given).items()})
assert not {"analogy", "pydantic", "typer"} & set(sys.modules)
"""


@pytest.mark.slow
def test_one_saved_model_of_both_steps(runs, tmp_path):
    pipeline = Pipeline(finished_runs(runs, ("pose_residual",))[0], finished_runs(runs, ("analogy_masked",))[0])
    assert pipeline.context == 4 and pipeline.image_size == [32, 32]
    frame, joints, visibility = scene()
    given = {"frame": frame, "joints": joints, "visibility": visibility, "action": np.int32(-1), "count": np.int32(9)}
    expected = pipeline.predict(**{name: tf.constant(value) for name, value in given.items()})
    assert expected["frames"].shape == (9, 32, 32, 3) and expected["joints"].shape == (9, 13, 2)
    pipeline.export(tmp_path / "both")
    np.savez(tmp_path / "given.npz", **given)
    command = [sys.executable, "-c", STRANGER, tmp_path / "both", tmp_path / "given.npz", tmp_path / "got.npz"]
    subprocess.run(command, check=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": ""})
    got = np.load(tmp_path / "got.npz")
    for name, value in expected.items():
        for way in (name, f"s_{name}"):
            np.testing.assert_allclose(
                got[way].astype(float), value.numpy().astype(float), atol=1.01 if name == "frames" else 1e-3
            )


def test_runs_that_cannot_do_it_are_refused(runs):
    with pytest.raises(UserError, match="has no endpoint predict; it has generate, generate_clip"):
        Pipeline(finished_runs(runs, ("analogy_masked",))[0], finished_runs(runs, ("pose_residual",))[0])
    with pytest.raises(UserError, match="--pose-run nobody: neither a run folder"):
        find_steps("nobody", None, runs)
    with pytest.raises(UserError, match="--pose-run: the name of a run is missing"):  # not the newest: a variable was empty
        find_steps("", None, runs)
    poses, painter = find_steps(None, "paint", runs)
    assert poses.run.parent.name == "poses" and painter.run.parent.name == "paint" and painter.run.is_absolute()


@pytest.fixture
def predict(invoke):
    """predict(VIDEO, ...) runs the command in this process -> the finished process that it stands for."""

    def run(*options):
        done = invoke("predict", *options)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
        return subprocess.CompletedProcess(options, done.exit_code, done.stdout, done.stderr)

    return run


@pytest.mark.parametrize("full_frame", [False, True])
def test_a_video_gets_its_future(predict, runs, tmp_path, full_frame):
    frame, joints, _ = scene(6)
    write_mp4(tmp_path / "clip.mp4", np.stack([frame] * 8), 10)
    np.save(tmp_path / "poses.npy", joints)
    options = ["--poses", tmp_path / "poses.npy", "--context", 6, "--horizon", 7, *["--full-frame"][: int(full_frame)]]
    done = predict(tmp_path / "clip.mp4", *options, "--results-dir", runs, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "predicted frames a second" in done.stdout
    files = {file.name for file in (tmp_path / "out").iterdir()}
    assert files == {".analogy", "prediction.mp4", "prediction.gif", "beside.mp4", "joints.json", "frames", "index.html"}
    page = (tmp_path / "out" / "index.html").read_text()
    assert "observed poses by" in page and "right about one real clip in three" in page  # pose_actions comes along
    assert "last frame copied" in page  # two true frames follow the six
    assert "the video goes on for 2 of the 7 predicted frames" in done.stdout and "PSNR of 2 frames" in done.stdout
    pictures = read_video(tmp_path / "out" / "frames").frames
    assert len(pictures) == 7 and (pictures[0].shape == frame.shape) == full_frame
    if full_frame:
        left, top, right, bottom = json.loads((tmp_path / "out" / "joints.json").read_text())["box"]
        outside = np.ones(frame.shape[:2], bool)
        outside[top:bottom, left:right] = False
        last = read_video(tmp_path / "clip.mp4").frames[5]
        assert outside.any() and all((picture[outside] == last[outside]).all() for picture in pictures)
    stored, visibility = read_poses(tmp_path / "out" / "joints.json")
    assert stored.shape == (13, 13, 2) and visibility.all()
    np.testing.assert_allclose(stored[:6], joints, atol=0.006)
    assert len(read_video(tmp_path / "out" / "beside.mp4").frames) == 13


class Somebody:
    """An estimator that always sees the same person."""

    name, visible_from = "somebody", 0.5

    def detect(self, frame):
        return [whole_frame(frame)]

    def estimate(self, frame, region):
        joints = np.random.default_rng(0).uniform(30, 70, (13, 2)).astype(np.float32)
        return Pose(joints, np.ones(13, np.float32), region)


class Nobody(Somebody):
    def detect(self, frame):
        return []


class Leaving(Somebody):
    """Sees the person in the first frame alone."""

    first = None

    def detect(self, frame):
        self.first = frame if self.first is None else self.first
        return [whole_frame(frame)] if frame is self.first else []

    def estimate(self, frame, region):
        pose = super().estimate(frame, region)
        return pose if frame is self.first else pose._replace(scores=0 * pose.scores)


@pytest.fixture
def next_frames(monkeypatch):
    """The names of the runs that were to predict next frames. None of them is loaded."""
    names = []
    monkeypatch.setattr("analogy.systems.movie_prediction.check_request", lambda source, *, run, **options: run)
    monkeypatch.setattr("analogy.systems.movie_prediction.predict", lambda run: names.append(run.name) or run)
    return names


@pytest.mark.parametrize("estimator", [Somebody(), Nobody(), Leaving()])
def test_without_a_run_a_person_is_predicted_by_poses_and_all_else_by_next_frames(
    predict, runs, tmp_path, monkeypatch, next_frames, estimator
):
    for module in ("analogy.cli.predict", "analogy.systems.hierarchical.video_prediction"):
        monkeypatch.setattr(f"{module}.find_models", lambda *_: [])
    monkeypatch.setattr("analogy.systems.hierarchical.video_prediction._open_estimator", lambda _: estimator)
    write_mp4(tmp_path / "clip.mp4", np.stack([scene()[0]] * 8), 10)
    done = predict(tmp_path / "clip.mp4", "--horizon", 3, "--results-dir", runs, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    if isinstance(estimator, (Nobody, Leaving)):
        words = "sees nobody in 4 frames" if isinstance(estimator, Nobody) else "sees nobody in 3 of 4 observed frames"
        assert next_frames == [FOR_VIDEOS] and words in done.stdout and "so lvln_plus" in done.stdout
    else:
        assert not next_frames and f"poses by {finished_runs(runs, ('pose_residual',))[0]} (the newest in" in done.stdout
        names = ["/".join(finished_runs(runs, (system,))[0].parts[-2:]) for system in ("pose_residual", "analogy_masked")]
        assert f"by poses of {names[0]}, and frames of {names[1]} " in (tmp_path / "out" / "index.html").read_text()


@pytest.mark.parametrize(
    ("option", "words"),
    [(("--context", 3), "--context 3: the pose run reads 4 observed frames"), (("--fit", "letterbox"), "")],
)
def test_what_poses_cannot_do_is_done_by_next_frames(predict, runs, tmp_path, monkeypatch, next_frames, option, words):
    for module in ("analogy.cli.predict", "analogy.systems.hierarchical.video_prediction"):
        monkeypatch.setattr(f"{module}.find_models", lambda *_: [])
    monkeypatch.setattr("analogy.systems.hierarchical.video_prediction._open_estimator", lambda _: Somebody())
    write_mp4(tmp_path / "clip.mp4", np.stack([scene()[0]] * 8), 10)
    done = predict(tmp_path / "clip.mp4", *option, "--results-dir", runs)
    assert done.returncode == 0, done.stderr
    assert next_frames == [FOR_VIDEOS] and words in done.stdout and NEXT_FRAMES in done.stdout


def test_without_pose_models_it_is_said_how_to_get_them(predict, runs, tmp_path, monkeypatch, next_frames):
    monkeypatch.setenv("ANALOGY_CACHE", str(tmp_path / "empty"))
    write_mp4(tmp_path / "clip.mp4", np.stack([scene()[0]] * 8), 10)
    done = predict(tmp_path / "clip.mp4", "--results-dir", runs)
    assert done.returncode == 0 and "get it with `analogy fetch blazepose`" in done.stdout and next_frames == [FOR_VIDEOS]
    done = predict(tmp_path / "clip.mp4", "--action", "squat", "--results-dir", runs)
    assert done.returncode == 2 and "--action squat: on a video it is for people's poses" in done.stderr


def test_what_was_there_is_not_overwritten(predict, runs, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    pipeline = Pipeline(finished_runs(runs, ("pose_residual",))[0], finished_runs(runs, ("analogy_masked",))[0])
    with pytest.raises(UserError, match="something without our mark"):
        pipeline.export(tmp_path / "mine")
    done = predict("clip.mp4", "--poses", "a.npy", "--results-dir", runs, "--out", tmp_path / "mine")
    assert done.returncode == 2 and "mine: holds something without our mark, so it is not replaced" in done.stderr
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"


@pytest.mark.slow
def test_both_steps_are_measured_against_time(invoke, runs, actors, tmp_path):
    steps = (
        "--pose-run",
        finished_runs(runs, ("pose_residual",))[0],
        "--paint-run",
        finished_runs(runs, ("analogy_masked",))[0],
    )
    options = ("--data-dir", actors, "--clips", "0023,0024", *steps, "--results-dir", tmp_path)
    done = invoke("evaluate_pipeline", *options)
    assert done.exit_code == 0, (done.stderr, done.exception)
    (run,) = (tmp_path / "pipeline").iterdir()
    horizon = json.loads((run / "test" / "horizon.json").read_text())
    assert horizon["distance"] == [1, 2, 3, 4] and set(horizon["methods"]) == {"prediction", "copy_last_frame", "true_poses"}
    summary = json.loads((run / "summary.json").read_text())
    assert summary["status"] == "finished" and summary["test"]["clips"] == 2 and (run / "plots" / "psnr_horizon.png").is_file()
    assert "copy last frame" in (run / "index.html").read_text()


@pytest.mark.slow
def test_a_trained_hourglass_is_an_estimator_too(tmp_path):
    small = ("data.image_size=32", "network.channels=16", "network.depth=1", "network.stacks=1")
    settings = load_settings(find_experiment("pose_hourglass"), SYSTEMS, scale="demo", overrides=small)
    keras.utils.set_random_seed(0)
    export_saved_model(SYSTEMS["pose_hourglass"].build(settings), tmp_path / "run" / "saved_model")
    hourglass = Hourglass(tmp_path / "run")
    hourglass.visible_from = -1.0  # untrained: everything is seen
    track = track_person([scene()[0]] * 3, hourglass)
    assert track.joints.shape == (3, 13, 2) and track.visibility.all() and track.missing == 0


def test_a_penn_action_clip_with_its_labels(predict, runs, actors, tmp_path):
    done = predict("0001", "--data-dir", actors, "--horizon", 3, "--results-dir", runs, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert len(read_video(tmp_path / "out" / "frames").frames) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["missing.mp4", "--poses", "a.npy"], "no such file"),
        (["0001"], "--data-dir"),
        (["clip.mp4", "--poses", "labels"], "no clip of Penn Action"),
        (["clip.mp4", "--poses", "guess"], "--poses guess"),
        (["clip.mp4", "--poses", "movenet"], "--models"),
        (["clip.mp4", "--models", "."], "movenet"),
        (["clip.mp4", "--poses", "a.npy", "--context", "2"], "reads 4 observed"),
        (["clip.mp4", "--poses", "a.npy", "--start", "6"], "are observed: give a longer video, or a smaller --start"),
        (["clip.mp4", "--poses", "b.npy"], "poses of 2 frames"),
        (["clip.mp4", "--poses", "a.npy", "--paint-run", "."], "--paint-run .: neither a run folder"),
        ([" ", "--poses", "a.npy"], "the name of the video is empty"),
        (["clip.mp4", "--poses", "a.npy", "--fit", "crop"], "--fit goes with --run: the crop around a person is found"),
    ],
)
def test_a_mistake_is_one_clear_line(runs, tmp_path, monkeypatch, invoke, options, message):
    monkeypatch.chdir(tmp_path)
    frame, joints, _ = scene(8)
    write_mp4(tmp_path / "clip.mp4", np.stack([frame] * 8), 10)
    np.save(tmp_path / "a.npy", joints)
    np.save(tmp_path / "b.npy", joints[:2])
    done = invoke("predict", *options, "--results-dir", runs, "--out", tmp_path / "out")
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert done.exit_code == 2 and len(errors) == 1 and message in errors[0] and "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", [("predict", "clip.mp4", "--poses", "a.npy"), ("evaluate_pipeline",)])
def test_exchanged_runs_are_said_before_anything_is_loaded(runs, tmp_path, monkeypatch, invoke, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").touch()
    (tmp_path / "a.npy").touch()
    poses, painter = finished_runs(runs, ("pose_residual",))[0], finished_runs(runs, ("analogy_masked",))[0]
    done = invoke(*command, "--pose-run", painter, "--paint-run", poses, "--results-dir", runs)
    assert done.exit_code == 2 and done.stderr.splitlines() == [
        f"error: --pose-run {painter}: {painter} is a run of analogy_masked; name one of pose_residual or pose_lstm",
        f"error: --paint-run {poses}: {poses} is a run of pose_residual; name one of analogy_masked or analogy_gan",
    ]


def test_all_mistakes_are_said_before_anything_is_loaded(runs, tmp_path, monkeypatch, invoke):
    def touched(*args, **kwargs):
        raise AssertionError("something was loaded")

    monkeypatch.setattr("analogy.systems.hierarchical.video_prediction.predict", touched)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    (tmp_path / "thesis.txt").touch()
    wrong = ("--poses", "guess", "--paint-run", "nobody", "--pose-run", "nobody", "--export", tmp_path / "mine")
    wrong += ("--data-dir", "nowhere")
    done = invoke("predict", "missing.mp4", *wrong, "--results-dir", runs, "--out", tmp_path / "thesis.txt")
    lines = done.stderr.splitlines()
    assert done.exit_code == 2 and all(line.startswith("error: ") for line in lines)
    for message in (
        "missing.mp4: there is no such file",
        "--data-dir ($ANALOGY_DATA_DIR) nowhere: there is no such folder",
        "--poses guess",
        "--paint-run nobody",
        "--pose-run nobody",
        "mine: holds something",
        "txt: is a file",
    ):
        assert sum(message in line for line in lines) == 1, (message, lines)
    assert len(lines) == 7


def test_the_joined_evaluation_finds_all_mistakes_first(runs, tmp_path, monkeypatch, invoke):
    def touched(*args, **kwargs):
        raise AssertionError("something was loaded")

    monkeypatch.setattr("analogy.systems.hierarchical.pipeline.Pipeline", touched)
    wrong = ("--poses", "movenet", "--models", tmp_path, "--pose-run", "nobody", "--data-dir", tmp_path)
    done = invoke("evaluate_pipeline", *wrong, "--results-dir", runs)
    lines = done.stderr.splitlines()
    for message in ("movenet", "--pose-run nobody", "no folder of penn_action"):
        assert sum(message in line for line in lines) == 1, (message, lines)
    assert done.exit_code == 2 and len(lines) == 3
