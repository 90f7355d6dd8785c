"""The models that come along: they are whole, said honestly, found by name, and reach the figures that they claim."""

import json

import numpy as np
import pytest

from analogy.cli.predict import _open
from analogy.errors import UserError
from analogy.metrics.image import psnr
from analogy.runs.find import find_run
from analogy.runs.ready import FOR_VIDEOS, KEPT, ready_models, take_over
from analogy.systems.run_settings import settings_of_run
from tests.conftest import ROOT

LARGEST = 6 * 2**20  # bytes of all together


def test_they_are_small_whole_and_name_no_place_of_a_machine():
    models = ready_models()
    assert FOR_VIDEOS in models and sum(model.size for model in models.values()) < LARGEST
    for name, model in models.items():
        assert model.about.keys() == {"does", "data", "command", "real", "limits"}
        assert model.summary["experiment"] == name and model.summary["status"] == "finished" and model.summary["baseline"]
        assert settings_of_run(model.run).experiment == name
        home = str(ROOT.parent).encode()
        assert not any(home in file.read_bytes() for file in model.run.rglob("*") if file.is_file())


def test_only_prediction_takes_one_by_name_and_only_where_there_is_no_run_of_ones_own(tmp_path, capsys):
    folder, settings = _open(FOR_VIDEOS, tmp_path)
    assert folder == ready_models()[FOR_VIDEOS].run and settings.experiment == FOR_VIDEOS
    assert "there is no run of your own" in capsys.readouterr().out
    with pytest.raises(UserError, match="neither a run folder nor an experiment"):
        find_run(FOR_VIDEOS, tmp_path, "uses.predictor")
    (tmp_path / FOR_VIDEOS).mkdir()
    with pytest.raises(UserError, match="neither a run folder nor an experiment"):
        _open(FOR_VIDEOS, tmp_path)


def test_a_run_is_reduced_to_what_predicting_needs(tmp_path):
    run, folder = tmp_path / "run", tmp_path / "model"
    (run / "saved_model" / "variables").mkdir(parents=True)
    (run / "saved_model" / "saved_model.pb").write_text("graph")
    (run / "saved_model" / ".analogy").write_text("mark")
    (run / "settings.yaml").write_text("seed: 0\\n")
    (run / "summary.json").write_text(json.dumps({"seed": 0, "test": {"psnr": 1.0}, "clips": [1], "parts": []}))
    (folder / "saved_model").mkdir(parents=True)
    (folder / "saved_model" / "old").write_text("old")
    (folder / "about.yaml").write_text("does: it\\n")
    take_over(run, folder)
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert files == ["about.yaml", "saved_model/saved_model.pb", "settings.yaml", "summary.json"]
    assert json.loads((folder / "summary.json").read_text()).keys() <= set(KEPT)


def test_the_list_of_models(invoke):
    done = invoke("models")
    assert done.exit_code == 0 and all(f"{name}  (" in done.output for name in ready_models())
    for words in ("motion continued", "LOSES narrowly", "not good for: ", "analogy run lvln_plus --scale demo"):
        assert words in done.output


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ready_models()))
def test_each_reaches_its_figures(name):
    from analogy.runs.calling import SavedModel
    from analogy.systems.movie_prediction import predicted_frames
    from data_prep.datasets import open_dataset

    ready = ready_models()[name]
    settings, model = settings_of_run(ready.run), SavedModel(ready.run)
    context, figures = settings.data.context, []
    for movie in open_dataset(settings).test:
        future = predicted_frames(model, np.asarray(movie.frames[:context]), settings.data.horizon)
        figures.append(psnr(np.asarray(movie.frames[context : context + len(future)]), future).mean())
    assert np.mean(figures) == pytest.approx(ready.summary["test"]["psnr"], abs=0.02)
    assert np.mean(figures) > max(method["psnr"] for method in ready.summary["baseline"].values())


def test_a_video_without_further_options_is_predicted_by_it(invoke, tmp_path):
    from analogy.visualise.video import write_mp4

    frames = 20 * np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 64, 96, 3), np.uint8)
    write_mp4(tmp_path / "mine.mp4", frames, 10)
    done = invoke("predict", tmp_path / "mine.mp4", "--results-dir", tmp_path / "results")
    assert done.exit_code == 0, (done.output, done.exception)
    assert "lvln_plus, which comes along, predicts the frames" in done.output
    assert (tmp_path / "results" / "predictions" / "mine" / "index.html").is_file()
