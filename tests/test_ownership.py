"""What carries no mark of ours is never replaced or deleted, and what is in use is no place for output."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from analogy.data.video import write_pictures
from analogy.errors import UserError
from analogy.files.marks import COMPARISON, EVALUATION, MARK, PREDICTION, PREPARED, RUN, SAVED_MODEL, kind_of, mark_folder
from analogy.files.writing import partial_name, remove_leftovers
from analogy.ownership import (
    check_output,
    check_results_dir,
    check_text_output,
    is_our_text,
    is_run,
    refuse_foreign,
    replacing_folder,
    unused_folder,
    write_our_text,
)
from analogy.resolve import resolve_settings
from analogy.runs.folder import RunFolder
from analogy.visualise.pages import write_pages
from analogy.visualise.results_page import write_results_page
from analogy.visualise.serve import refresh


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def run(tmp_path):
    """A finished run."""
    folder = RunFolder.create(tmp_path / "results", "pool3")
    folder.update_summary(experiment="pool3", status="finished")
    (folder.path / "settings.yaml").write_text("seed: 1\n")
    (folder.path / "saved_model").mkdir()
    mark_folder(folder.path / "saved_model", SAVED_MODEL)
    (folder.path / "saved_model" / "saved_model.pb").write_bytes(b"of this run")
    folder.close()
    return folder.path


def earlier(run: Path) -> Path:
    """As the version before left it: without marks."""
    for mark in run.rglob(MARK):
        mark.unlink()
    return run


@pytest.mark.parametrize("kind", [SAVED_MODEL, PREDICTION, COMPARISON, PREPARED])
def test_what_has_no_mark_is_kept(tmp_path, kind):
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in ("joints.json", "saved_model.pb", "comparison.md", "000001.jpg", "index.html"):
        (mine / name).write_text("precious")
    before = contents(mine)
    with pytest.raises(UserError, match="mine: holds something without our mark, so it is not replaced; name a folder that"):
        refuse_foreign(mine, kind)
    with pytest.raises(UserError, match="without our mark"), replacing_folder(mine, kind):
        raise AssertionError("begun")
    with pytest.raises(UserError, match="without our mark"):
        check_output(mine, kind)
    assert contents(tmp_path) == {f"mine/{name}": content for name, content in before.items()}


def test_what_an_earlier_version_made_is_kept_and_the_mend_is_named(tmp_path):
    (tmp_path / "joints.json").write_text("{}")
    with pytest.raises(
        UserError, match="or delete this one yourself if it is a prediction of an earlier version, which set no"
    ):
        check_output(tmp_path, PREDICTION)
    with pytest.raises(UserError) as said:
        check_output(tmp_path, SAVED_MODEL)
    assert "earlier version" not in str(said.value)


def test_a_folder_of_ours_is_replaced_as_a_whole(tmp_path):
    out = tmp_path / "out"
    for content in ("first", "second"):
        with replacing_folder(out, PREDICTION) as replacement:
            (replacement.partial / content).write_text(content)
    assert sorted(path.name for path in out.iterdir()) == [MARK, "second"] and kind_of(out) == PREDICTION
    with pytest.raises(RuntimeError), replacing_folder(out, PREDICTION):
        raise RuntimeError
    assert (out / "second").is_file() and [path.name for path in tmp_path.iterdir()] == ["out"]
    with pytest.raises(UserError, match="out: holds a prediction, not a SavedModel; name a folder that does not exist yet"):
        check_output(out, SAVED_MODEL)


def test_files_of_others_in_a_folder_of_ours_are_not_lost(tmp_path):
    out = tmp_path / "out"
    with replacing_folder(out, PREDICTION) as replacement:
        (replacement.partial / "frames").mkdir()
        (replacement.partial / "frames" / "0\n.png").write_text("ours")
    (out / ".DS_Store").touch()
    check_output(out, PREDICTION)
    (out / "frames" / "notes.txt").write_text("precious")
    for refused in (lambda: check_output(out, PREDICTION), replacing_folder(out, PREDICTION).__enter__):
        with pytest.raises(UserError, match=r"out: frames/notes\.txt in it is not ours, and would be lost; move it away"):
            refused()
    with replacing_folder(out, PREDICTION, within_run=True) as replacement:  # the export of a run that ends
        (replacement.partial / "new").write_text("ours")
    assert (out / "frames" / "notes.txt").read_text() == "precious" and not (out / "frames" / "0\n.png").exists()
    (out / "frames" / "notes.txt").unlink()
    (out / ".todo").write_text("hidden and precious")
    with pytest.raises(UserError, match=r"out: \.todo in it is not ours, and would be lost"):
        check_output(out, PREDICTION)
    (out / ".todo").unlink()
    (out / "link").symlink_to(tmp_path)
    with pytest.raises(UserError, match="out: link in it is not ours"):
        check_output(out, PREDICTION)


def test_what_others_make_meanwhile_is_kept(tmp_path, caplog):
    out, empty = tmp_path / "out", tmp_path / "empty"
    empty.mkdir()
    with replacing_folder(out, PREDICTION) as slow, replacing_folder(empty, PREDICTION):
        (slow.partial / "which").write_text("slow")
        with replacing_folder(out, PREDICTION) as fast:
            (fast.partial / "which").write_text("fast")
        (empty / "mine").write_text("precious")
    assert (out / "which").read_text() == "fast" and (tmp_path / "out_2" / "which").read_text() == "slow"
    assert [path.name for path in empty.iterdir()] == ["mine"] and kind_of(tmp_path / "empty_2") == PREDICTION
    assert f"this one lies in {tmp_path}/out_2" in caplog.text
    assert slow.folder == tmp_path / "out_2" and fast.folder == out


def test_a_text_that_is_not_ours_is_kept(tmp_path, caplog):
    table, text = tmp_path / "table.md", "# Ours\n\nfirst"
    write_our_text(table, text)
    write_our_text(table, "# Ours\n\nsecond")
    assert table.read_text() == "# Ours\n\nsecond"
    table.write_text("# Mine\n")
    write_our_text(table, text)
    assert table.read_text() == "# Mine\n" and "table.md: this file is not ours, and is kept" in caplog.text
    for path, why in ((table, "is no table, and is not replaced; name another with --out"), (table / "new.md", "is a file")):
        with pytest.raises(UserError, match=why):
            check_text_output(path, text, "table")
    for odd in ("folder", "pipe"):
        (tmp_path / odd).mkdir() if odd == "folder" else os.mkfifo(tmp_path / odd)
        assert not is_our_text(tmp_path / odd, text)


def test_two_processes_that_were_given_one_name_keep_both_results(tmp_path, caplog):
    chosen = unused_folder(tmp_path / "clip")
    (tmp_path / "clip").mkdir()  # by the other process
    mark_folder(tmp_path / "clip", PREDICTION)
    with replacing_folder(chosen, PREDICTION, new=True) as replacement:
        (replacement.partial / "mine").touch()
    assert not (tmp_path / "clip" / "mine").exists() and (tmp_path / "clip_2" / "mine").exists()
    assert "this one lies in" in caplog.text
    with replacing_folder(chosen, PREDICTION) as replacement:  # asked for by name
        (replacement.partial / "mine").touch()
    assert (tmp_path / "clip" / "mine").exists()


def test_an_empty_folder_is_taken_and_a_file_or_a_link_is_not(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    check_output(tmp_path / "empty", PREDICTION)
    with replacing_folder(tmp_path / "empty", PREDICTION):
        pass
    assert kind_of(tmp_path / "empty") == PREDICTION
    for name, why in (("file", "is a file"), ("link", "is a link"), ("nowhere", "is a link")):
        with pytest.raises(UserError, match=f"{name}: {why}; name"):
            check_output(tmp_path / name, PREDICTION)


def test_the_current_folder_and_a_disk_are_not_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in (Path("."), tmp_path):
        with pytest.raises(UserError, match="is the current folder, which cannot be replaced; name a folder in it"):
            check_output(folder, PREDICTION)
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == tmp_path / "disk")
    (tmp_path / "disk").mkdir()
    with pytest.raises(UserError, match="is a disk"), replacing_folder(tmp_path / "disk", PREDICTION):
        raise AssertionError("begun")
    check_output(tmp_path / "disk" / "new", PREDICTION)


def test_a_sibling_of_the_name_of_something_unfinished_is_kept(tmp_path):
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "mine").write_text("precious")
    with replacing_folder(tmp_path / "out", PREDICTION):
        pass
    assert (tmp_path / ".out.partial" / "mine").read_text() == "precious"


def test_leftovers_are_known_by_name_and_mark(tmp_path):
    ours, empty, theirs = (tmp_path / partial_name() for _ in range(3))
    for folder in (ours, empty, theirs):
        folder.mkdir()
    mark_folder(ours, PREDICTION)
    (theirs / "mine").write_text("precious")
    (tmp_path / ".draft.partial").write_text("precious")
    (tmp_path / ".draft.partial.png").write_text("precious")
    (tmp_path / partial_name(".png")).write_text("half")
    link = tmp_path / partial_name()
    link.symlink_to(theirs)
    remove_leftovers(tmp_path)
    assert set(tmp_path.iterdir()) == {empty, theirs, link, tmp_path / ".draft.partial", tmp_path / ".draft.partial.png"}
    assert (theirs / "mine").is_file()


def test_pictures_are_written_into_a_new_folder_alone(tmp_path):
    import numpy as np

    (tmp_path / "mine.png").write_text("precious")
    with pytest.raises(FileExistsError):
        write_pictures(tmp_path, np.zeros([1, 16, 16, 3], np.uint8))
    assert (tmp_path / "mine.png").read_text() == "precious"


def test_earlier_results_of_one_name_are_kept(tmp_path):
    assert unused_folder(tmp_path / "clip") == tmp_path / "clip"
    for name in ("clip", "clip_2"):
        assert unused_folder(tmp_path / "clip") == tmp_path / name
        with replacing_folder(tmp_path / name, PREDICTION):
            pass
    (tmp_path / "clip_3").symlink_to("nowhere")
    assert unused_folder(tmp_path / "clip") == tmp_path / "clip_4"


# ---------------------------------------------------------------- what is in use


@pytest.mark.parametrize("place", ["", "saved_model", "samples", "new/deep", "../2026/../{name}/plots"])
@pytest.mark.parametrize("old", [False, True])
def test_a_run_is_no_place_for_output(run, place, old, monkeypatch):
    run = earlier(run) if old else run
    (run.parent / "2026").mkdir()
    before = contents(run)
    for kind in (SAVED_MODEL, PREDICTION, COMPARISON):
        with pytest.raises(
            UserError, match=f"lies in the run {run}, whose files stay as they are; name a folder outside of it"
        ):
            check_output(run / place.format(name=run.name), kind)
    with pytest.raises(UserError, match="lies in the run"):
        check_results_dir(run / place.format(name=run.name))
    with pytest.raises(UserError, match="lies in the run"):
        RunFolder.create(run, "pool4")
    monkeypatch.chdir(run)
    with pytest.raises(UserError, match="lies in the run"):
        check_output(Path("."), PREDICTION)
    assert contents(run) == before


def test_a_run_is_no_place_for_prepared_data(invoke, run, monkeypatch):
    before = contents(run)
    done = invoke("prepare", "synthetic_actors", "--cache", run / "cache")
    assert done.exit_code == 2 and "lies in the run" in done.stderr
    monkeypatch.setenv("ANALOGY_CACHE", str(run))
    with pytest.raises(UserError, match="lies in the run"):
        resolve_settings("analogy_pool3", results_dir=run.parent.parent, scale="demo")
    assert contents(run) == before


def test_what_a_command_reads_is_no_place_for_its_output(tmp_path):
    clip = tmp_path / "videos" / "clip"
    clip.mkdir(parents=True)
    mark_folder(clip, PREDICTION)  # also where it is ours
    mark_folder(tmp_path / "videos", PREDICTION)
    (tmp_path / "link").symlink_to(clip)
    for out in (clip, tmp_path / "videos"):
        for given in (clip, clip / "joints.json", tmp_path / "link" / "joints.json"):
            with pytest.raises(UserError, match=r"this command uses .*, which would be replaced; name another folder"):
                check_output(out, PREDICTION, [None, given])
    check_output(clip / "new", PREDICTION, [clip])


def test_the_frames_of_a_clip_are_not_replaced_by_its_prediction(invoke, tmp_path):
    """The folder holds a `joints.json`, as predictions do."""
    clip = tmp_path / "clip"
    clip.mkdir()
    for name in ("000001.jpg", "000002.jpg", "joints.json"):
        (clip / name).write_text("precious")
    before = contents(clip)
    for out in (clip, tmp_path):
        done = invoke("predict", clip, "--poses", clip / "joints.json", "--out", out, "--results-dir", tmp_path / "results")
        assert done.exit_code == 2 and f"error: {out}: this command uses {clip}, which would be replaced" in done.stderr
    assert contents(clip) == before


def test_a_run_keeps_its_export(invoke, run, tmp_path):
    before = contents(run)
    for export in (run / "saved_model", run, run / "new"):
        done = invoke("predict", tmp_path / "no.mp4", "--export", export, "--results-dir", tmp_path / "results")
        assert done.exit_code == 2 and f"error: {export}: lies in the run {run}" in done.stderr
    assert contents(run) == before


def test_a_comparison_replaces_no_folder_of_a_user(invoke, run, tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("precious")
    for out, message in ((tmp_path / "site", "without our mark"), (run, "this command uses"), (tmp_path, "this command uses")):
        done = invoke("compare", "--run", run, "--run", run, "--out", out, "--results-dir", tmp_path / "results")
        assert done.exit_code == 2 and message in done.stderr, done.stderr
    assert contents(tmp_path / "site") == {"index.html": b"precious"}


# ---------------------------------------------------------------- runs and their pages


def test_a_run_is_known_by_its_mark_or_by_all_its_parts(run, tmp_path):
    assert is_run(run) and kind_of(run) == RUN
    assert is_run(earlier(run)) and kind_of(run) is None
    RunFolder(run).close()
    assert kind_of(run) == RUN  # from now on
    evaluation = RunFolder.create(tmp_path, "evaluation_of_pool3", EVALUATION)
    evaluation.close()
    assert is_run(evaluation.path) and not is_run(tmp_path)


def test_a_folder_that_is_no_run_is_not_gone_on_with(tmp_path):
    (tmp_path / "settings.yaml").write_text("precious: 1\n")
    (tmp_path / ".draft.partial").write_text("precious")
    before = contents(tmp_path)
    with pytest.raises(UserError, match="this is not a run folder"):
        RunFolder(tmp_path)
    with pytest.raises(UserError, match=r"--resume .*: this is not a run folder, though it has a settings\.yaml"):
        resolve_settings(None, results_dir=tmp_path, resume=tmp_path)
    assert contents(tmp_path) == before


def test_results_in_a_run_are_refused_before_anything_is_loaded(run):
    with pytest.raises(UserError, match=f"lies in the run {run}"):
        resolve_settings("analogy_pool3", results_dir=run / "samples", scale="demo")


def test_a_page_of_a_user_is_kept(run, caplog):
    results = run.parent.parent
    (results / "index.html").write_text("precious")
    write_pages(run)
    refresh(results, results)
    assert (results / "index.html").read_text() == "precious" and (run / "index.html").is_file()
    assert "index.html: this page is not ours, and is kept; move it away to have ours there" in caplog.text


def test_the_list_of_runs_takes_no_place_of_a_runs_page(run):
    """As `--resume .` once did."""
    write_pages(run)
    before = (run / "index.html").read_bytes()
    write_results_page(run)
    assert (run / "index.html").read_bytes() == before


def test_pages_of_the_version_before_are_replaced(run):
    results = run.parent.parent
    (results / "index.html").write_text('<title>Runs</title><input id="filter" placeholder="experiment, dataset, status…">')
    (run / "index.html").write_text('<nav class="small"><a href="../../index.html">All runs</a></nav>')
    write_pages(run)
    assert all('content="analogy, ' in (folder / "index.html").read_text() for folder in (run, results))


def test_going_on_from_within_the_run_keeps_its_page(run, monkeypatch):
    monkeypatch.chdir(run)
    folder = RunFolder(Path("."))
    write_pages(folder.path)
    folder.close()
    assert "All runs</a>" in (run / "index.html").read_text()
    assert 'id="filter"' in (run.parent.parent / "index.html").read_text()


def test_no_list_of_runs_is_made_beside_a_copied_run(run, tmp_path):
    write_pages(run)
    copy = tmp_path / "home" / "thesis" / run.name
    shutil.copytree(run, copy)
    write_pages(copy)
    assert (copy / "index.html").is_file() and not (tmp_path / "home" / "index.html").exists()


def test_predictions_are_not_listed_as_runs(run):
    prediction = run.parent.parent / "predictions" / "clip"
    with replacing_folder(prediction, PREDICTION) as replacement:
        (replacement.partial / "joints.json").write_text(json.dumps({}))
    write_results_page(run.parent.parent)
    html = (run.parent.parent / "index.html").read_text()
    assert run.name in html and "unreadable" not in html.partition("<body>")[2]


def test_a_mark_that_cannot_be_read_is_none(tmp_path):
    (tmp_path / MARK).mkdir()
    assert kind_of(tmp_path) is None
    assert not is_run(tmp_path) and os.path.isdir(tmp_path / MARK)
