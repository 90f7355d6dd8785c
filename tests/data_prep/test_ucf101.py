"""UCF101 in its official layout: splits, names that differ, repeated frames, what is missing."""

import json
import shutil

import numpy as np
import pytest

from analogy.data.batches import ReplicaContext
from analogy.data.fingerprint import dataset_fingerprint
from analogy.errors import UserError
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from analogy.visualise.video import write_mp4
from data_prep.datasets import check_dataset, open_dataset
from data_prep.ucf101 import DETECTION, open_ucf101, read_lists
from tests.conftest import _shared

SMALL = ("data.dataset=ucf101", "data.context=3", "data.horizon=2", "data.test_count=6", "data.image_size=[32, 48]")


def settings(*overrides):
    overrides = (*SMALL, "data.split=rec1", *overrides)
    return load_settings(find_experiment("convlstm_kth_l1"), SYSTEMS, scale="paper", overrides=overrides)


def moving(first, count=12, repeated=()):
    """Frames whose brightness grows by 8 from one to the next, except before the repeated ones."""
    steps = [8 * (number not in repeated) for number in range(1, count)]
    values = np.cumsum([first, *steps])
    return np.broadcast_to(values[:, None, None, None], [count, 48, 64, 3]).astype(np.uint8)


CLIPS = {
    "Basketball/v_Basketball_g01_c01": moving(10),
    "Basketball/v_Basketball_g08_c01": moving(20, repeated=(5, 6)),
    "HandstandPushups/v_HandStandPushups_g01_c01": moving(30),
    "HandstandPushups/v_HandStandPushups_g08_c01": moving(40),
    "YoYo/v_YoYo_g08_c01": moving(50, count=4),
    "YoYo/v_YoYo_g09_c01": moving(60),
}


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    """Group 1 tests and groups from 8 on train; the lists write HandStandPushups, and name two clips that are not there."""
    folder = tmp_path_factory.mktemp("official") / "UCF-101"
    for name, frames in CLIPS.items():
        write_mp4(folder.parent / "clip.mp4", frames, 25)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder.parent / "clip.mp4").rename(folder / f"{name}.avi")
    lists = folder.parent / "ucfTrainTestlist"
    lists.mkdir()
    (lists / "classInd.txt").write_text("1 Basketball\r\n2 HandStandPushups\r\n3 Surfing\r\n4 YoYo\r\n")
    written = [name.replace("HandstandPushups/", "HandStandPushups/") for name in CLIPS if "YoYo_g09" not in name]
    train = [*(name for name in written if "g08" in name), "Basketball/v_Basketball_g09_c01", "Surfing/v_Surfing_g08_c01"]
    (lists / "trainlist01.txt").write_text("".join(f"{name}.avi 1\r\n" for name in train))
    (lists / "testlist01.txt").write_text("".join(f"{name}.avi\r\n" for name in written if "g01" in name))
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("ucf101")


def test_a_split_trains_and_tests_what_its_lists_say(official, cache):
    dataset = open_ucf101(official, cache, settings("data.leave_out_repeats=true"))
    assert [movie.id for movie in dataset.train] == ["v_Basketball_g08_c01", "v_HandStandPushups_g08_c01"]
    assert {movie.action for movie in dataset.test} == {"Basketball", "HandStandPushups"} and len(dataset.test) == 6
    assert all(movie.frames.shape == (5, 32, 48, 3) for movie in dataset.test)
    assert dataset.classes == ["Basketball", "HandStandPushups", "Surfing", "YoYo"]
    said = "\n".join(dataset.doubts)
    for words in (
        "2 videos of the lists are not in the folder: v_basketball_g09_c01, v_surfing_g08_c01",
        "1 videos of the folder are in no list of this split, and are not used: v_yoyo_g09_c01",
        "1 classes have no folder: Surfing",
        "1 videos have no window of 5 frames without repeated ones, and are left out: v_YoYo_g08_c01 (the longest, "
        "v_YoYo_g08_c01, has ",
    ):
        assert said.count(words) == 1, said
    assert "split rec1, 3 of 5 training and 2 of 2 test videos" in dataset.notes
    assert "2 of 47 successive stored frames nearly equal the one before, windows with them left out" in dataset.notes
    for batch in dataset.batches(ReplicaContext(batch_size=8)).take(3):
        values, labels = batch["values"].numpy(), batch["label"].numpy()
        assert values.shape == (8, 5, 32, 48, 3) and set(labels) <= {0, 1}
        steps = np.diff(255 * values.mean((2, 3, 4)), axis=1)
        assert (np.abs(steps - 8) < 2.5).all()  # no repeated frame
    assert dataset_fingerprint(dataset)["content"]


def test_repeated_frames_are_counted_when_prepared(official, cache):
    open_ucf101(official, cache, settings())
    (metadata,) = cache.glob("ucf101-32x48-*/metadata.json")
    repeats = {clip["id"]: clip["repeats"] for clip in json.loads(metadata.read_text())["clips"]}
    assert repeats["v_Basketball_g08_c01"] == [5, 6] and repeats["v_HandStandPushups_g08_c01"] == []


def test_frame_rate_share_and_stride(official, cache):
    dataset = open_ucf101(official, cache, settings("data.fps=12.5", "data.share=0.5", "data.test_count=50", "data.stride=2"))
    assert len(dataset.train) == 1 and "12.5 frames per second; 1 of 2 training videos used" in dataset.notes
    starts = {(movie.id.rpartition("_")[0], *movie.numbers) for movie in dataset.test}
    assert starts == {(f"v_{name}_g01_c01", 0, 2, 4, 6, 8) for name in ("Basketball", "HandStandPushups")}
    dataset = open_ucf101(official, cache, settings("data.test_stride=3", "data.test_count=50"))
    assert {movie.numbers[0] for movie in dataset.test} == {0, 3, 6} and dataset.plan.stride == 1
    with pytest.raises(UserError, match=r"no video trains: 3 videos have fewer than data.fps 50"):
        open_ucf101(official, cache, settings("data.fps=50"))


def test_the_detection_task_stores_its_own_classes(official, cache):
    assert len(DETECTION) == 24 == len(set(DETECTION))
    dataset = open_ucf101(official, cache, settings("data.split=det24"))
    assert [movie.id for movie in dataset.train] == ["v_Basketball_g08_c01"] and len(dataset.classes) == 4
    (metadata,) = cache.glob("ucf101-det24-*/metadata.json")
    assert {clip["action"] for clip in json.loads(metadata.read_text())["clips"]} == {"Basketball"}


def test_what_is_wrong_with_lists_is_one_line(official, tmp_path):
    lists = tmp_path / "ucfTrainTestlist"
    shutil.copytree(official.parent / "ucfTrainTestlist", lists)
    shutil.copytree(official, tmp_path / "UCF-101")
    check_dataset(settings(f"data.folder={tmp_path / 'UCF-101'}"))
    with pytest.raises(UserError, match=r"trainlist02\.txt: cannot be read"):
        read_lists(tmp_path / "UCF-101", "rec2")
    test = lists / "testlist01.txt"
    for text, said in (
        ("brush_hair/April_09_brush_hair_u_nm_np1.avi 1\n", "no video of UCF101"),
        ("Juggling/v_Juggling_g01_c01.avi\n", "no video of UCF101"),
        ("\n", "it is empty"),
    ):
        test.write_text(text)
        with pytest.raises(UserError, match=said) as caught:
            open_ucf101(tmp_path / "UCF-101", tmp_path / "cache", settings())
        assert "testlist01.txt" in str(caught.value) and "\n" not in str(caught.value)
    test.write_text("YoYo/v_YoYo_g20_c01.avi\n")
    with pytest.raises(UserError, match=r"no video tests with data\.split rec1: none of the 1 that its list names"):
        open_ucf101(tmp_path / "UCF-101", tmp_path / "cache", settings())
    assert not (tmp_path / "cache").exists()  # all that before any preparation
    shutil.rmtree(lists)
    with pytest.raises(UserError, match=r"no ucfTrainTestlist/classInd\.txt in it"):
        check_dataset(settings(f"data.folder={tmp_path / 'UCF-101'}"))


def test_lists_as_other_systems_write_them_and_a_suffix_in_capitals(official, tmp_path):
    shutil.copytree(official.parent, tmp_path, dirs_exist_ok=True)
    for file in (tmp_path / "ucfTrainTestlist").iterdir():
        file.write_text("\ufeff" + file.read_text().replace("/", "\\").lower(), encoding="utf-8")
    file = tmp_path / "UCF-101" / "Basketball" / "v_Basketball_g01_c01.avi"
    file.rename(file.with_suffix(".AVI"))
    loaded = settings(f"data.folder={tmp_path / 'UCF-101'}", f"data.cache={tmp_path / 'cache'}")
    check_dataset(loaded)
    dataset = open_ucf101(tmp_path / "UCF-101", tmp_path / "cache", loaded)
    assert dataset.classes == ["basketball", "handstandpushups", "surfing", "yoyo"]
    assert {movie.clip.id for movie in dataset.test} == {"v_Basketball_g01_c01", "v_HandStandPushups_g01_c01"}
    (tmp_path / "ucfTrainTestlist" / "classInd.txt").write_text("1 Basketball\n2 basketball\n")
    with pytest.raises(UserError, match=r"classInd\.txt: it names a class twice"):
        read_lists(tmp_path / "UCF-101", "rec1")


def test_real_clips(tmp_path):
    folder = _shared("data/ucf101")
    overrides = ("data.fps=10", "data.image_size=64", "data.test_count=100", "data.stride=3")
    dataset = open_dataset(settings(*overrides, f"data.folder={folder}", f"data.cache={tmp_path}"))
    assert {movie.action for movie in dataset.train} == {"Rowing", "SoccerJuggling"} and len(dataset.train) == 3
    assert len({movie.action for movie in dataset.test}) == 8 and len(dataset.classes) == 101
    batch = next(iter(dataset.batches(ReplicaContext(batch_size=2))))
    assert batch["values"].shape == (2, 5, 64, 64, 3)
    assert {dataset.classes[label] for label in batch["label"].numpy()} <= {"Rowing", "SoccerJuggling"}
    assert "13309 videos of the lists are not in the folder" in "\n".join(dataset.doubts)
