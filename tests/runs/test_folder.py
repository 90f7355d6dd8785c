"""The files of a run: whole or not there, and faults that name them."""

import errno
import logging
from pathlib import Path

import pytest
import tensorflow as tf

from analogy.errors import UserError
from analogy.files.marks import SAVED_MODEL, mark_folder
from analogy.files.writing import naming, partial_name, remove_leftovers, replacing
from analogy.ownership import replacing_folder
from analogy.runs.folder import LogFile, RunFolder
from analogy.training.tensorboard import TensorBoard


def test_a_log_on_a_full_disk_says_nothing(capsys):
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    log = LogFile("/dev/full")
    log.emit(logging.makeLogRecord({"msg": "lost"}))
    log.close()
    assert capsys.readouterr() == ("", "")


def test_a_fault_of_writing_names_the_file(tmp_path):
    with pytest.raises(OSError) as said, naming(tmp_path / "a.png"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert said.value.filename == str(tmp_path / "a.png")
    with pytest.raises(OSError, match=r"^encoder error -2$"), naming(tmp_path / "a.png"):  # a library's own words stay
        raise OSError("encoder error -2")


def test_events_that_cannot_be_written_are_one_line(tmp_path, monkeypatch):
    board = TensorBoard(tmp_path / "tensorboard")
    board.scalars({"loss": 1.0}, 1)

    def full():
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device\nmore")

    monkeypatch.setattr(board._writer, "flush", full)
    with pytest.raises(UserError, match=r"tensorboard: cannot be written \(No space left on device\); make room"):
        board.scalars({"loss": 1.0}, 2)


def test_what_a_killed_process_left_is_removed_when_its_run_goes_on(tmp_path):
    run = RunFolder(tmp_path)
    with (
        replacing(tmp_path / "samples" / "a.png") as partial,
        replacing_folder(tmp_path / "saved_model", SAVED_MODEL) as replacement,
    ):
        partial.write_bytes(b"half")
        (replacement.partial / "saved_model.pb").write_bytes(b"half")
        remove_leftovers(tmp_path / "samples")
        assert not partial.exists() and replacement.partial.exists()
        partial.write_bytes(b"whole")
        (tmp_path / "plots" / partial_name(".png")).write_bytes(b"half")
        (tmp_path / "plots" / f".{'0' * 32}.partial.png").write_bytes(b"half, of an earlier version")
        (tmp_path / (ours := partial_name())).mkdir()
        mark_folder(tmp_path / ours, SAVED_MODEL)
        (tmp_path / (theirs := partial_name())).mkdir()
        (tmp_path / "samples" / ".thesis.partial.png").write_bytes(b"a user's")
    run.close()
    RunFolder(tmp_path).close()
    kept = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {"samples/a.png", "saved_model/saved_model.pb"} <= kept
    assert [name for name in kept if "partial" in name] == ["samples/.thesis.partial.png"]
    assert not (tmp_path / ours).exists() and (tmp_path / theirs).exists()


def test_a_disk_without_locks_is_said_and_not_another_run(tmp_path, monkeypatch, caplog):
    def refuse(file, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    RunFolder(tmp_path / "run").close()
    assert "cannot be locked (No locks available)" in caplog.text


def test_a_resumed_run_keeps_the_rows_before_its_checkpoint_bit_for_bit(tmp_path):
    run = RunFolder(tmp_path)
    lines = [
        '{"step": 2, "a/loss": 0.30000000000000004, "note": null}',
        '{"a/loss": 1}',
        '{"step": 4, "a/loss": NaN}',
        '{"step": 6}',
        '{"st',
    ]
    (tmp_path / "metrics.jsonl").write_bytes("\n".join(lines).encode() + b"\xff\n")
    run.drop_rows_after(4)
    run.close()
    assert (tmp_path / "metrics.jsonl").read_text() == f"{lines[0]}\n{lines[2]}\n"
