"""Every dataset class fulfils the contract, and its fingerprint names the part of the data that has changed."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import scipy.io
import tensorflow as tf

from analogy.data.batches import ReplicaContext
from analogy.data.contract import Dataset, Item
from analogy.data.fingerprint import PARTS, changed_parts, dataset_fingerprint
from analogy.data.poses import PoseDataset
from analogy.data.sequences import SequenceDataset
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from analogy.visualise.video import write_mp4
from data_prep.datasets import open_dataset
from data_prep.moving_mnist import moving_digits
from tests.poses import made_up_clips, tiny_settings


def poses(clips=None, **facts):
    settings = tiny_settings("pose_lstm").data
    clips = clips or made_up_clips(frames=(12, 24))
    return PoseDataset("made_up", [replace(clip, **facts) if clip.id == "0000" else clip for clip in clips], settings, seed=0)


def sequences(seed=0):
    values = np.random.default_rng(seed).uniform(size=(9, 5, 1))
    return SequenceDataset("made_up", values[:6], values[6:], groups_of=2, seed=0)


def digits(seed=0):
    drawn = np.random.default_rng(seed).integers(0, 256, (4, 28, 28), np.uint8)
    return moving_digits(drawn, np.zeros([2, 4, 64, 64, 1], np.uint8), motion="published", length=4, seed=0, notes="drawn")


def movies(folder):
    for person in (1, 22):
        frames = np.stack([np.full((120, 160, 3), 4 * person + 10 * t, np.uint8) for t in range(6)])
        (folder / "kth" / "boxing").mkdir(parents=True, exist_ok=True)
        write_mp4(folder / "clip.mp4", frames, 25)
        (folder / "clip.mp4").rename(folder / "kth" / "boxing" / f"person{person:02d}_boxing_d1_uncomp.avi")
    options = [f"data.folder={folder / 'kth'}", f"data.cache={folder / 'cache'}", "data.test_count=2"]
    options += ["data.context=2", "data.horizon=2"]
    return open_dataset(load_settings(find_experiment("convlstm_kth_l1"), SYSTEMS, scale="paper", overrides=options))


@pytest.mark.parametrize("kind", ["clips", "poses", "sequences", "movies", "digits"])
def test_every_dataset_fulfils_the_contract(kind, request, tmp_path):
    made = {"poses": poses, "sequences": sequences, "digits": digits, "movies": lambda: movies(tmp_path)}
    dataset = made[kind]() if kind in made else request.getfixturevalue(kind)
    assert isinstance(dataset, Dataset)
    assert isinstance(dataset.name, str) and isinstance(dataset.notes, str) and isinstance(dataset.doubts, list)
    assert all(isinstance(doubt, str) for doubt in dataset.doubts)
    for items in (dataset.train, dataset.test):
        assert items and len({item.id for item in items}) == len(items)
        for item in items:
            assert isinstance(item, Item) and isinstance(item.action, str) and item.action
            assert isinstance(item.length, int) and item.length >= 2 and all(isinstance(side, int) for side in item.size)
            assert isinstance(item.fingerprint, str) and isinstance(item.label_fingerprint, str)
            assert item.fingerprint or item.label_fingerprint
    batch = next(iter(dataset.batches(ReplicaContext(start_step=3, batch_size=2))))
    assert batch["step"] == 3 and batch["step"].dtype == tf.int64 and batch["position"].numpy().tolist() == [0, 1]
    print_of = dataset_fingerprint(dataset)
    assert list(print_of) == [*PARTS, "pool"] and all(isinstance(text, str) for text in print_of.values())


def test_a_fingerprint_names_the_part_that_has_changed():
    before = dataset_fingerprint(poses())

    def changed(dataset):
        return changed_parts(before, dataset_fingerprint(dataset))

    first = made_up_clips(frames=(12, 24))[0]
    moved = first.joints + 1
    assert changed(poses()) == []
    assert changed(poses(joints=moved)) == ["labels"]
    assert changed(poses(action="bowl" if first.action == "squat" else "squat")) == ["actions"]
    assert changed(poses(width=first.width + 1)) == ["sizes"]
    assert changed(poses(split="test" if first.split == "train" else "train")) == ["train", "test"]
    assert changed(poses(joints=first.joints[:-1], visibility=first.visibility[:-1])) == ["lengths", "labels"]
    assert changed(poses(made_up_clips(frames=(12, 24))[:-1]))[:2] in (["train", "lengths"], ["test", "lengths"])
    before = dataset_fingerprint(sequences())
    assert changed(sequences()) == [] and changed(sequences(seed=1)) == ["content"]
    before = dataset_fingerprint(digits())
    other = digits()
    other.notes = "others"
    assert changed(digits(seed=1)) == ["content"] and changed(other) == ["notes"]


def test_halves_that_are_exchanged_are_noticed_though_their_groups_have_the_same_names():
    values = np.random.default_rng(0).uniform(size=(2, 3, 5, 1))
    first, second = (SequenceDataset("made_up", *halves, groups_of=3, seed=0) for halves in (values, values[::-1]))
    assert changed_parts(dataset_fingerprint(first), dataset_fingerprint(second)) == ["content"]


def test_a_label_that_is_changed_and_a_frame_that_is_replaced_are_told_apart(actors, tmp_path, tiny):
    source = tmp_path / "actors"
    for clip in ("0001", "0023"):  # one trains, one tests
        shutil.copytree(actors / "frames" / clip, source / "frames" / clip)
        (source / "labels").mkdir(exist_ok=True)
        shutil.copy(actors / "labels" / f"{clip}.mat", source / "labels")

    def opened():
        options = (f"data.folder={source}", "data.dataset=penn_action", f"data.cache={tmp_path / 'cache'}", "data.actions=all")
        return dataset_fingerprint(open_dataset(tiny(*options)))

    first = opened()
    labels = source / "labels" / "0001.mat"
    content = {key: value for key, value in scipy.io.loadmat(labels).items() if not key.startswith("__")}
    scipy.io.savemat(labels, {**content, "x": content["x"] + 1})
    relabelled = opened()
    assert changed_parts(first, relabelled) == ["labels"]
    frames = source / "frames" / "0001"
    shutil.copy(frames / "000002.jpg", frames / "000001.jpg")
    assert changed_parts(relabelled, opened()) == ["content"]


def test_a_fingerprint_is_the_same_in_any_process():
    values = np.arange(20.0).reshape(2, 5, 2) / 20
    made = dataset_fingerprint(SequenceDataset("made_up", values, values[:1], groups_of=1, seed=0, notes="by hand"))
    assert made == {
        "name": "made_up", "notes": "by hand", "train": "5e21803a2c7e109ba99b9fab", "test": "e4e770e3e7d8e772fcc2ca47",
        "lengths": "323a60df87e995c02b149a50", "sizes": "3aa86a5b4c9be7be8ffc07b7", "actions": "4eec1c00f81b12126e7bc1c3",
        "labels": "363b2c3de38dfadc8389452e", "content": "b05d0fba4ac2726196f2b1a4", "pool": "e73c945e260beb3e6f99971d",
    }  # fmt: skip
