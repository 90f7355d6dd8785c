"""Folders may have any name that a file system allows."""

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from analogy.data.prepared import PreparedClips
from analogy.data.video import read_video, write_pictures
from analogy.errors import UserError
from analogy.files.locks import making
from analogy.files.paths import cache_folder, check_present, check_writable
from analogy.runs.export import write_saved_model
from analogy.runs.find import load_saved_model
from analogy.runs.folder import RunFolder
from analogy.training.checkpoint import Checkpoints, saved_checkpoints
from analogy.training.tensorboard import TensorBoard
from analogy.visualise.video import write_gif, write_mp4
from data_prep.frame_store import prepare_frames, prepare_on_beam
from tests.data_prep.toy_source import ToySource

RNG = np.random.default_rng(0)
SIGNS = [chr(code) for code in (*range(1, 47), *range(48, 127), 160, 0x2028, 0xFEFF, 0x4E2D, 0x1F3AC)]  # all of ASCII but /


def drawn(number: int) -> str:
    """A name of twelve characters, most of them special; as a function of the number."""
    rng = np.random.default_rng(number)
    return "".join(rng.choice([*SIGNS, *"[[]]**??\\\\{}%:"], 12))


NAMES = ("[thesis] 2026", "a*b?c", "back\\slash\\", " %04d {0} $HOME ~ ", "-x=#1: 'a' \"b\"\t\n", "...", *map(drawn, range(6)))


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_checkpoints_are_kept_in_any_folder(tmp_path, name):
    model = tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(1)])
    system = SimpleNamespace(models={"m": model}, state={}, optimizers={})
    step = tf.Variable(0, dtype=tf.int64)
    checkpoints = Checkpoints(tmp_path / name, system, step, 2)
    for number in (1, 2, 3):
        step.assign(number)
        model.variables[1].assign([number])
        checkpoints.save({"loss": number})
    model.variables[1].assign([0])
    assert len(saved_checkpoints(tmp_path / name)) == 2  # old ones are deleted
    assert checkpoints.restore() == {"loss": 3} and model.variables[1].numpy() == [3]
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


@pytest.mark.parametrize("name", NAMES[:7], ids=ascii)
def test_models_are_exported_to_any_folder(tmp_path, name):
    module = tf.Module()
    module.weight = tf.Variable([2.0])
    module.double = tf.function(lambda x: {"y": module.weight * x}, input_signature=[tf.TensorSpec([1], name="x")])
    folder = tmp_path / name / "saved_model"
    write_saved_model(module, {"double": module.double}, folder)
    loaded = load_saved_model(folder)
    assert loaded.double(tf.constant([3.0]))["y"].numpy() == [6]
    board = TensorBoard(tmp_path / name / "tensorboard")
    board.scalars({"loss": 1.0}, 1)
    assert len(list((tmp_path / name / "tensorboard").iterdir())) == 1


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_data_are_prepared_from_and_in_any_folder(tmp_path, name):
    source, cache = tmp_path / f"data{name}", tmp_path / f"cache{name}"
    source.mkdir()
    frames = RNG.integers(0, 256, (3, 4, 5, 1), dtype=np.uint8)
    np.save(source / f"{name}.npy", frames)
    prepared = PreparedClips.open(prepare_frames(ToySource(source), cache))
    np.testing.assert_array_equal(prepared.frames(prepared.clips[0]), frames)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([cache.name, source.name])


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_videos_are_written_to_and_read_from_any_folder(tmp_path, name):
    frames = np.repeat(np.arange(4, dtype=np.uint8)[:, None, None, None] * 50, 3, -1) + np.zeros((1, 16, 16, 1), np.uint8)
    write_mp4(tmp_path / name / f"{name}.mp4", frames, 10)
    write_gif(tmp_path / name / f"{name}.gif", frames, 10)
    write_pictures(tmp_path / name / f"{name} pictures", frames)
    for path in (tmp_path / name).iterdir():
        assert [round(frame.mean() / 50) for frame in read_video(path).frames] == [0, 1, 2, 3]
    assert len(list((tmp_path / name).iterdir())) == 3


@pytest.mark.parametrize("name", [os.fsdecode(b"a\xff"), "a" * 256, "a\0b"], ids=["no UTF-8", "too long", "NUL"])
def test_names_that_cannot_be_used_are_refused_before_anything_starts(tmp_path, name, monkeypatch):
    for check in (
        lambda path: check_writable(path, "choose another"),
        lambda path: check_present(path, "--data-dir"),
        cache_folder,
    ):
        with pytest.raises(UserError, match=r"its name is no UTF-8; rename it|no file can have this name|cannot hold the sign"):
            check(tmp_path / name / "below")


def test_a_folder_where_nothing_can_be_made_is_refused_before_anything_starts(tmp_path):
    check_writable(tmp_path / "new" / "folder", "choose another")
    assert not list(tmp_path.iterdir())
    disk, nowhere = tmp_path / "disk", "disk is a link that leads nowhere, to /not/mounted: mount that disk, or choose"
    disk.symlink_to("/not/mounted")
    with pytest.raises(UserError, match=f"{nowhere} another"):
        check_writable(disk / "new", "choose another")
    with pytest.raises(UserError, match=f"{nowhere} another folder of prepared data: ANALOGY_CACHE"), making(disk / "a" / "b"):
        pass
    with pytest.raises(UserError, match=f"{nowhere} another --results-dir"):
        RunFolder.create(tmp_path, "disk")
    with pytest.raises(UserError, match=r"/proc/there/is/none: cannot be written: .*/proc.*; choose"):
        check_writable(Path("/proc/there/is/none"), "choose another")


@pytest.mark.extra
def test_beam_refuses_a_cache_whose_name_is_a_pattern(tmp_path):
    pytest.importorskip("apache_beam")
    with pytest.raises(UserError, match=r"Apache Beam takes .* for patterns; choose another --cache"):
        prepare_on_beam(ToySource(tmp_path), tmp_path / "[cache]", [])
    assert not (tmp_path / "[cache]").exists()
