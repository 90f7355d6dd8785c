"""`analogy prepare`: a dataset is prepared once, where runs look for it, and mistakes are found first."""

import shutil

import pytest

from analogy.data.prepared import PreparedClips
from data_prep.penn_action import prepare_penn_action
from data_prep.synthetic_actors import opening


def test_it_prepares_once_where_runs_look_for_it(invoke, actors, tmp_path):
    done = invoke("prepare", "penn_action", "--data-dir", actors, "--cache", tmp_path)
    assert done.exit_code == 0, (done.output, done.exception)
    (folder,) = (path for path in (tmp_path / "prepared").iterdir() if path.is_dir())
    clips = PreparedClips.open(folder).clips
    last = done.stdout.splitlines()[-1]
    assert last == f"penn_action: {len(clips)} clips with {sum(clip.length for clip in clips)} frames in {folder}"
    assert prepare_penn_action(actors, tmp_path / "prepared") == folder
    again = invoke("prepare", "penn_action", "--data-dir", actors, "--cache", tmp_path)
    assert again.exit_code == 0 and again.stdout.splitlines() == [last]


def test_generated_data_are_made_in_the_cache_where_runs_look_for_them(invoke, actors, tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "write_synthetic_actors", lambda folder: shutil.copytree(actors, folder))
    done = invoke("prepare", "synthetic_actors", "--cache", tmp_path)
    assert done.exit_code == 0, (done.output, done.exception)
    (folder,) = (path for path in (tmp_path / "prepared").iterdir() if path.is_dir())
    # As a run with data.cache opens them.
    assert prepare_penn_action(opening.rendered_actors(tmp_path), tmp_path / "prepared", name="synthetic_actors") == folder


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        (("bair", "--data-dir", "{here}", "--beam-options", "--x='y"), ["No closing quotation"]),
        (("pen_action",), ["did you mean penn_action?"]),
        (("pen_action", "--data-dir", "{here}/none"), ["did you mean penn_action?", "--data-dir {here}/none: there is"]),
        (("sines", "--data-dir", "{here}/file"), ["nothing to prepare", "file: this is a file, not a folder"]),
        (("bair", "--data-dir", "{here}", "--cache", "~no body/x"), ["--cache: ~no body/x: there is"]),
        (("sines",), ["nothing to prepare"]),
        (("bair",), ["name its folder with --data-dir"]),
        (("synthetic_actors", "--data-dir", "{here}"), ["is generated"]),
        (
            ("kth", "--image-size", "8", "--cache", "{here}/file"),
            ["at least 16 pixels", "choose another --cache", "--data-dir"],
        ),
        (("bair", "--image-size", "64", "--data-dir", "{here}"), ["leave it out", "no folder of bair"]),
    ],
)
def test_mistakes_are_found_before_anything_is_prepared(invoke, tmp_path, monkeypatch, options, messages):
    monkeypatch.delenv("ANALOGY_DATA_DIR", raising=False)
    (tmp_path / "file").touch()
    done = invoke("prepare", *(option.format(here=tmp_path) for option in options))
    lines = done.stderr.splitlines()
    assert done.exit_code == 2 and len(lines) == len(messages) and all(line.startswith("error: ") for line in lines), lines
    for message in messages:
        assert sum(message.replace("{here}", str(tmp_path)) in line for line in lines) == 1, (message, lines)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
