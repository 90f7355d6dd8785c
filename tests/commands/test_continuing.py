"""Scripts that are started again go on with what was stopped."""

from pathlib import Path

import pytest
import yaml

import analogy
from analogy.cli.continuing import finished_run
from analogy.errors import UserError
from analogy.resolve import resolve_settings
from analogy.settings import write_settings
from tests import run_folders

NAME = "seq2seq_noise_l1"


@pytest.fixture
def trained(monkeypatch):
    monkeypatch.setattr(analogy, "train", lambda *name, **options: (*name, options))


def write_run(results: Path, stamp: str, values: dict, **how) -> Path:
    run = run_folders.finished_run(results / NAME / stamp, **how)
    write_settings(resolve_settings(NAME, results_dir=results, scale="demo", values=values), run / "settings.yaml")
    return run


def test_a_run_is_trained_once_and_resumed_where_it_was_stopped(tmp_path, trained):
    options, values = {"scale": "demo", "data_dir": None}, {"training.steps": 7}
    assert finished_run(NAME, tmp_path, scale="demo", set=values) == (NAME, {"results_dir": tmp_path, "set": values, **options})
    run = write_run(tmp_path, "2026-01-01_000000", values)
    assert finished_run(NAME, tmp_path, scale="demo", set=values).folder == run
    stopped = write_run(tmp_path, "2026-01-02_000000", values, status="interrupted")
    assert finished_run(NAME, tmp_path, scale="demo", set=values) == ({"resume": stopped, "results_dir": tmp_path},)


def test_an_experiment_of_a_file_is_trained_once_too(tmp_path, trained):
    (mine := tmp_path / "mine.yaml").write_text(f"base: {NAME}\nexperiment: my_noise\n")
    assert finished_run(str(mine), tmp_path / "results", scale="demo")[0] == str(mine)
    run = run_folders.finished_run(tmp_path / "results" / "my_noise" / "2026-01-01_000000")
    settings = resolve_settings(str(mine), results_dir=tmp_path, scale="demo")
    write_settings(settings, run / "settings.yaml")
    assert finished_run(str(mine), tmp_path / "results", scale="demo").folder == run


def test_what_a_run_is_called_and_advises_is_no_other_run(tmp_path, trained):
    named = {"summary": "before it was edited", "try_next": {"seq2seq_noise_l2": "the half"}, "published": []}
    run = write_run(tmp_path, "2026-01-01_000000", {**named, "train_used": True, "data.cache": "/elsewhere"})
    assert finished_run(NAME, tmp_path, scale="demo").folder == run


def test_what_a_run_does_not_say_has_its_default(tmp_path, trained):
    run = write_run(tmp_path, "2026-01-01_000000", {})
    stored = yaml.safe_load((run / "settings.yaml").read_text())
    del stored["optimizer"]["average"], stored["train_used"]
    (run / "settings.yaml").write_text(yaml.safe_dump(stored))
    assert finished_run(NAME, tmp_path, scale="demo").folder == run
    start = {"run": str(run), "networks": ["network"]}
    with pytest.raises(UserError, match=r"here optimizer\.average was 0\.0 and is 0\.9: leave"):
        finished_run(NAME, tmp_path, scale="demo", set={"optimizer.average": 0.9})
    with pytest.raises(UserError, match=r"here training\.start_from\.run was None and is /.*, or name another"):
        finished_run(NAME, tmp_path, scale="demo", set={"training.start_from": start})


@pytest.mark.parametrize("status", ["finished", "interrupted"])
def test_a_run_with_other_settings_is_refused(tmp_path, trained, status):
    write_run(tmp_path, "2026-01-01_000000", {"training.steps": 7, "seed": 1}, status=status)
    with pytest.raises(UserError, match=r"here seed was 1 and is 0; training\.steps was 7 and is 8: leave it as it was"):
        finished_run(NAME, tmp_path, scale="demo", set={"training.steps": 8})
