"""analogy predict VIDEO --run RUN: the next frames of any video, by runs that predict frames."""

import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import keras
import numpy as np
import pytest

from analogy.errors import UserError
from analogy.runs.export import export_saved_model
from analogy.settings import find_experiment, load_settings
from analogy.settings.loading import write_settings
from analogy.systems import SYSTEMS
from analogy.systems.movie_prediction import _distortion, check_model, check_request, cut_video, predicted_frames
from analogy.systems.run_settings import settings_of_run
from analogy.visualise.video import read_mp4, write_mp4

TINY = {
    "lvln_plus": (
        "network.width=0.0625",
        "network.start=none",
        "network.candidates=1",
        "data.context=3",
        "data.horizon=2",
        "data.fps=5",
    ),
    "convlstm_mmnist_l1": ("network.units=2", "data.context=3", "data.horizon=2"),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Untrained runs: exported, with settings and a summary. lvln_plus copies the last frame."""
    results = tmp_path_factory.mktemp("results")
    for name, overrides in TINY.items():
        overrides = ("data.image_size=32", *overrides)
        settings = load_settings(find_experiment(name), SYSTEMS, scale="demo", overrides=overrides)
        keras.utils.set_random_seed(0)
        folder = results / name / "2026-11-21_120000"
        export_saved_model(SYSTEMS[settings.system].build(settings), folder / "saved_model")
        write_settings(settings, folder / "settings.yaml")
        (folder / "summary.json").write_text(json.dumps({"system": settings.system, "status": "finished"}))
    return results


@pytest.fixture
def video(tmp_path):
    """12 frames, 10 a second: frame t is a picture of the grey 20 t."""
    frames = 20 * np.arange(12, dtype=np.uint8)[:, None, None, None] * np.ones((1, 40, 60, 3), np.uint8)
    write_mp4(tmp_path / "mine.mp4", frames, 10)
    return tmp_path / "mine.mp4"


def predict(invoke, video, results, *options):
    out = video.parent / "out"
    return invoke("predict", video, "--results-dir", results, "--out", out, *options), out


def test_the_next_frames_beside_the_truth(invoke, results, video):
    done, out = predict(invoke, video, results, "--run", "lvln_plus", "--start", 1, "--horizon", 4)
    assert done.exit_code == 0, (done.output, done.exception)
    names = {path.name for path in out.iterdir() if not path.name.startswith(".")}
    assert names == {"films.mp4", "films.gif", "prediction.mp4", "frames", "index.html"}
    # 5 of 10 frames a second: 1, 3 and 5 are observed, 7, 9 and 11 follow, and a fourth does not exist.
    frames = [cv2.imread(str(out / "frames" / f"{number:06d}.png")) for number in (1, 2, 3, 4)]
    assert all(frame.shape == (32, 32, 3) and abs(int(frame.mean()) - 100) < 3 for frame in frames)
    assert read_mp4(out / "prediction.mp4")[1] == pytest.approx(5) and len(read_mp4(out / "films.mp4")[0]) == 7
    assert "the video goes on for 3 of the 4 predicted frames" in done.output
    assert "trained and measured on 2 future frames; what follows, up to frame 4, is rolled on" in done.output
    assert "PSNR of 3 frames" in done.output and "ties" in done.output
    page = (out / "index.html").read_text()
    assert "last frame copied" in page and "motion continued" in page and "what follows, up to frame 4" in page


def test_a_network_of_fixed_lengths_is_rolled_on_and_gray_runs_see_gray(invoke, results, video):
    done, out = predict(invoke, video, results, "--run", "convlstm_mmnist_l1", "--horizon", 5)
    assert done.exit_code == 0, (done.output, done.exception)
    assert len(list((out / "frames").iterdir())) == 5 and "PSNR of 5 frames" in done.output


def test_enough_of_a_slow_motion_video_is_read(invoke, results, tmp_path):
    """240 frames a second, of which the run takes 5: every 48th."""
    frames = (np.arange(200, dtype=np.uint8))[:, None, None, None] * np.ones((1, 32, 32, 3), np.uint8)
    write_mp4(tmp_path / "slow.mp4", frames, 240)
    done, _ = predict(invoke, tmp_path / "slow.mp4", results, "--run", "lvln_plus", "--horizon", 2)
    assert done.exit_code == 0 and "PSNR of 2 frames" in done.output, done.output  # numbers 144 and 192


def test_a_run_that_predicts_no_frames_is_named():
    def inputs(endpoint):
        raise UserError("there is no endpoint predict; there is classify")

    with pytest.raises(UserError, match=r"runs/x: this run predicts no frames of videos: .* there is classify"):
        check_model(SimpleNamespace(inputs=inputs), Path("runs/x"))


@pytest.mark.parametrize(
    ("shape", "fit", "said"),
    [
        ((60, 40), "squeeze", "its 40 x 60 pixels are squeezed into 96 x 64, 2.2 times as wide as they were: --fit letter"),
        ((40, 160), "squeeze", "its 160 x 40 pixels are squeezed into 96 x 64, 2.7 times as high as they were: --fit letter"),
        ((48, 64), "squeeze", None),
        ((60, 40), "letterbox", None),
    ],
)
def test_a_video_that_loses_its_shape_is_told_what_keeps_it(shape, fit, said):
    notes = _distortion(shape, SimpleNamespace(size=(64, 96), fit=fit))
    assert [note.startswith(said) for note in notes] == [True] * (said is not None)


def test_own_answers_are_observed_in_turn():
    """A network that reads 2 frames and answers with 3, each one brighter than the one before."""

    def call(observed, inputs, endpoint):
        assert len(inputs["values"]) == 2 and endpoint == "predict"
        return inputs["values"][-1:] + np.uint8([1, 2, 3])[:, None, None, None]

    model = SimpleNamespace(call=call, inputs=lambda endpoint: {"values": SimpleNamespace(shape=[None, 2, 4, 4, 1])})
    observed = np.uint8([7, 8, 9])[:, None, None, None] * np.ones((1, 4, 4, 1), np.uint8)
    assert predicted_frames(model, observed, 5)[:, 0, 0, 0].tolist() == [10, 11, 12, 13, 14]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--run", "lvln_plus", "--start", 9),
            "has 3 frames from number 9 on, and 3 are observed, 2 frames apart: give a longer",
        ),
        (("--run", "lvln_plus", "--start", 99), "no frame number 99"),
        (("--run", "lvln_plus", "--context", 1), "--context 1: "),
        (("--run", "lvln_plus", "--context", 2000), "--context 2000: give at most 1000 frames"),
        (("--run", "lvln_plus", "--horizon", 2000), "--horizon 2000: give 1 to 1000 frames"),
        (("--run", "lvln_plus", "--action", "bowl"), "--action is not for next frames"),
        (("--run", "lvln_plus", "--poses", "movenet"), "--poses is for predictions by poses"),
        (("--run", "nobody"), "--run nobody: neither a run folder nor an experiment"),
    ],
)
def test_a_mistake_is_one_line(invoke, results, video, options, message):
    done, out = predict(invoke, video, results, *options)
    errors = [line for line in done.output.splitlines() if line.startswith("error: ")]
    assert done.exit_code == 2 and len(errors) == 1 and message in errors[0], (done.output, done.exception)
    assert not out.exists()


def test_a_missing_video(invoke, results, tmp_path):
    done, out = predict(invoke, tmp_path / "none.mp4", results, "--run", "lvln_plus")
    assert done.exit_code == 2 and "none.mp4: there is no such video" in done.output and not out.exists()


@pytest.mark.parametrize(("fit", "corner", "middle"), [("letterbox", 0, 200), ("crop", 200, 200), (None, 200, 200)])
def test_frames_are_fitted_as_asked(results, tmp_path, fit, corner, middle):
    frames = np.full((12, 40, 80, 3), 200, np.uint8)
    write_mp4(tmp_path / "wide.mp4", frames, 10)
    run = next((results / "lvln_plus").iterdir())
    settings = settings_of_run(run)
    request = check_request(str(tmp_path / "wide.mp4"), run=run, settings=settings, fit=fit, results_dir=tmp_path)
    assert request.data.fit == (fit or settings.data.fit)
    frame = cut_video(request).observed[0]
    assert abs(int(frame[0, 0, 0]) - corner) < 12 and abs(int(frame[16, 16, 0]) - middle) < 12
