"""What stage 1 is fed: real pieces, pairs that are cut, mirrored and changed alike, and the squares that stage 2 sees too."""

from types import SimpleNamespace

import numpy as np
import pytest

from analogy.data.batches import ReplicaContext
from analogy.data.selection import read_split_file
from analogy.errors import UserError
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from analogy.systems.keypoints.plus import PlusSystem
from analogy.systems.keypoints.translator import TranslatorSystem
from analogy.visualise.video import write_gif
from data_prep.datasets import open_dataset
from tests.conftest import _shared

RNG = np.random.default_rng(0)


def opened(experiment, *overrides, folder, cache, dataset="videos"):
    """The settings and the dataset of an experiment in 32 x 32."""
    options = (
        f"data.dataset={dataset}",
        f"data.folder={folder}",
        f"data.cache={cache}",
        "data.image_size=32",
        "data.crop=centre",
    )
    settings = load_settings(find_experiment(experiment), SYSTEMS, scale="demo", overrides=(*options, *overrides))
    return settings, open_dataset(settings)


def batch_of(dataset, size):
    return next(iter(dataset.batches(ReplicaContext(batch_size=size))))


def write_halves(folder, frames):
    for half in ("train", "test"):
        (folder / half).mkdir(parents=True)
        write_gif(folder / half / "a.gif", frames, 10)
    return folder


@pytest.mark.parametrize(("name", "keypoints"), [("nemo", 15), ("mgif", 60)])
def test_real_pieces_open_as_pairs(tmp_path, name, keypoints):
    piece = _shared("data/published_animations/kim2019") / f"{name}_real.gif"
    for half in ("train", "test"):
        (tmp_path / "raw" / half).mkdir(parents=True)
        (tmp_path / "raw" / half / piece.name).symlink_to(piece)
    experiment = f"keypoints_{name}_translator"
    assert load_settings(find_experiment(experiment), SYSTEMS, scale="paper").network.keypoints == keypoints
    _, dataset = opened(experiment, folder=tmp_path / "raw", cache=tmp_path / "cache")
    (train,), (test,) = dataset.train, dataset.test
    assert (train.id, test.id) == (f"train_{name}_real.gif", f"test_{name}_real.gif") and train.length == test.length > 30
    batch = batch_of(dataset, 2)
    assert batch["image"].shape == batch["next_image"].shape == (2, 32, 32, 3) and np.std(batch["image"]) > 5


@pytest.mark.parametrize("size", [(40, 64), (64, 40)], ids=["landscape", "portrait"])
def test_both_frames_of_a_pair_are_cut_mirrored_and_changed_alike(tmp_path, size):
    """The frames of a clip differ by their brightness alone: so do both frames of each pair, and pairs differ in all."""
    picture = RNG.integers(0, 200, (size[0] // 8, size[1] // 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    raw = write_halves(tmp_path / "raw", np.stack([picture + np.uint8(15 * t) for t in range(4)]))
    for system, experiment, augmentation in (
        (TranslatorSystem, "keypoints_nemo_translator", ("augmentation.rotation=10", "augmentation.filters=true")),
        (PlusSystem, "keypoints_plus", ()),
    ):
        settings, dataset = opened(experiment, "training.batch_size=8", *augmentation, folder=raw, cache=tmp_path / "cache")
        batch = batch_of(dataset, 8)
        image, next_image = (batch[name].numpy().astype(float) for name in ("image", "next_image"))
        assert (next_image - image).std((1, 2, 3)).max() < 8 < 40 < image.std((1, 2, 3)).min()
        assert np.abs(image[1:] - image[:-1]).std((1, 2, 3)).max() > 30  # cut at other places, and mirrored
        batch["next_image"] = batch["image"]
        one, other = system._augmented(SimpleNamespace(settings=settings), batch)
        np.testing.assert_array_equal(one, other)
        changed = np.abs(one - (image / 127.5 - 1.0)).mean((1, 2, 3))
        assert (changed > 0.05).all()


def test_both_stages_see_the_same_squares_of_a_portrait_clip(tmp_path):
    picture = RNG.integers(0, 256, (8, 5, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    raw = write_halves(tmp_path / "raw", np.stack([np.roll(picture, 8 * t, 1) for t in range(4)]))
    datasets = [
        opened(name, folder=raw, cache=tmp_path / "cache")[1] for name in ("keypoints_nemo_translator", "keypoints_nemo")
    ]
    frames, others = (dataset.load(dataset.test[0]).frames for dataset in datasets)
    np.testing.assert_array_equal(frames, others)
    middle = picture[12:52].reshape(8, 5, 40, 3).mean(1)  # of 64 rows; 40 become 32, and 5 of them 4
    found = frames[0].astype(float).reshape(8, 4, 32, 3).mean(1)
    assert np.abs(found[:, 2::6].mean((1, 2)) - middle[:, 3::8].mean((1, 2))).max() < 12


def test_the_lists_of_kim_et_al_open_with_frames_of_penn_action(penn_action, penn_action_splits, tmp_path):
    there = {folder.name for folder in (penn_action / "frames").iterdir()}
    first, *further = sorted(set(read_split_file(penn_action_splits / "kim2019_train.txt")) & there)
    lists = {"train": further, "test": [first]}
    for half, clips in lists.items():
        (tmp_path / f"{half}.txt").write_text("".join(f"frames/{clip} 0\n" for clip in clips))
    asked = [f"data.{half}_clips={tmp_path / half}.txt" for half in lists]
    where = {"folder": penn_action, "cache": tmp_path / "cache", "dataset": "penn_action"}
    _, dataset = opened("keypoints_penn_translator", *asked, **where)
    assert [clip.id for clip in dataset.train] == further and [clip.id for clip in dataset.test] == [first]
    assert batch_of(dataset, 2)["next_image"].shape == (2, 32, 32, 3)
    whole = [f"data.{half}_clips={penn_action_splits / f'kim2019_{half}.txt'}" for half in lists]
    with pytest.raises(UserError, match=r"kim2019_test\.txt: none of the clips of this split file are in the dataset"):
        opened("keypoints_penn_translator", *whole, **where)


def test_the_demo_says_that_it_is_trained_without_a_download():
    said = {}
    for scale in ("demo", "paper"):
        settings = load_settings(find_experiment("keypoints_penn_translator"), SYSTEMS, scale=scale)
        said[scale] = TranslatorSystem.loss_in_words(SimpleNamespace(settings=settings))
    assert said["demo"] == "trained by 1 mean absolute error + 0.5 1 - SSIM, images in -1..1"
    assert "perceptual error (" in said["paper"] and "adversarial loss" in said["paper"]
