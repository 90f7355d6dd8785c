"""One odd run folder is shown as unreadable with its reason: it never stops training, evaluation or browsing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from analogy.runs.find import find_run
from analogy.runs.folder import RunFolder, is_running
from analogy.runs.reading import read_run, read_runs
from analogy.visualise import html
from analogy.visualise.pages import write_pages, write_run_page
from analogy.visualise.results_page import write_results_page
from analogy.visualise.serve import make_server, refresh

GOOD = {"experiment": "pool3", "status": "finished", "steps": 8, "test": {"psnr": 20.0}, "baseline": {"copy": {"psnr": 19.0}}}


def write_run(folder: Path, summary=None, settings: bytes = b"seed: 1\n") -> Path:
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps(summary or GOOD))
    (folder / "settings.yaml").write_bytes(settings)
    return folder


@pytest.fixture
def good(tmp_path):
    return write_run(tmp_path / "pool3" / "2026-11-21_100000")


SUMMARIES = {
    "a number for text": {"experiment": 7, "status": 3.5, "dataset": True, "summary": 1, "protocol": 2.0, "scale": 1},
    "lists for text": {"experiment": [1], "status": {}, "dataset": [[]], "seed": [], "steps": "many"},
    "text for tables": {"status": "finished", "test": "good", "baseline": [1], "clips": "none", "actions": 3, "seconds": "x"},
    "rows that are none": {"status": "finished", "clips": [1, None, {"clip": 3, "action": {}, "psnr": [], "columns": 5}]},
    "a number beyond all floats": {
        "status": "finished",
        "steps": 10**400,
        "test": {"psnr": 10**400},
        "seconds": {"total": 1e999},
    },
    "half a character": {"experiment": "\ud800", "status": "finished", "dataset": "\udcff"},
    "no doubts": {"status": "finished", "doubts": {"a": 1}, "parameters": {"a": "b"}, "baseline": {"copy": 4}},
}


@pytest.mark.parametrize("summary", SUMMARIES.values(), ids=SUMMARIES)
def test_a_summary_of_other_types_is_listed(good, tmp_path, summary):
    odd = write_run(tmp_path / "odd" / "2026-11-22_100000", summary)
    write_run_page(odd)
    write_pages(good)
    html = (tmp_path / "index.html").read_text()
    assert "2026-11-22_100000" in html and "20.00 dB" in html
    assert find_run("pool3", tmp_path, "--run") == good


SETTINGS = {
    "NUL bytes": b"\0" * 4096,
    "a date that is none": b"summary: 2024-13-45\n",
    "a broken number": b"seed: 0b_\nother: !!int x\nwhen: !!timestamp x\n",
    "bytes that are no text": b"seed: \xff\xfe\n",
    "a mapping in itself": b"a: &a {b: *a}\n",
    "aliases of aliases": b"a: &a [x, x]\n" + b"".join(b"%c: &%c [*%c, *%c]\n" % (i + 1, i + 1, i, i) for i in range(97, 121)),
    "a list": b"- 1\n- 2\n",
    "a key that is a list": b"? [1]\n: 2\n",
    "half a file": b"data: {folder: [",
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_settings_that_are_none_are_listed(good, tmp_path, settings):
    odd = write_run(tmp_path / "odd" / "2026-11-22_100000", settings=settings)
    write_run_page(odd)
    write_pages(good)
    assert "2026-11-22_100000" in (tmp_path / "index.html").read_text()


def test_settings_are_shown_as_they_are_written(good, tmp_path):
    write_run(tmp_path / "pool4" / "2026-11-22_100000", settings=b"rate: 1e-4\nwhen: 2024-01-02\nflip: true\n")
    write_results_page(tmp_path)
    html = (tmp_path / "index.html").read_text()
    assert all(value in html for value in ('"1e-4"', '"2024-01-02"', '"true"'))


def test_folders_that_are_none_are_unreadable_and_say_why(good, tmp_path):
    odd = tmp_path / "odd"
    odd.mkdir()
    (odd / "a_loop").symlink_to(odd / "a_loop")
    (odd / "nowhere").symlink_to(odd / "gone")
    (odd / "a_file").write_text("no run")
    (tmp_path / "an_experiment_that_is_a_loop").symlink_to(tmp_path / "an_experiment_that_is_a_loop")
    (odd / "summary_is_a_folder" / "summary.json").mkdir(parents=True)
    (odd / "empty").mkdir()
    os.makedirs(os.fsencode(odd) + b"/no\xfftext\n<b>")
    fifo = odd / "a_pipe"
    fifo.mkdir()
    os.mkfifo(fifo / "summary.json")
    for name in ("settings.yaml", ".analogy", ".lock"):
        os.mkfifo(fifo / name)
    blocked = write_run(odd / "files_for_folders")
    for name in ("samples", "test", "plots", "saved_model", "metrics.jsonl"):
        (blocked / name).write_text("a file")
    problems = {run.folder.name: run.problem for run in read_runs(tmp_path) if run.problem}
    assert problems == {
        "a_loop": "summary.json cannot be read: Too many levels of symbolic links",
        "an_experiment_that_is_a_loop": "the folder cannot be read: Too many levels of symbolic links",
        "nowhere": "summary.json is missing",
        "summary_is_a_folder": "summary.json cannot be read: this is a folder, not a file",
        "empty": "summary.json is missing",
        os.fsdecode(b"no\xfftext\n<b>"): "summary.json is missing",
        "a_pipe": "summary.json cannot be read: this is a pipe or a device, not a file",
    }
    write_run_page(blocked)
    write_pages(good)
    html = (tmp_path / "index.html").read_bytes()
    assert html.count(b">unreadable<") == 7 and b"no%FFtext%0A%3Cb%3E" in html and b"20.00 dB" in html


def test_a_folder_of_another_user_stops_nobody(good, tmp_path, monkeypatch):
    """The missing permission is simulated, because tests may run as an administrator, who may read every folder."""
    for name in ("theirs", "mixed/2026-11-23_100000"):
        (tmp_path / name).mkdir(parents=True)
    real_scandir, real_stat = os.scandir, Path.stat

    def refuse(path):
        if "theirs" in str(path) or "2026-11-23_100000" in str(path):
            raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", lambda path=".": (refuse(path), real_scandir(path))[1])
    monkeypatch.setattr(Path, "stat", lambda path, **how: (refuse(path.parent), real_stat(path, **how))[1])
    problems = {run.folder.name: run.problem for run in read_runs(tmp_path) if run.problem}
    assert problems == {
        "theirs": "the folder cannot be read: Permission denied",
        "2026-11-23_100000": "summary.json cannot be read: Permission denied",
    }
    write_pages(good)
    refresh(tmp_path, tmp_path)
    assert (tmp_path / "index.html").read_text().count(">unreadable<") == 2


def test_a_run_that_no_row_can_be_made_of_is_a_row_that_says_so(good, tmp_path, monkeypatch):
    write_run(tmp_path / "odd" / "2026-11-22_100000")

    def samples(folder):
        if folder.parent.name == "odd":
            raise ArithmeticError("a fault that nobody thought of")
        return []

    monkeypatch.setattr("analogy.visualise.results_page.samples_of", samples)
    write_pages(good)
    html = (tmp_path / "index.html").read_text()
    assert "not those of a run: a fault that nobody thought of" in html and "20.00 dB" in html


def test_a_list_that_cannot_be_written_is_said_and_stops_no_run(good, tmp_path, caplog, monkeypatch):
    real = html.replacing

    def refuse(path):
        if path == tmp_path / "index.html":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(html, "replacing", refuse)
    write_pages(good)
    assert (good / "index.html").is_file() and "the list of runs cannot be written" in caplog.text


def test_the_server_goes_on_beside_odd_folders(good, tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    server = make_server(tmp_path, 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        with urllib.request.urlopen(f"{address}/") as answer:
            assert b">unreadable<" in answer.read()
        for path in ("/loop/", "/loop/index.html"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(address + path)
    finally:
        server.shutdown()
        server.server_close()


# ---------------------------------------------------------------- running, by the lock


def test_running_is_what_holds_its_lock(tmp_path):
    folder = RunFolder(tmp_path / "pool3" / "2026-11-21_100000")
    folder.update_summary(experiment="pool3", status="running")
    (folder.path / "settings.yaml").write_text("seed: 1\n")
    assert is_running(folder.path) is True and read_run(folder.path).status == "running"
    folder.close()
    assert is_running(folder.path) is False
    run = read_run(folder.path)
    assert run.status == "interrupted" and run.advice == "go on with --resume"
    write_pages(folder.path)
    for page in (folder.path, tmp_path):
        html = (page / "index.html").read_text()
        assert ">interrupted<" in html and "go on with --resume" in html and ">running<" not in html


def test_a_disk_without_locks_says_unknown(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path / "run")
    folder.update_summary(status="running")
    monkeypatch.setattr("fcntl.flock", lambda file, how: (_ for _ in ()).throw(OSError(37, "No locks available")))
    assert is_running(folder.path) is None and read_run(folder.path).status == "unknown"
    folder.close()


def test_asking_keeps_no_run_from_starting(tmp_path):
    RunFolder(tmp_path / "run").close()
    stop = threading.Event()

    def ask():
        while not stop.is_set():
            is_running(tmp_path / "run")

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    try:
        for _ in range(50):
            RunFolder(tmp_path / "run").close()
    finally:
        stop.set()
        for asker in askers:
            asker.join()


def test_a_page_says_that_its_run_was_killed(tmp_path):
    """A run that is killed with SIGKILL changes no file, so the server has to look at the lock."""
    folder = tmp_path / "pool3" / "2026-11-21_100000"
    code = (
        "import sys, time, pathlib; from analogy.runs.folder import RunFolder; run = RunFolder(pathlib.Path(sys.argv[1]));"
        "run.update_summary(experiment='pool3', status='running'); print('up', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "up\n"
    pages = [tmp_path / "index.html", folder / "index.html"]
    for status in ("running", "interrupted"):
        for page in pages:
            refresh(tmp_path, page.parent)
        assert all(f">{status}<" in page.read_text() for page in pages)
        process.kill()
        process.wait()
