"""Numbers without sense are refused at once: they would fill the memory, or never end."""

from __future__ import annotations

import errno
import os
import re

import numpy as np
import pytest

from analogy.errors import UserError
from analogy.resolve import resolve_settings
from analogy.visualise import video
from analogy.visualise.canvas import MOST_WIDTH, common_height
from analogy.visualise.video import check_encoder, column_boxes, read_mp4, side_by_side, write_mp4

SENSELESS = {
    "analogy_pool3": [
        "generator.width=1e9", "generator.depth=1000000000", "discriminator.units=1000000000", "discriminator.width=1e6",
        "data.image_size=100000", "data.padding=2147483647", "training.batch_size=2147483647", "training.steps=99999999999",
        "training.steps_per_call=2147483647", "evaluation.frames_per_second=2147483647", "seed=99999999999",
        "evaluation.frames_per_call=2147483647", "training.keep_checkpoints=1000000000", "data.min_frame_distance=1000000000",
    ],
    "seq2seq_sins_l1": [
        "network.units=1000000000", "network.depth=1000000000", "data.train_count=2147483647", "data.horizon=2147483647",
        "data.groups_of=1000000000", "scheduled_sampling=99999999999", "optimizer.learning_rate=1e300",
    ],
    "convlstm_mmnist_l3": [
        "data.horizon=2147483647", "data.context=1000000", "data.test_count=2147483647", "data.image_size=99999",
        "data.skip=1000000000", "data.stride=1000000000", "data.test_stride=1000000000",
    ],
    "pose_lstm": ["data.horizon=2147483647", "network.units=1000000000", "network.layers=1000000000"],
    "lvln_plus": ["data.horizon=2147483647", "network.width=1e9"],
    "lvln_classifier_c4": ["network.classes=1000000000", "data.fps=1e31"],
    "keypoints_plus_motion": ["evaluation.samples=1000000000"],
    "vgg_lstm_vae": ["network.latent_size=1000000000", "train_windows=1000000000"],
}  # fmt: skip


@pytest.mark.parametrize(("experiment", "setting"), [(name, key) for name, keys in SENSELESS.items() for key in keys])
def test_numbers_without_sense_are_refused(experiment, setting, tmp_path):
    with pytest.raises(UserError) as said:
        resolve_settings(experiment, results_dir=tmp_path, scale="demo", overrides=[setting])
    assert setting.partition("=")[0].rpartition(".")[2] in str(said.value) and "unknown" not in str(said.value)


@pytest.mark.parametrize("devices", ["cpu:99999", "gpu:99999", "cpu:65"])
def test_devices_without_sense_are_refused(devices, tmp_path):
    values = {"training.devices": devices, "training.batch_size": int(devices[4:]) % 65_536}
    with pytest.raises(UserError, match=f"devices is {devices}: choose at most 64 in one process"):
        resolve_settings("analogy_pool3", results_dir=tmp_path, scale="demo", values=values)


def test_options_without_sense_are_refused(invoke, tmp_path):
    for command in (("predict", "a.mp4", "--horizon"), ("predict", "a.mp4", "--context"), ("evaluate_pipeline", "--horizon")):
        done = invoke(*command, 2**31 - 1, "--results-dir", tmp_path)
        assert done.exit_code == 2 and "10000" in done.stderr


# ---------------------------------------------------------------- videos


@pytest.mark.parametrize("size", [(16, 4096), (4096, 16), (16, 16), (17, 3001)])
def test_pictures_of_any_shape_become_videos(tmp_path, size):
    columns = [(f"column {number}", np.full([2, *size, 3], 40 * number, np.uint8)) for number in range(5)]
    frames = side_by_side(columns)
    assert frames.shape[2] <= MOST_WIDTH
    assert all(left + width <= frames.shape[2] and width > 0 < height for left, _, width, height in column_boxes(columns))
    write_mp4(tmp_path / "a.mp4", frames, 10)
    assert len(read_mp4(tmp_path / "a.mp4")[0]) == 2


def test_usual_pictures_are_as_high_as_ever():
    assert common_height([(64, 64)] * 4) == 192 and common_height([(224, 224)] * 6) == 224


@pytest.fixture
def asked_anew():
    check_encoder.cache_clear()
    yield
    check_encoder.cache_clear()


@pytest.mark.parametrize("program", ["/nowhere/ffmpeg", "/bin/false", "/dev/null", "/bin/cat"])
def test_a_missing_encoder_is_noticed_before_anything_else(asked_anew, program, tmp_path, monkeypatch):
    monkeypatch.setattr(video.imageio_ffmpeg, "get_ffmpeg_exe", lambda: program)
    with pytest.raises(UserError, match=r"videos of the results cannot be written .*: reinstall imageio-ffmpeg"):
        resolve_settings("analogy_pool3", results_dir=tmp_path, scale="demo")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_no_room_for_temporary_files_names_their_folder(asked_anew, number, tmp_path, monkeypatch):
    def fail(path, *_):
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(video, "write_mp4", fail)
    monkeypatch.setattr(video.tempfile, "tempdir", str(tmp_path))
    said = rf"{os.strerror(number)}\): make room in the folder of temporary files \({re.escape(str(tmp_path))}\).*TMPDIR"
    with pytest.raises(UserError, match=said):
        video.check_encoder()


def test_no_encoder_at_all_is_the_same(asked_anew, tmp_path, monkeypatch):
    def none():
        raise RuntimeError("No ffmpeg exe could be found.\nInstall ffmpeg on your system")

    monkeypatch.setattr(video.imageio_ffmpeg, "get_ffmpeg_exe", none)
    with pytest.raises(UserError, match=r"cannot be written .*: reinstall imageio-ffmpeg"):
        resolve_settings("analogy_pool3", results_dir=tmp_path, scale="demo")
    assert resolve_settings("analogy_pool3", results_dir=tmp_path, scale="demo", writes=False)
