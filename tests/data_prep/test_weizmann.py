"""Weizmann: strips of frames in the published layout, split by person, never a mirror image on the other side."""

import shutil

import numpy as np
import pytest
from PIL import Image

from analogy.data.batches import ReplicaContext
from analogy.errors import UserError
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from data_prep.datasets import open_dataset
from data_prep.weizmann import read_strip
from tests.conftest import _shared

CLASSES = ["bending", "jumping_jack", "waving_one_hand", "waving_two_hands"]
FOLDERS = {"1": 0, "0": 2, "3": 4, "4": 6}  # class -> the first of the two numbers that a person has there


def opened(folder, cache, *overrides):
    options = [f"data.folder={folder}", f"data.cache={cache}", "data.dataset=weizmann", "data.context=3", "data.horizon=2"]
    path = find_experiment("convlstm_mmnist_l1")
    return open_dataset(load_settings(path, SYSTEMS, scale="paper", overrides=[*options, "data.test_count=12", *overrides]))


@pytest.fixture(scope="module")
def weizmann(tmp_path_factory):
    """Three persons with all classes and mirrors; frame t is red 10 t + 5 in its left half, and green with the person."""
    folder = tmp_path_factory.mktemp("weizmann")
    for name, number in FOLDERS.items():
        (folder / "actions" / name).mkdir(parents=True)
        for person in range(3):
            frames = np.full([7, 64, 64, 4], 255, np.uint8)
            frames[..., :3] = 0, 0, 60  # blue enough not to be taken for black
            frames[:, :, :32, 0] = 5 + 10 * np.arange(7)[:, None, None]
            frames[..., 1] = 50 * person + number
            for mirror, strip in enumerate((frames, frames[:, :, ::-1])):
                picture = Image.fromarray(strip.swapaxes(0, 1).reshape(64, -1, 4))
                picture.save(folder / "actions" / name / f"{8 * person + number + mirror:08d}.jpg", "PNG")
    return folder


def test_strips_are_cut_from_left_to_right_and_split_by_person(weizmann, tmp_path):
    dataset = opened(weizmann, tmp_path, "data.test_persons=[0]")
    assert dataset.classes == CLASSES and dataset.doubts == []
    assert {int(movie.id) // 8 for movie in dataset.train} == {1, 2} and len(dataset.train) == 16
    assert {int(movie.clip.id) // 8 for movie in dataset.test} == {0} and len(dataset.test) == 12
    movie = next(movie for movie in dataset.train if movie.id == "00000010")
    assert movie.action == "waving_one_hand" and movie.frames.shape == (7, 64, 64, 3)
    assert movie.frames[:, 20, 10].tolist() == [[5 + 10 * t, 52, 60] for t in range(7)]
    batch = next(iter(dataset.batches(ReplicaContext(batch_size=6))))
    values = np.rint(255 * batch["values"].numpy()).astype(int)
    for window, label in zip(values, batch["label"].numpy(), strict=True):
        assert (np.diff(window[..., 0].max((1, 2))) == 10).all()
        number = window[0, 0, 0, 1] % 50  # the green tells the class
        assert CLASSES[label] == {0: "waving_two_hands", 2: "waving_one_hand", 4: "jumping_jack", 6: "bending"}[number]


def test_the_last_two_persons_test_where_none_is_named(weizmann, tmp_path):
    dataset = opened(weizmann, tmp_path)
    assert {int(movie.id) // 8 for movie in dataset.train} == {0} and "persons 1, 2 test" in dataset.notes
    for persons in ("[0,1,2]", "[7]"):
        with pytest.raises(UserError, match=r"data\.test_persons .*persons \[0, 1, 2\] are there"):
            opened(weizmann, tmp_path, f"data.test_persons={persons}")


def test_frames_take_any_size(weizmann, tmp_path):
    dataset = opened(weizmann, tmp_path, "data.image_size=[32,48]", "data.fit=letterbox", "data.test_persons=[0]")
    movie = next(movie for movie in dataset.train if movie.id == "00000010")
    assert movie.size == (32, 48) and movie.frames.shape == (7, 32, 48, 3)
    assert movie.frames[2, 16, [4, 12, 30, 44]].tolist() == [[0, 0, 0], [25, 52, 60], [0, 52, 60], [0, 0, 0]]
    assert next(iter(dataset.batches(ReplicaContext(batch_size=2))))["values"].shape == (2, 5, 32, 48, 3)
    opened(weizmann, tmp_path, "data.image_size=64")
    assert len(list(tmp_path.glob("prepared/weizmann-*/metadata.json"))) == 1  # stored only once


def test_a_broken_strip_is_left_out_and_said(weizmann, tmp_path):
    broken = weizmann / "actions" / "3" / "00000099.jpg"
    Image.fromarray(np.zeros([64, 100, 3], np.uint8)).save(broken, "PNG")
    try:
        with pytest.raises(UserError, match="100 x 64 pixels, but frames of 64 x 64"):
            read_strip(broken)
        (doubt,) = (line for line in opened(weizmann, tmp_path).doubts if "left out" in line)
        assert "1 clips were left out, unreadable strip (00000099)" in doubt
    finally:
        broken.unlink()
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(UserError, match="this picture cannot be read"):
        read_strip(tmp_path / "empty.jpg")


def test_a_class_under_another_name_is_missed(weizmann, tmp_path):
    shutil.copytree(weizmann, tmp_path / "mine")
    (tmp_path / "mine" / "actions" / "0").rename(tmp_path / "mine" / "actions" / "waving")
    assert f"{tmp_path / 'mine'} has no clip of: waving_one_hand" in opened(tmp_path / "mine", tmp_path / "cache").doubts


def test_the_real_strips(tmp_path):
    dataset = opened(_shared("data/weizmann"), tmp_path)
    assert (
        dataset.classes == CLASSES and len(dataset.train) == 20 and {movie.clip.person for movie in dataset.test} == {"5", "6"}
    )
    lengths = [clip.length for clip in dataset.train[0].prepared.clips]
    assert (len(lengths), min(lengths), max(lengths), sum(lengths)) == (28, 51, 146, 2058) and dataset.doubts == []


def test_pairs_and_clips_without_labels(weizmann, tmp_path):
    """For keypoints, which need no joints: the frames of both numbers of a pair, at any size, and persons apart."""
    names = [f"data.folder={weizmann}", f"data.cache={tmp_path}", "data.dataset=weizmann", "data.crop=full", "data.flip=false"]
    names += ["data.image_size=32", "data.test_persons=[1]", "data.frame_distance=[2, 2]", "data.min_frame_distance=0"]

    def opened_pairs(*overrides):
        return open_dataset(
            load_settings(find_experiment("keypoints_plus"), SYSTEMS, scale="demo", overrides=[*names, *overrides])
        )

    dataset = opened_pairs()
    assert {int(clip.id) // 8 for clip in dataset.test} == {1} and len(dataset.train) == 16
    batch = next(iter(dataset.batches(ReplicaContext(batch_size=8))))
    red, next_red = (batch[key].numpy()[..., 0].max((1, 2)).astype(int) for key in ("image", "next_image"))
    assert batch["image"].shape == (8, 32, 32, 3) and not batch["visibility"].numpy().any()
    assert set((next_red - red) % 70) == {20}  # two frames later, of seven
    loaded = dataset.load(dataset.test[0])
    assert loaded.frames[:, 5, 2, 0].tolist() == [5 + 10 * t for t in range(7)] or loaded.frames[0, 5, 30, 0] == 5
    for overrides, message in (
        ("data.crop=consistent", "has no boxes"),
        ("data.test_persons=[7]", "persons \\[0, 1, 2\\] are"),
    ):
        with pytest.raises(UserError, match=message):
            opened_pairs(overrides)
