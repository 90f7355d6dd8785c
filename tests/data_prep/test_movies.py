"""KTH and BAIR in their official layouts: prepared once, split as published and as most papers do; damaged files are named."""

import os
import shutil

import cv2
import numpy as np
import pytest
import tensorflow as tf

from analogy.data.batches import ReplicaContext
from analogy.data.video import read_video
from analogy.errors import UserError
from analogy.runs.export import export_saved_model
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from analogy.visualise.video import write_mp4
from data_prep.bair import open_bair
from data_prep.datasets import open_dataset
from data_prep.kth import open_kth, read_sequences
from tests.conftest import _shared


def settings(name, *overrides):
    small = ("data.context=3", "data.horizon=2", "data.test_count=4", *overrides)
    return load_settings(find_experiment(f"convlstm_{name}_l1"), SYSTEMS, scale="paper", overrides=small)


@pytest.fixture
def kth(tmp_path):
    """Clips of 12 frames, whose brightness is the person's number, then the frame's."""
    lines = ["This database ...", ""]
    for person in (1, 17, 22):
        for action in ("boxing", "walking"):
            name = f"person{person:02d}_{action}_d1"
            frames = np.stack([np.full((120, 160, 3), 4 * person + 10 * t, np.uint8) for t in range(12)])
            (tmp_path / "kth" / action).mkdir(parents=True, exist_ok=True)
            write_mp4(tmp_path / "clip.mp4", frames, 25)
            (tmp_path / "clip.mp4").rename(tmp_path / "kth" / action / f"{name}_uncomp.avi")
            lines.append(f"{name}\t\tframes\t1-5, 7-12")
    (tmp_path / "kth" / "00sequences.txt").write_text("\r\n".join(lines))
    return tmp_path / "kth"


def test_kth_as_published(kth, tmp_path):
    dataset = open_kth(kth, tmp_path / "cache", settings("kth"))
    assert {movie.id.split("_")[0] for movie in dataset.train} == {"person01", "person17"} and len(dataset.train) == 4
    assert all(len(movie.frames) == 12 for movie in dataset.train)
    assert len(dataset.test) == 4 and all(
        "person22" in movie.id and movie.frames.shape == (5, 64, 64, 1) for movie in dataset.test
    )
    batch = next(iter(dataset.batches(ReplicaContext(batch_size=6))))["values"].numpy()
    assert batch.shape == (6, 5, 64, 64, 1)
    np.testing.assert_allclose(np.diff(batch.mean((2, 3, 4)), axis=1), 10 / 255, atol=2.5 / 255)  # frames in their order
    again = next(iter(dataset.batches(ReplicaContext(batch_size=6))))["values"].numpy()
    np.testing.assert_array_equal(batch, again)


def test_a_clip_that_trains_and_tests_is_said(kth, tmp_path):
    boxing = kth / "boxing"
    shutil.copy(boxing / "person17_boxing_d1_uncomp.avi", boxing / "person23_boxing_d1_uncomp.avi")
    for _ in range(2):  # looked at, and then remembered
        doubts = open_kth(kth, tmp_path / "cache", settings("kth")).doubts
        (shared,) = (doubt for doubt in doubts if "also trained on" in doubt)
        assert "1 of 3 test clips" in shared and "= person23_boxing_d1" in shared
        assert any("no clip of: handclapping, handwaving, jogging, running" in doubt for doubt in doubts)


def test_kth_as_most_split_it(kth, tmp_path):
    dataset = open_kth(kth, tmp_path / "cache", settings("kth", "data.split=standard"))
    assert {movie.id.split("_")[0] for movie in dataset.train} == {"person01"}
    assert [len(movie.frames) for movie in dataset.train] == [5, 6, 5, 6]  # where the person is in view
    listed = kth / "00sequences.txt"
    listed.write_text("\n".join(line for line in listed.read_text().splitlines() if "person01_boxing" not in line))
    fewer = open_kth(kth, tmp_path / "cache", settings("kth", "data.split=standard"))
    assert {movie.action for movie in fewer.train} == {"walking"}
    assert any("does not list person01_boxing_d1: left out" in doubt for doubt in fewer.doubts)
    selected = open_kth(kth, tmp_path / "cache", settings("kth", "data.test_persons=[1]"))
    assert {movie.id.split("_")[0] for movie in selected.train} == {"person17", "person22"}


def test_what_is_prepared_stays_and_what_is_missing_is_said(kth, tmp_path):
    open_kth(kth, tmp_path / "cache", settings("kth"))
    prepared = sorted((tmp_path / "cache").glob("kth-64-*/*"))
    times = [path.stat().st_mtime_ns for path in prepared]
    open_kth(kth, tmp_path / "cache", settings("kth", "data.split=standard"))
    assert sorted((tmp_path / "cache").glob("kth-64-*/*")) == prepared
    assert [path.stat().st_mtime_ns for path in prepared] == times
    with pytest.raises(UserError, match=r"no clip of 5 frames tests .*test_persons"):
        open_kth(kth, tmp_path / "cache", settings("kth", "data.test_persons=[9]"))
    with pytest.raises(
        UserError, match=r"no clip of 103 frames .* have no window .*the longest, person\d+_.*, has \d+ frames\)"
    ):
        open_kth(kth, tmp_path / "cache", settings("kth", "data.horizon=100"))
    (kth / "00sequences.txt").unlink()
    with pytest.raises(UserError, match=r"00sequences\.txt"):
        open_kth(kth, tmp_path / "cache", settings("kth", "data.split=standard"))
    with pytest.raises(UserError, match="no ACTION/person"):
        open_kth(tmp_path / "empty", tmp_path / "cache", settings("kth"))


def test_what_is_broken_in_kth_is_said_and_spoils_no_good_clip(kth, tmp_path):
    good = open_kth(kth, tmp_path / "cache", settings("kth"))
    (kth / "boxing" / "person02_boxing_d1_uncomp.avi").write_bytes(b"broken")
    whole = (kth / "boxing" / "person01_boxing_d1_uncomp.avi").read_bytes()
    (kth / "boxing" / "person03_boxing_d1_uncomp.avi").write_bytes(whole[:-100])
    for _ in range(2):
        dataset = open_kth(kth, tmp_path / "cache", settings("kth"))
        said = "\n".join(dataset.doubts)
        assert "1 clips were left out, unreadable video (person02_boxing_d1): " in said
        assert "1 of 7 clips are not as they should be: person03_boxing_d1: " in said
        assert {movie.id for movie in good.train} <= {movie.id for movie in dataset.train}
    for broken in kth.glob("*/*.avi"):
        broken.write_bytes(b"broken")
    with pytest.raises(UserError, match=r"8 unreadable video.*person01_boxing_d1"):
        open_kth(kth, tmp_path / "cache", settings("kth"))


def test_stored_frames_are_those_of_the_file(kth, tmp_path):
    """Small grey frames are stored without loss; a changed file of the same name is prepared again."""

    def stored():
        movies = {movie.id: movie.frames for movie in open_kth(kth, tmp_path / "cache", settings("kth")).train}
        return movies["person01_boxing_d1_1"]

    clip = kth / "boxing" / "person01_boxing_d1_uncomp.avi"
    small = [cv2.resize(frame[..., 0], (64, 64), interpolation=cv2.INTER_AREA) for frame in read_video(clip).frames]
    np.testing.assert_array_equal(before := stored(), np.stack(small)[..., None])
    shutil.copy(kth / "boxing" / "person17_boxing_d1_uncomp.avi", clip)
    os.utime(clip, (0, 0))  # as an archive that is unpacked gives it
    assert stored().mean() > before.mean() + 50


def test_a_disk_that_is_full_is_one_clear_line(kth, tmp_path, small_disk):
    with pytest.raises(UserError, match=r"cannot be prepared in .*free space"):
        open_kth(kth, small_disk("40k"), settings("kth"))


def test_real_kth(tmp_path):
    folder = _shared("data/kth")
    listed = read_sequences(folder / "00sequences.txt")
    assert len(listed) == 599 and listed["person01_boxing_d1"] == [(1, 95), (96, 185), (186, 245), (246, 360)]
    dataset = open_kth(folder, tmp_path, settings("kth", "data.test_persons=[15]"))
    assert {movie.id: len(movie.frames) for movie in dataset.train}["person01_walking_d1_1"] == 555 and len(dataset.train) == 6
    assert all("person15_handwaving" in movie.id for movie in dataset.test)


def write_bair(path, count, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    movies = np.random.default_rng(seed).integers(0, 256, (count, 30, 64, 64, 3), dtype=np.uint8)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for movie in movies:
            feature = {
                f"{t}/{camera}/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[frame.tobytes()]))
                for t, frame in enumerate(movie)
                for camera in ("image_aux1", "image_main")
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    return movies


def test_bair(tmp_path):
    train = write_bair(tmp_path / "softmotion30_44k" / "train" / "traj_0_to_1.tfrecords", 2, 0)
    write_bair(tmp_path / "softmotion30_44k" / "train" / "traj_2_to_3.tfrecords", 1, 1)
    test = write_bair(tmp_path / "softmotion30_44k" / "test" / "traj_0_to_5.tfrecords", 6, 2)
    dataset = open_bair(tmp_path, tmp_path / "cache", settings("bair"))
    assert len(dataset.train) == 3 and len(dataset.test) == 4
    np.testing.assert_array_equal(dataset.train[1].frames, train[1, :5])
    np.testing.assert_array_equal(dataset.test[3].frames, test[3, :5])
    assert next(iter(dataset.batches(ReplicaContext(batch_size=2))))["values"].shape == (2, 5, 64, 64, 3)


def test_damaged_bair_is_named(tmp_path):
    with pytest.raises(UserError, match="no train"):
        open_bair(tmp_path, tmp_path / "cache", settings("bair"))
    write_bair(tmp_path / "test" / "b.tfrecords", 1, 0)
    for content in (b"", b"no records"):
        (tmp_path / "train").mkdir(exist_ok=True)
        (tmp_path / "train" / "a.tfrecords").write_bytes(content)
        with pytest.raises(UserError, match=r"a\.tfrecords"):
            open_bair(tmp_path, tmp_path / "cache", settings("bair"))
    with pytest.raises(UserError, match="30 frames"):
        open_bair(tmp_path, tmp_path / "cache", settings("bair", "data.horizon=40"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["convlstm_kth_l1", "convlstm_plus_kth", "convlstm_bair_l1", "convlstm_plus_bair"])
def test_official_files_train_and_the_network_is_exported(name, kth, tmp_path):
    """At demo scale these experiments train on digits. Here they take two steps on the datasets that they are meant for."""
    for split in ("train", "test"):
        write_bair(tmp_path / "bair" / split / "traj.tfrecords", 2, len(split))
    folder = kth if "kth" in name else tmp_path / "bair"
    few = ("data.context=3", "data.horizon=2", "data.test_count=2", "network.units=4", f"data.cache={tmp_path / 'cache'}")
    config = find_experiment(name)
    settings = load_settings(config, SYSTEMS, scale="paper", overrides=[*few, f"data.folder={folder}"])
    clips, system = open_dataset(settings), SYSTEMS["convlstm"].build(settings)
    system.prepare_training()
    for batch in clips.batches(ReplicaContext(batch_size=2)).take(2):
        assert np.isfinite(system.train_step(batch)["network/loss"])
    channels = 1 if "kth" in name else 3
    predicted = list(system.predict_clips(clips))
    assert len(predicted) == 2 and predicted[0].prediction.shape == (2, 64, 64, channels)
    assert len(list(system.sample_panels(clips))) > 0
    export_saved_model(system, tmp_path / "saved_model")
    loaded = tf.saved_model.load(str(tmp_path / "saved_model"))
    observed = tf.constant(clips.test[0].frames[None, :3].astype("f4") / 255)
    np.testing.assert_allclose(loaded.predict(values=observed)["future"][0], predicted[0].unrounded, atol=1e-5)
