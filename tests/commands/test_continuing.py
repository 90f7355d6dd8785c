"""Scripts that are started again go on with what was stopped."""

from pathlib import Path

import analogy
from analogy.cli.continuing import finished_run
from tests import run_folders


def test_a_run_is_trained_once_and_resumed_where_it_was_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(analogy, "train", lambda *name, **options: (*name, options))
    assert finished_run("x", tmp_path, scale="demo") == ("x", {"results_dir": tmp_path, "scale": "demo"})
    run_folders.finished_run(tmp_path / "x" / "2026-01-01_000000")
    assert finished_run("x", tmp_path).folder == tmp_path / "x" / "2026-01-01_000000"
    stopped: Path = run_folders.finished_run(tmp_path / "x" / "2026-01-02_000000", status="interrupted")
    assert finished_run("x", tmp_path) == ({"resume": stopped, "results_dir": tmp_path},)
