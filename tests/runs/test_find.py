"""One module finds runs: by a name or a path; everything that is wrong with one is one line that says how to mend it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from analogy.errors import UserError
from analogy.files.locks import try_lock
from analogy.runs.find import endpoints_of, find_run, finished_runs, load_endpoint, run_of
from tests.run_folders import finished_run


def refusal(call, *arguments) -> str:
    with pytest.raises(UserError) as error:
        call(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """Three finished runs of `detector` and a newer one that was interrupted; one of `painter` without a SavedModel."""
    folder = tmp_path_factory.mktemp("find") / "results"
    finished_run(folder / "detector" / "2026-01-01_000000", endpoint="predict")
    finished_run(folder / "detector" / "2026-01-02_000000", endpoint="keypoints")
    finished_run(folder / "detector" / "2026-01-03_000000", endpoint="keypoints", status="interrupted")
    finished_run(folder / "painter" / "2026-01-01_000000")
    finished_run(folder / "stopped" / "2026-01-01_000000", status="interrupted")
    return folder


def test_a_name_or_a_path_means_a_run(results, monkeypatch, tmp_path):
    newest = results / "detector" / "2026-01-02_000000"
    assert find_run("detector", results, "--run") == newest
    for path in (newest.parent, newest, newest / "saved_model"):
        assert find_run(path, Path("nowhere"), "--run") == newest
    monkeypatch.chdir(results)
    for path in ("detector", "detector/2026-01-02_000000", "detector/../detector"):
        assert find_run(path, tmp_path, "--run") == newest  # absolute, also where it was named from here
    unfinished = results / "detector" / "2026-01-03_000000"
    assert find_run(unfinished, results, "--run") == unfinished  # a run that is named need not be finished


def test_a_path_of_one_part_and_a_folder_like_a_home_that_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refusal(find_run, Path("nothing"), tmp_path, "load").startswith("load nothing: neither a run folder nor")
    (tmp_path / "~nobody of that name" / "empty").mkdir(parents=True)
    assert "neither a run folder nor" in refusal(find_run, "~nobody of that name/empty", Path("results"), "--run")


def test_a_folder_here_of_the_same_name_hides_no_experiment(results, monkeypatch, tmp_path):
    (tmp_path / "detector" / "notes").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert find_run("detector", results, "--run").name == "2026-01-02_000000"


def test_a_saved_model_outside_of_its_run_stands_for_itself(results, tmp_path):
    alone = tmp_path / "model"
    shutil.copytree(results / "detector" / "2026-01-02_000000" / "saved_model", alone)
    assert find_run(alone, results, "--run") == run_of(alone) == alone
    other = results / "detector" / "2026-01-02_000000" / "both"  # another SavedModel that was exported into the run
    shutil.copytree(alone, other)
    assert find_run(other, results, "--run") == other
    shutil.rmtree(other)
    assert endpoints_of(load_endpoint(alone, "keypoints")) == ["keypoints"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "uses.detector: the name of a run is missing"),
        ("detectr", "uses.detector detectr: neither a run folder nor an experiment in {results}; did you mean detector?"),
        ("{results}/gone/run", "uses.detector {results}/gone/run: there is no such folder; was the run moved or deleted?"),
        ("stopped", "no finished run in {results}/stopped; run 2026-01-01_000000 is interrupted: finish it with --resume "),
        ("{results}", "neither a run folder nor an experiment"),
        ("~nobody_of_that_name/run", "uses.detector: ~nobody_of_that_name/run: there is no such folder"),
    ],
)
def test_a_name_that_means_no_run_is_one_line(results, name, message):
    said = refusal(find_run, name.format(results=results), results, "uses.detector")
    assert message.format(results=results) in said


def test_the_finished_runs_of_a_system_have_a_saved_model(results):
    assert finished_runs(results, ("painter", "detector"))[0] == results / "detector" / "2026-01-02_000000"
    assert finished_runs(results, ("painter",)) == [] == finished_runs(results / "nowhere", ("painter", "pose"))


def test_an_endpoint_is_loaded_or_refused_in_one_line(results, tmp_path):
    detector, painter = results / "detector", results / "painter"
    loaded = load_endpoint(detector / "2026-01-02_000000", "keypoints")
    assert loaded.keypoints([[1.0, 2.0]])["out"].numpy().tolist() == [[2.0, 4.0]]
    run = detector / "2026-01-01_000000"
    assert refusal(load_endpoint, run, "keypoints").startswith(
        f"{run}: its SavedModel has no endpoint keypoints; it has predict:"
    )
    run = detector / "2026-01-03_000000"
    assert refusal(load_endpoint, run, "keypoints").endswith(f"is interrupted: finish it with --resume {run}")
    assert "there is no saved_model in it" in refusal(load_endpoint, painter / "2026-01-01_000000", "keypoints")
    assert "there is no such folder; was the run moved or deleted?" in refusal(load_endpoint, tmp_path / "gone", "keypoints")
    running = finished_run(tmp_path / "e" / "r", endpoint="keypoints", status="running")
    with open(running / ".lock", "w") as lock:  # as its process holds it
        assert try_lock(lock)
        assert refusal(load_endpoint, running, "keypoints").endswith("run r is running: wait for it to end")
    assert refusal(load_endpoint, running, "keypoints").endswith(f"run r is interrupted: finish it with --resume {running}")
    for name in ("variables/variables.data-00000-of-00001", "saved_model.pb"):
        damaged = tmp_path / "e" / Path(name).stem
        shutil.copytree(detector / "2026-01-02_000000", damaged)
        file = damaged / "saved_model" / name
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        assert "cannot be loaded" in refusal(load_endpoint, damaged, "keypoints")
