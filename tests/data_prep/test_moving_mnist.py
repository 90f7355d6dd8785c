"""Moving MNIST: digits from every source, and how they move."""

import gzip
import struct

import numpy as np
import pytest

from analogy.data.batches import ReplicaContext
from analogy.data.moving_digits import draw_digits
from analogy.errors import UserError
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from data_prep.datasets import open_dataset
from data_prep.moving_mnist import moving_digits, read_digits, read_idx_images, read_standard_test
from tests.conftest import _shared


def write_idx(path, images):
    content = struct.pack(">4i", 2051, *images.shape) + images.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def test_the_official_files_are_read(tmp_path):
    train, test = (np.random.default_rng(seed).integers(0, 256, (12, 28, 28), dtype=np.uint8) for seed in (0, 1))
    write_idx(tmp_path / "t10k-images-idx3-ubyte.gz", test)
    got = read_digits(tmp_path)
    assert [len(part) for part in got[:2]] == [10, 2] and "is missing" in got[2]
    write_idx(tmp_path / "train-images-idx3-ubyte", train)
    got = read_digits(tmp_path)
    np.testing.assert_array_equal(got[0], train)
    np.testing.assert_array_equal(got[1], test)


def test_real_digits():
    folder = _shared("data/mnist")
    images = read_idx_images(folder / "t10k-images-idx3-ubyte.gz")
    assert images.shape == (10_000, 28, 28) and images.mean() == pytest.approx(33.79, abs=0.01)


def test_without_a_folder_there_are_small_digits():
    train, test, what = read_digits(None)
    assert train.shape == (1497, 28, 28) and test.shape == (300, 28, 28) and train.max() == 255 and "scikit-learn" in what
    assert not train[:, :4].any()


@pytest.mark.parametrize("content", [b"", b"no idx file at all, but long", struct.pack(">4i", 2051, 9, 28, 28) + b"short"])
def test_damaged_files_are_named(tmp_path, content):
    for name in ("t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=name):
            read_idx_images(tmp_path / name)
    (tmp_path / "test.npy").write_bytes(content)
    with pytest.raises(UserError, match=r"test\.npy"):
        read_standard_test(tmp_path / "test.npy")


@pytest.mark.parametrize(("count", "more"), [(2, b"\0"), (2_000_000, b"")])
def test_a_file_that_unpacks_to_more_than_it_should_is_not_unpacked(tmp_path, count, more):
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(struct.pack(">4i", 2051, count, 28, 28) + bytes(2 * 28 * 28) + more))
    with pytest.raises(UserError, match=r"images\.gz: .*(goes on behind|says 2000000 images)"):
        read_idx_images(path)


def test_the_standard_test_file(tmp_path):
    movies = np.random.default_rng(0).integers(0, 256, (20, 3, 64, 64), dtype=np.uint8)
    np.save(tmp_path / "mnist_test_seq.npy", movies)
    read = read_standard_test(tmp_path / "mnist_test_seq.npy")
    assert read.shape == (3, 20, 64, 64, 1)
    np.testing.assert_array_equal(read[1, 5, ..., 0], movies[5, 1])


def test_the_standard_test_file_must_be_long_enough(tmp_path):
    np.save(tmp_path / "mnist_test_seq.npy", np.zeros((20, 3, 64, 64), np.uint8))
    write_idx(tmp_path / "t10k-images-idx3-ubyte", np.zeros((12, 28, 28), np.uint8))
    overrides = [f"data.folder={tmp_path}", "data.split=standard"]
    settings = load_settings(find_experiment("convlstm_mmnist_l1"), SYSTEMS, scale="paper", overrides=overrides)
    assert len(open_dataset(settings).test) == 3
    longer = settings.model_copy(update={"data": settings.data.model_copy(update={"horizon": 20})})
    with pytest.raises(UserError, match="has 20 frames a movie"):
        open_dataset(longer)


def test_without_a_folder_mnist_is_fetched_at_the_papers_scale_where_there_is_a_network(monkeypatch):
    def settings(scale):
        return load_settings(find_experiment("convlstm_mmnist_l1"), SYSTEMS, scale=scale, overrides=["data.test_count=2"])

    fetched = ((np.full((7, 28, 28), 9, np.uint8), None), (np.full((5, 28, 28), 9, np.uint8), None))
    monkeypatch.setattr("keras.datasets.mnist.load_data", lambda: fetched)
    dataset = open_dataset(settings("paper"))
    assert dataset.notes.startswith("MNIST;")
    assert "scikit-learn" in open_dataset(settings("demo")).notes  # which needs no network

    def fail():
        raise Exception("URL fetch failure")

    monkeypatch.setattr("keras.datasets.mnist.load_data", fail)
    with pytest.raises(UserError, match=r"cannot be fetched \(URL fetch failure\); name the folder"):
        open_dataset(settings("paper"))


def test_a_folder_without_digits(tmp_path):
    with pytest.raises(UserError, match="t10k-images"):
        read_digits(tmp_path)


def bounce(place, speed, length):
    """The loop of the published code, for one axis of one digit."""
    places = []
    for _ in range(length):
        if place < 0:
            place, speed = 0, -speed
        elif place >= 32:
            place, speed = 31, -speed
        places.append(place)
        place += speed
    return places


def test_digits_move_as_published():
    """A digit that is one white pixel in its corner shows its own position; so do two of them while they do not overlap."""
    digits = np.zeros((1, 32, 32), np.uint8)
    digits[0, 0, 0] = 255
    movies = draw_digits(digits, "published", 0, 0, 40, 20).numpy()[..., 0]
    assert movies.shape == (40, 20, 64, 64) and movies.max() == 1
    count, speeds = 0, set()
    for movie in movies:
        rows = [np.argwhere(frame) for frame in movie]
        if any(len(places) != 2 for places in rows) or abs(rows[0][0] - rows[0][1]).min() < 3:
            continue
        for axis in (0, 1):
            tracks = [places[:, axis] for places in rows]
            candidates = {(start, speed): bounce(start, speed, 20) for start in set(tracks[0]) for speed in range(-4, 5)}
            fitting = [key for key, track in candidates.items() if all(p in t for p, t in zip(track, tracks, strict=True))]
            assert {start for start, _ in fitting} == set(tracks[0])
            speeds |= {speed for _, speed in fitting}
        count += 1
    assert count > 20 and speeds == set(range(-4, 5))


def test_digits_move_as_in_the_standard_set():
    """Digits move straight by a tenth of the 36 pixels in each frame, until a border turns them."""
    digits = np.zeros((1, 28, 28), np.uint8)
    digits[0, 0, 0] = 255
    movies = draw_digits(digits, "standard", 0, 0, 60, 20).numpy()[..., 0]
    tracks = [[np.argwhere(frame) for frame in movie] for movie in movies]
    tracks = np.array([track for track in tracks if all(len(places) == 2 for places in track)])  # [M, 20, 2, y and x]
    assert len(tracks) > 30 and tracks.min() == 0 and tracks.max() == 36
    # np.argwhere sorts by y: the digit that is the upper one is one and the same as long as they are far apart.
    apart = [track for track in tracks if (track[:, 1, 0] - track[:, 0, 0]).min() > 4]
    moves = np.diff(apart, axis=1).astype(float)
    inside = (np.array(apart)[:, :-1] % 36 != 0).all(-1) & (np.array(apart)[:, 1:] % 36 != 0).all(-1)
    assert inside.sum() > 50 and np.abs(np.hypot(moves[..., 0], moves[..., 1])[inside] - 3.6).max() < 1.5
    turned = np.sign(moves[:, 1:]) * np.sign(moves[:, :-1]) < 0
    at_border = (np.array(apart)[:, 1:-1] % 36 == 0) | (np.array(apart)[:, 2:] % 36 == 0) | (np.array(apart)[:, :-2] % 36 == 0)
    assert turned.any() and at_border[turned].all()


def test_where_digits_overlap():
    digits = np.full((1, 28, 28), 100, np.uint8)
    published, standard = (draw_digits(digits, motion, 0, 0, 9, 9).numpy() for motion in ("published", "standard"))
    assert published.max() == pytest.approx(200 / 255) and standard.max() == pytest.approx(100 / 255)
    areas = [(movies > 0).sum((2, 3, 4)).max() for movies in (published, standard)]
    assert 2 * 28**2 < areas[0] <= 2 * 32**2 and 28**2 < areas[1] <= 2 * 28**2  # the report's digits are enlarged


def test_batches_are_a_function_of_seed_and_step():
    digits, _, _ = read_digits(None)
    frames = np.zeros((2, 6, 64, 64, 1), np.uint8)
    dataset = moving_digits(digits, frames, motion="published", length=6, seed=0, notes="")
    first, second = (batch["values"].numpy() for batch in dataset.batches(ReplicaContext(batch_size=2)).take(2))
    again = next(iter(dataset.batches(ReplicaContext(batch_size=2, start_step=1))))["values"].numpy()
    np.testing.assert_array_equal(second, again)
    assert not np.array_equal(first, second) and first.shape == (2, 6, 64, 64, 1) and 0 <= first.min() <= first.max() <= 1
    assert dataset.train[0].frames.dtype == np.uint8
