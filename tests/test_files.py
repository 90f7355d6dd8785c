"""Files and folders: written whole, read with care, locked, listed, named and marked."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Optional, get_origin

import pytest
import typer

from analogy.cli.console import with_paths
from analogy.errors import UserError
from analogy.files.listing import files_below
from analogy.files.locks import making
from analogy.files.marks import PREDICTION, RUN, mark_folder
from analogy.files.names import distinct_name
from analogy.files.paths import check_path, expanded
from analogy.files.patterns import has_wildcards, without_wildcards
from analogy.files.reading import LARGEST_FILE, NO_FILE, not_there, read_json, read_regular

ROOT = Path(__file__).parent.parent
PROGRAM = """
import os, sys, time
from pathlib import Path
from analogy.files.locks import making

target = Path(sys.argv[1])
with making(target) as missing:
    if missing:
        print("works", flush=True)
        time.sleep(float(sys.argv[2]))
        partial = target.with_name(f"{os.getpid()}.partial")
        partial.write_text("whole")
        partial.rename(target)
print(target.read_text(), flush=True)
"""


def start(target: Path, seconds: float) -> subprocess.Popen:
    command = [sys.executable, "-c", PROGRAM, target, str(seconds)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_six_processes_at_once_work_once(tmp_path):
    processes = [start(tmp_path / "deep" / "cache", 1.0) for _ in range(6)]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0] * 6
    assert sorted(out.split() for out, _ in outputs) == [["whole"]] * 5 + [["works", "whole"]]
    assert all(err.count("waiting for it") <= 1 for _, err in outputs) and any("waiting for it" in err for _, err in outputs)


def test_a_killed_process_is_in_nobodys_way(tmp_path):
    killed = start(tmp_path / "cache", 600)
    assert killed.stdout.readline() == "works\n"
    waiting = start(tmp_path / "cache", 0)
    assert "waiting for it" in waiting.stderr.readline()
    killed.kill()
    killed.communicate()
    assert waiting.communicate(timeout=60)[0].split() == ["works", "whole"]


def test_a_disk_without_locks_is_said(tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    with making(tmp_path / "cache") as missing:
        assert missing
    assert "cannot be locked (Operation not supported)" in caplog.text


def test_what_fails_is_made_by_the_next(tmp_path):
    with pytest.raises(RuntimeError), making(tmp_path / "cache"):
        raise RuntimeError
    with making(tmp_path / "cache") as missing:
        assert missing
        (tmp_path / "cache").touch()
    with making(tmp_path / "cache") as missing:
        assert not missing


def test_files_below_a_folder_follow_links_once(tmp_path, caplog):
    for name in ("mine/real/a.mp4", "mine/.hidden.mp4", "mine/.git/b.mp4", "elsewhere/c.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    links = {
        "also": "real",
        "other": "../elsewhere",
        "loop": ".",
        "gone.mp4": "nowhere",
        "self.mp4": "self.mp4",
        "d.mp4": "real/a.mp4",
    }
    for name, target in links.items():
        (tmp_path / "mine" / name).symlink_to(target)
    os.mkfifo(tmp_path / "mine" / "fifo.mp4")
    found = {str(path.relative_to(tmp_path / "mine")) for path in files_below(tmp_path / "mine")}
    odd = {"gone.mp4", "self.mp4", "fifo.mp4"}  # whoever reads them says what they are
    assert found == {"real/a.mp4", "other/c.mp4", "d.mp4"} | odd and not caplog.records
    assert not list(files_below(tmp_path / "gone")) and "cannot be read (No such file" in caplog.text


def test_the_films_of_runs_are_no_data(tmp_path):
    """As where results/ lies in the folder of the videos: the next run would train on the films of the one before."""
    for name in ("a.mp4", "results/exp/run/test/b.mp4", "results/predictions/clip/c.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    mark_folder(tmp_path / "results" / "exp" / "run", RUN)
    mark_folder(tmp_path / "results" / "predictions" / "clip", PREDICTION)
    assert {path.name for path in files_below(tmp_path)} == {"a.mp4"}
    assert {path.name for path in files_below(tmp_path, predictions=True)} == {"a.mp4", "c.mp4"}
    assert {path.name for path in files_below(tmp_path / "results" / "exp" / "run")} == {"b.mp4"}  # where it is asked for


def test_what_is_no_file_is_said_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "deep").write_text("[" * 100_000)
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    reasons = {
        "pipe": "a pipe or a device, not a file", "zero": "a pipe or a device, not a file", ".": "a folder, not a file",
        "loop": "Too many levels", "gone": "No such file", "sparse": "this file of 1.1 GB is too large",
    }  # fmt: skip
    for name, reason in reasons.items():
        with pytest.raises(OSError, match=reason) as said:
            read_regular(tmp_path / name)
        assert said.value.errno in NO_FILE
    with pytest.raises(ValueError, match="it is nested too deeply"):
        read_json(tmp_path / "deep")
    (tmp_path / "good").write_text('{"a": [1]}')
    assert read_json(tmp_path / "good") == {"a": [1]}


def test_names_of_clips_are_distinct_short_and_printable():
    assert distinct_name("a b.mp4", {"c"}) == "a b.mp4"
    assert distinct_name("a", {"a", "a~2"}) == "a~3"
    assert distinct_name("new\nline🎬", ()) == "new_line🎬"
    long = distinct_name("é" * 200, ())
    assert long == "é" * 75 and distinct_name("é" * 201, {long}) == f"{long}~2"


def test_a_temporary_folder_whose_name_is_a_pattern_is_not_used_for_links(tmp_path, monkeypatch):
    odd = tmp_path / "[x] y"
    odd.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(odd))
    with without_wildcards(odd) as plain:
        assert not has_wildcards(plain) and plain.resolve() == odd
    assert not plain.exists()
    monkeypatch.setattr("analogy.files.patterns.USUAL_TEMPORARY_FOLDERS", (str(tmp_path / "none"),))
    with pytest.raises(UserError, match="set TMPDIR to a folder without them"), without_wildcards(odd):
        pass


def test_what_is_there_instead_of_a_file_is_said(tmp_path):
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "broken").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    there = {"file": "", "pipe": "a pipe", "broken": "no such file; the link leads nowhere", "loop": "symbolic links"}
    for name, words in (there | {".": "a folder, not a file", "x" * 300: "too long", "nothing": "no such file"}).items():
        assert words in (why := not_there(tmp_path / name)) and bool(why) == (name != "file"), name


def test_a_lock_that_is_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.lock")
    with pytest.raises(UserError, match=r"x\.lock: cannot be written \(this is a pipe"), making(tmp_path / "x"):
        raise AssertionError("begun")
    (tmp_path / "file").touch()
    with (
        pytest.raises(UserError, match="choose another folder of prepared data: ANALOGY_CACHE"),
        making(tmp_path / "file" / "x"),
    ):
        raise AssertionError("begun")


# ---------------------------------------------------------------- homes and variables


def test_the_home_is_replaced_and_variables_are_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("UNSET", raising=False)
    assert expanded("~/runs") == tmp_path / "home" / "runs"
    for literal in ("a$b$$", "$UNSET/x", "./~x", "x~", "a/~"):
        assert expanded(literal) == Path(literal)
    for text in ("$HOME/runs", "${HOME}/runs"):
        with pytest.raises(UserError, match=f"not here: write {tmp_path}/home/runs"):
            expanded(text)
        Path(text).mkdir(parents=True)
        assert expanded(text) == Path(text)
    (tmp_path / "~nobody at all").touch()
    assert expanded("~nobody at all") == Path("~nobody at all")
    (tmp_path / "far" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "deep")
    assert expanded("link/../x") == tmp_path / "far" / "x" and expanded("~/../x") == tmp_path / "x"
    Path("at:/here").mkdir(parents=True)
    assert expanded("at://here") == Path("at:/here")  # a path like another, where there is something
    for text, said in {
        "": "empty",
        "s3://a/b": r"^s3://\.\.\.: addresses are not read: name a file or folder on this machine$",
        "at:/x": "addresses are not read",
        "~nobody else": "no such folder",
        "a\0b": "cannot hold",
    }.items():
        with pytest.raises(UserError, match=said):
            expanded(text)


def test_an_environment_of_another_encoding_is_said(monkeypatch):
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "iso8859-1")
    check_path(Path("plain"))
    with pytest.raises(UserError, match=r"names are iso8859-1 in this environment.*set PYTHONUTF8=1"):
        check_path(Path("t\u00fcr"))


@pytest.mark.parametrize(
    "command",
    ["run --exp analogy_pool3 --dry-run --data-dir {}", "run --resume {}", "evaluate --predictions {} --truth t",
     "evaluate --predictions p --truth {}", "compare --run a --run b --out {}", "fetch i3d --out {}", "browse --results-dir {}",
     "predict {}", "run --dry-run --exp {}.yaml", "prepare penn_action --data-dir {}", "predict x.mp4 --poses {}.json"],
)  # fmt: skip
def test_every_command_reads_paths_alike(invoke, command, monkeypatch):
    monkeypatch.setenv("HERE", "/somewhere")
    done = invoke(*(part.format("$HERE/x") for part in command.split()))
    assert done.exit_code == 2 and "write /somewhere/x" in done.stderr


def test_a_path_that_may_be_missing_is_read_alike_on_python_3_10():
    """There, hints whose default is None come as Optional[Annotated[...]]."""
    option = typer.Option()

    def command(out=None):
        pass

    command.__annotations__ = {"out": Optional[Annotated[Path | None, option]]}  # noqa: UP045
    assert get_origin(with_paths(command).__annotations__["out"]) is Annotated
    with pytest.raises(typer.Exit):
        option.parser("")


def test_an_empty_path_is_not_the_current_folder(invoke):
    done = invoke("export", "lvln_plus", "--out", "")
    assert done.exit_code == 2 and "--out: the path is empty" in done.stderr
