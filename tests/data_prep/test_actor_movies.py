"""Rendered people, and folders in Penn Action's layout, as videos with classes."""

import numpy as np
import pytest

from analogy.data.batches import ReplicaContext
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from data_prep.datasets import open_dataset


def opened(folder, cache, *overrides):
    options = [f"data.folder={folder}", f"data.cache={cache}", "data.dataset=synthetic_actors", "data.image_size=[32,48]"]
    options += ["data.context=3", "data.horizon=2", "data.test_count=11", *overrides]
    path = find_experiment("convlstm_mmnist_l1")
    return open_dataset(load_settings(path, SYSTEMS, scale="paper", overrides=options))


def test_actors_are_videos_with_classes(actors, cache, prepared):
    dataset = opened(actors, cache)
    assert len(dataset.classes) == 11 and len(dataset.train) == 22 and len(dataset.test) == 11
    assert {movie.action for movie in dataset.test} == set(dataset.classes)  # test windows are spread over the clips
    movie = dataset.train[0]
    assert movie.frames.shape == (8, 32, 48, 3)
    stored = prepared.frames(next(clip for clip in prepared.clips if clip.id == movie.id)).astype(float)
    blocks = stored.reshape(8, 32, 2, 64, 3).mean(2)  # 64 rows become 32
    np.testing.assert_allclose(movie.frames.mean((1, 2)), blocks.mean((1, 2)), atol=0.5)  # antialiased: the mean is kept
    batch = next(iter(dataset.batches(ReplicaContext(batch_size=4))))
    drawn = np.rint(255 * batch["values"].numpy()).astype(np.uint8)
    windows = {m.frames[t : t + 5].tobytes(): m.action for m in dataset.train for t in range(4)}
    assert [windows[window.tobytes()] for window in drawn] == [dataset.classes[label] for label in batch["label"]]


@pytest.mark.parametrize(("fit", "shown"), [("crop", 1.0), ("letterbox", 2 / 3)])
def test_the_aspect_ratio_can_be_kept(actors, cache, fit, shown):
    frames = opened(actors, cache, f"data.fit={fit}").train[0].frames
    assert (frames.max((0, 1, 3)) > 0).mean() == pytest.approx(shown)
