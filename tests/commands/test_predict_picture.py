"""analogy predict PICTURE --run RUN: films from one picture, and every mistake in one line."""

import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from analogy.data.video import is_single_picture, sole_picture
from analogy.errors import UserError
from analogy.runs.export import export_saved_model
from analogy.settings import find_experiment, load_settings
from analogy.settings.loading import write_settings
from analogy.systems import SYSTEMS
from analogy.systems.keypoints.picture_prediction import _check_picture, check_request
from analogy.visualise.video import read_mp4, write_mp4

TINY = ("data.image_size=32", "network.keypoints=3", "network.detector_widths=[4]", "network.widths=[4]")
MOTION = ("data.image_size=32", "data.horizon=3", "network.units=4", "network.basis=2", "data.actions=[bowl, squat]")
BOWL = ("--run", "keypoints_plus_motion", "--action", "bowl")
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A translator and a motion generator, untrained: exported, with settings and a summary."""
    results = tmp_path_factory.mktemp("results")

    def write(name, overrides, used=None):
        settings = load_settings(find_experiment(name), SYSTEMS, scale="demo", overrides=overrides)
        keras.utils.set_random_seed(0)
        system, folder = SYSTEMS[settings.system].build(settings, used), results / name / "2026-11-21_120000"
        export_saved_model(system, folder / "saved_model")
        write_settings(settings, folder / "settings.yaml")
        (folder / "summary.json").write_text(json.dumps({"system": settings.system, "status": "finished"}))
        return folder

    translator = write("keypoints_plus", TINY)
    used = {"translator": tf.saved_model.load(str(translator / "saved_model"))}
    write("keypoints_plus_motion", MOTION, used)
    return results


@pytest.fixture
def picture(tmp_path):
    file = tmp_path / "somebody.png"
    Image.fromarray(RNG.integers(0, 256, (50, 70, 3), dtype=np.uint8)).save(file)
    return file


def test_samples_of_one_picture(results, picture, invoke, tmp_path, monkeypatch):
    monkeypatch.setenv("ANALOGY_DATA_DIR", "Penn_Action")  # it may stay set, where an option --data-dir has no meaning
    out = tmp_path / "out"
    options = ("--run", "keypoints_plus_motion", "--results-dir", results, "--action", "squat", "--samples", 2, "--out", out)
    done = invoke("predict", picture, *options)
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in out.iterdir() if not path.name.startswith(".")) == [
        "films.gif", "films.mp4", "index.html", "keypoints.gif", "keypoints.mp4", "keypoints.npy", "sample_1.mp4",
        "sample_2.mp4",
    ]  # fmt: skip
    assert np.load(out / "keypoints.npy").shape == (2, 3, 3, 2)
    assert read_mp4(out / "sample_2.mp4")[0].shape == (3, 32, 32, 3)
    page = (out / "index.html").read_text()
    assert "<h1>2 futures of somebody.png: squat</h1>" in page and page.index("films.gif") < page.index("action: squat")
    assert "<title>2 futures of somebody.png: squat</title>" in page
    first = np.load(out / "keypoints.npy")
    for seed, same in ((0, True), (1, False)):
        invoke("predict", picture, *options, "--seed", seed)
        assert np.array_equal(np.load(out / "keypoints.npy"), first) == same


def test_the_motion_of_another_video(results, picture, invoke, tmp_path):
    driving = RNG.integers(0, 256, (4, 40, 60, 3), dtype=np.uint8)
    driving[:, :, 44:] = 200  # of one colour, to see which part is taken
    write_mp4(tmp_path / "driving.mp4", driving, 10)
    out = tmp_path / "out"
    options = ("--run", "keypoints_plus", "--results-dir", results, "--driving", tmp_path / "driving.mp4", "--out", out)
    done = invoke("predict", picture, *options, "--crop", "10,0,60,50")
    assert done.exit_code == 0, done.output
    points = np.load(out / "keypoints.npy")
    assert points.shape == (1, 4, 3, 2) and np.ptp(points[0], 0).max() > 0
    assert read_mp4(out / "transferred.mp4")[0].shape == (4, 32, 32, 3)
    page = (out / "index.html").read_text()
    assert "width: 33.3%" in page  # one column with keypoints, as large as each of the three films
    assert "crop: 10,0,60,50" in page and "crop of the driving video: the largest square in the middle; the model" in page
    assert "give one with --driving-crop x_min" in page and read_mp4(out / "driving.mp4")[0].std() > 20
    done = invoke("predict", picture, *options, "--driving-crop", "44,0,60,40")
    assert done.exit_code == 0 and "crop of the driving video: 44,0,60,40" in (out / "index.html").read_text()
    np.testing.assert_allclose(read_mp4(out / "driving.mp4")[0], 200, atol=15)
    done = invoke("predict", picture, *options, "--driving-crop", "44,0,61,40", "--out", tmp_path / "none")
    said = f"error: --driving-crop 44,0,61,40: {tmp_path}/driving.mp4 has 60 x 40 pixels: choose a box within"
    assert done.exit_code == 2 and done.output.splitlines() == [said] and not (tmp_path / "none").exists()


def test_a_motion_alone_moves_the_translator_that_its_settings_name(results, picture, invoke, tmp_path):
    """Whatever its folder is called, and wherever it lies: a SavedModel without `generate` holds the motion alone."""
    (whole,) = (results / "keypoints_plus_motion").iterdir()
    alone = tmp_path / "mine" / "run"
    shutil.copytree(whole, alone, ignore=shutil.ignore_patterns("saved_model"))
    loaded, model = tf.saved_model.load(str(whole / "saved_model")), tf.Module()
    model.weights, model.sample = loaded.weights, loaded.sample
    tf.saved_model.save(model, str(alone / "saved_model"), signatures={"sample": loaded.signatures["sample"]})
    options = ["--results-dir", results, "--action", "squat", "--samples", 2]
    (translator,) = (results / "keypoints_plus").iterdir()
    settings = (alone / "settings.yaml").read_text()
    (alone / "settings.yaml").write_text(settings.replace("translator: keypoints_plus", f"translator: {translator}"))
    (tmp_path / "other").mkdir()
    for name in ("settings.yaml", "summary.json", "saved_model"):  # a motion of 3 keypoints, and the package's translator of 24
        (tmp_path / "other" / name).symlink_to((whole if name == "settings.yaml" else alone) / name)
    done = invoke("predict", picture, "--run", tmp_path / "other", *options, "--out", tmp_path / "none")
    assert done.exit_code == 2 and "it moves K = 3 keypoints, and uses.translator, keypoints_plus, has 24" in done.output
    for run in (whole, alone):
        done = invoke("predict", picture, "--run", run, *options, "--out", tmp_path / run.name)
        assert done.exit_code == 0, (done.output, done.exception)
    points, frames = (
        [np.load(tmp_path / run.name / "keypoints.npy") for run in (whole, alone)],
        [read_mp4(tmp_path / run.name / "sample_2.mp4")[0] for run in (whole, alone)],
    )
    np.testing.assert_allclose(*points, atol=1e-6)
    np.testing.assert_array_equal(*frames)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--run", "keypoints_plus_motion"), "--action is missing; this run knows bowl, squat"),
        (
            ("--run", "keypoints_plus_motion", "--action", "squad"),
            "--action squad: this run does not know it; did you mean squat?",
        ),
        (("--run", "keypoints_plus_motion", "--action", "bowl", "--samples", "0"), "--samples 0: choose 1 to 64"),
        (
            ("--run", "keypoints_plus_motion", "--action", "bowl", "--crop", "1,2,3"),
            "--crop 1,2,3: give x_min,y_min,x_max,y_max",
        ),
        (("--run", "keypoints_plus_motion", "--action", "bowl", "--crop", "0,0,99,20"), "70 x 50 pixels: choose a box within"),
        (("--run", "keypoints_plus"), "--action is missing; this run knows bowl, squat"),  # of keypoints_plus_motion
        (("--run", "nobody"), "--run nobody: neither a run folder nor an experiment"),
        (
            ("--run", "keypoints_plus_motion", "--action", "bowl", "--poses", "movenet"),
            "--poses is for predictions by poses",
        ),
        (
            ("--run", "keypoints_plus_motion", "--action", "bowl", "--horizon", "45"),
            "--horizon is for videos, and",
        ),
        (
            ("--run", "keypoints_plus_motion", "--action", "bowl", "--data-dir", "Penn"),
            "--data-dir is for predictions by poses",
        ),
        (("--samples", "4"), "--action is missing; this run knows baseball_pitch, bowl"),
        (("--action", "skip"), "--action skip: this run does not know it"),
        (("--driving", "/there/is/none.mp4"), "--driving /there/is/none.mp4: there is no such video"),
        (("--driving", __file__, "--driving-crop", "1,2,3"), "--driving-crop 1,2,3: give x_min,y_min,x_max,y_max"),
        (("--action", "bowl", "--driving-crop", "0,0,9,9"), "--driving-crop is the crop of a driving video: name one with"),
        (("--action", "3"), "--action 3: this run does not know it; it knows baseball_pitch, bowl"),
        (("--models", ".", "--seed", "0"), "--seed is for films of one picture, not for predictions by poses"),
        (("--run", "keypoints_plus", "--driving", "a.mp4", "--action", "bowl"), "--action is for sampled futures"),
        (("--run", "keypoints_plus", "--driving", "a.mp4", "--samples", "4"), "--samples is for sampled futures"),
        (("--run", "keypoints_plus", "--driving", "a.mp4", "--seed", "0"), "--seed is for sampled futures"),
        (
            ("--run", "keypoints_plus", "--driving", "/there/is/none.mp4"),
            "--driving /there/is/none.mp4: there is no such video",
        ),
    ],
)
def test_a_mistake_is_one_line(results, picture, invoke, tmp_path, options, message):
    done = invoke("predict", picture, *options, "--results-dir", results, "--out", tmp_path / "out")
    errors = [line for line in done.output.splitlines() if line.startswith("error: ")]
    assert done.exit_code == 2 and len(errors) == 1 and message in errors[0], (done.output, done.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("said", ["there is no such video or picture; name", "pictures of this kind (.heic) are not read"])
def test_what_cannot_drive_a_picture_is_said_before_a_model_is_loaded(picture, tmp_path, said):
    driving = tmp_path / "driving.heic"
    if "kind" in said:
        driving.touch()
    with pytest.raises(UserError) as refusal:
        check_request(str(picture), run=tmp_path / "run", settings=None, driving=driving, results_dir=tmp_path / "results")
    assert any(line.startswith(f"--driving {driving}: {said}") for line in refusal.value.lines)


@pytest.mark.parametrize("options", [("--samples", 2), ("--fit", "crop"), ("--run", "keypoints_plus", "--action", "squat")])
def test_a_picture_that_is_not_there_is_said_before_what_options_mean_beside_it(invoke, tmp_path, options):
    done = invoke("predict", tmp_path / "none.png", *options, "--results-dir", tmp_path)
    assert done.exit_code == 2 and done.output.startswith(f"error: {tmp_path}/none.png: there is no such video or picture; ")
    assert done.output.count("\n") == 1 and not list(tmp_path.iterdir())


def test_an_address_is_no_path(invoke):
    done = invoke("predict", "https://example.com/none.mp4")
    assert done.exit_code == 2
    assert done.output == "error: https://...: addresses are not read: save the video, and name its file\n"


@pytest.mark.parametrize(
    "option", ["driving", "poses", "models", "data-dir", "run", "pose-run", "paint-run", "results-dir", "out", "export"]
)
def test_an_address_is_the_value_of_no_option(invoke, picture, tmp_path, monkeypatch, option):
    monkeypatch.chdir(tmp_path)
    done = invoke("predict", picture, f"--{option}", "https://example.com/none.mp4")
    mend = "save the video, and name its file" if option == "driving" else "name a file or folder on this machine"
    assert f"error: --{option}: https://...: addresses are not read: {mend}" in done.output.splitlines()
    assert done.exit_code == 2 and list(tmp_path.iterdir()) == [picture]


def test_a_folder_with_one_picture_stands_for_it(tmp_path):
    for name in ("only.png", ".hidden.png"):
        Image.new("RGB", (30, 20)).save(tmp_path / name)
    (tmp_path / "notes.txt").touch()
    (tmp_path / "folder.png").mkdir()
    assert sole_picture(tmp_path) == tmp_path / "only.png" and sole_picture(tmp_path / "only.png") == tmp_path / "only.png"
    Image.new("RGB", (30, 20)).save(tmp_path / "second.png")
    assert sole_picture(tmp_path) == tmp_path and sole_picture(tmp_path / "none") == tmp_path / "none"


def test_a_translator_has_its_motion_generator_beside_it(results, picture, invoke, tmp_path):
    options = ("--action", "squat", "--samples", 1, "--results-dir", results, "--out", tmp_path / "out")
    done = invoke("predict", picture, "--run", "keypoints_plus", *options)
    assert done.exit_code == 0, (done.output, done.exception)
    (motion,) = (results / "keypoints_plus_motion").iterdir()
    said = f"--run keypoints_plus translates frames and predicts no motion: {motion} is taken, which moves the keypoints of"
    assert said in done.output and np.load(tmp_path / "out" / "keypoints.npy").shape == (1, 3, 3, 2)
    page = (tmp_path / "out" / "index.html").read_text()
    assert "the largest square in the middle; the model was trained with boxes around people: give one with --crop" in page
    (translator,) = (results / "keypoints_plus").iterdir()
    done = invoke("predict", picture, "--run", translator, *options)
    assert done.exit_code == 2 and "keypoints_plus translates frames and predicts no motion: name a run" in done.output


@pytest.mark.parametrize(
    ("name", "message"), [("film.mp4", "is no single picture"), ("note.png", "this picture cannot be read")]
)
def test_what_is_no_picture(results, invoke, tmp_path, name, message):
    (tmp_path / name).write_text("no picture")
    done = invoke("predict", tmp_path / name, *BOWL, "--results-dir", results, "--out", tmp_path / "out")
    assert done.exit_code == 2 and message in done.output and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "frames", "shape"),
    [("film.gif", 3, (40, 40)), ("film.webp", 3, (40, 40)), ("film.png", 3, (40, 40)), ("strip.png", 1, (20, 80))],
)
def test_several_frames_are_no_picture(results, invoke, tmp_path, name, frames, shape):
    write_animation(tmp_path / name, frames, shape)
    done = invoke("predict", tmp_path / name, *BOWL, "--results-dir", results, "--out", tmp_path / "out")
    assert done.exit_code == 2 and "film.gif: this is no single picture" in done.output.replace(name, "film.gif"), done.output
    assert "name a picture, such as a frame of it" in done.output and not (tmp_path / "out").exists()


def test_a_gif_of_one_frame_is_a_picture(tmp_path):
    write_animation(tmp_path / "one.gif", 1, (20, 30))
    assert is_single_picture(tmp_path / "one.gif")
    _check_picture(tmp_path / "one.gif")


def test_the_jfif_of_a_browser_is_a_picture(tmp_path):
    Image.new("RGB", (30, 20)).save(tmp_path / "downloaded.jfif", "JPEG")
    assert is_single_picture(tmp_path / "downloaded.jfif")
    _check_picture(tmp_path / "downloaded.jfif")


@pytest.mark.parametrize("name", ["mine.jp2", "mine.TGA", "mine.ico", "mine.ppm", "mine.psd"])
def test_rare_kinds_of_pictures_are_no_videos(invoke, tmp_path, name):
    (tmp_path / name).write_text("read later")
    done = invoke("predict", tmp_path / name, "--action", "skip", "--results-dir", tmp_path)
    assert done.exit_code == 2 and "makes films of one picture" in done.output and "on a video" not in done.output
    assert "--action skip: this run does not know it" in done.output


@pytest.mark.parametrize("name", ["mine.heic", "mine.SVG", "mine.nef"])
def test_a_kind_of_picture_that_is_not_read_is_one_line(invoke, tmp_path, name):
    (tmp_path / name).touch()
    done = invoke("predict", tmp_path / name, "--action", "skip", "--results-dir", tmp_path)
    kind = name[4:].lower()
    assert done.exit_code == 2
    assert done.output == f"error: {tmp_path / name}: pictures of this kind ({kind}) are not read; save it as JPEG or PNG\n"


def write_animation(file, frames, shape):
    first, *further = (Image.fromarray(RNG.integers(0, 256, (*shape, 3), dtype=np.uint8)) for _ in range(frames))
    first.save(file, save_all=bool(further), append_images=further)
