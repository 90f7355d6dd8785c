"""A prepared folder written by hand, read back through PreparedClips."""

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from array_record.python.array_record_module import ArrayRecordWriter

from analogy.data.prepared import BLOCK, MOST_OPEN, Clip, PreparedClips
from analogy.errors import UserError
from data_prep.frame_store import prepare_frames
from tests.data_prep.toy_source import ToySource

CLIPS = [  # two shards; the second clip of the first shard comes first by id
    Clip("0007", "squat", 3, 20, 30, "train", first_record=0, union_box=(1, 2, 3, 4)),
    Clip("0003", "bowl", 2, 20, 30, "train", first_record=3, union_box=(-1, 0, 35, 9)),
    Clip("0005", "bowl", 4, 24, 16, "test", first_record=5, union_box=(0, 0, 8, 8)),
]


def record(number: int) -> bytes:
    def floats(count):
        return tf.train.Feature(float_list=tf.train.FloatList(value=np.arange(count) + number))

    jpeg = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"jpeg %d" % number]))
    features = {"image": jpeg, "joints": floats(26), "visibility": floats(13), "box": floats(4), "more": floats(1)}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


@pytest.fixture
def folder(tmp_path) -> Path:
    shards = []
    for file, numbers in (("train-0", range(5)), ("test-0", range(5, 9))):
        writer = ArrayRecordWriter(str(tmp_path / file), "group_size:1")
        for number in numbers:
            writer.write(record(number))
        writer.close()
        shards.append({"file": file, "records": len(numbers), "bytes": (tmp_path / file).stat().st_size})
    metadata = {"name": "made_up", "clips": [vars(clip) for clip in CLIPS], "shards": shards}
    metadata["format"] = {"encoding": "jpeg", "channels": 3, "labelled": True}
    (tmp_path / "metadata.json").write_text(json.dumps(metadata))
    return tmp_path


def test_clips_are_sorted_by_id_and_know_their_records(folder):
    data = PreparedClips.open(folder)
    assert data.name == "made_up"
    assert data.clips == tuple(sorted(CLIPS, key=lambda clip: clip.id))
    assert data.clips[0].union_box == (-1, 0, 35, 9)


def test_read_gives_records_across_shards_in_the_order_asked_for(folder):
    data = PreparedClips.open(folder)
    numbers = np.array([8, 0, 4, 5, 4], np.int64)
    assert data.read(numbers) == [record(number) for number in numbers]
    with pytest.raises(ValueError):
        data.read(np.array([9]))


def test_read_from_many_threads(folder):
    data = PreparedClips.open(folder)
    numbers = np.random.default_rng(0).integers(0, 9, 2000)
    with ThreadPoolExecutor(8) as pool:
        records = list(pool.map(lambda number: data.read([number])[0], numbers))
    assert records == [record(number) for number in numbers]


def test_parse_in_a_graph(folder):
    data = PreparedClips.open(folder)
    (frame,) = tf.data.Dataset.from_tensor_slices(data.read([6])).map(data.parse)
    assert sorted(frame) == ["box", "image", "joints", "visibility"]
    assert frame["image"].numpy() == b"jpeg 6"
    np.testing.assert_array_equal(frame["joints"], np.arange(26, dtype=np.float32).reshape(13, 2) + 6)
    np.testing.assert_array_equal(frame["visibility"], np.arange(13) + 6)
    np.testing.assert_array_equal(frame["box"], np.arange(4) + 6)


@pytest.mark.parametrize("content", [None, "", "[]", '{"name": "x", "clips": [{}], "shards": []}'])
def test_a_folder_that_is_not_prepared(tmp_path, content):
    if content is not None:
        (tmp_path / "metadata.json").write_text(content)
    with pytest.raises(UserError, match=f"{tmp_path}: not a prepared data set"):
        PreparedClips.open(tmp_path)


@pytest.mark.parametrize("key", ["first_record", "length"])
def test_clips_that_do_not_fit_their_records_are_refused(folder, key):
    metadata = json.loads((folder / "metadata.json").read_text())
    metadata["clips"][0][key] += 1
    (folder / "metadata.json").write_text(json.dumps(metadata))
    with pytest.raises(UserError, match="not a prepared data set, or a damaged one"):
        PreparedClips.open(folder)


def test_a_missing_or_truncated_shard(folder):
    shard = folder / "test-0"
    content = shard.read_bytes()
    shard.write_bytes(content[:-100])
    with pytest.raises(UserError, match=r"test-0 has .* bytes instead of"):
        PreparedClips.open(folder)
    shard.unlink()
    with pytest.raises(UserError, match="test-0 is missing"):
        PreparedClips.open(folder)


def test_a_damaged_record(folder):
    shard = folder / "test-0"
    content = shard.read_bytes()
    shard.write_bytes(content[:100] + bytes(len(content) - 100))
    data = PreparedClips.open(folder)
    data.read([0])
    with pytest.raises(UserError, match="cannot be read"):
        data.read([7])


# ---- raw frames, and the number of open files ----


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> tuple[Path, np.ndarray]:
    """A prepared folder of 60 shards, and its frames."""
    folder = tmp_path_factory.mktemp("raw")
    frames = np.random.default_rng(0).integers(0, 256, (60, 3, 8, 8, 1), dtype=np.uint8)
    for number, clip in enumerate(frames):
        np.save(folder / f"train{number:02d}.npy", clip)
    return prepare_frames(ToySource(folder), folder / "cache", shard_bytes=1), frames.reshape(-1, 8, 8, 1)


def count_open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted in /proc, which only Linux has")
def test_few_files_are_open_whatever_the_number_of_shards(raw):
    folder, frames = raw
    before = count_open_files()
    data = PreparedClips.open(folder)
    assert count_open_files() == before and len(list(folder.glob("*array_record*"))) == 60
    numbers = np.random.default_rng(0).integers(0, len(frames), 3000)
    most = []

    def read(number):
        most.append(count_open_files())
        return data.read([number])[0]

    with ThreadPoolExecutor(8) as pool:
        records = list(pool.map(read, numbers))
    assert max(most) <= before + MOST_OPEN + 2 * 8  # files that threads are reading, and the folder that is counted
    for number, content in zip(numbers, records, strict=True):
        assert tf.train.Example.FromString(content).features.feature["image"].bytes_list.value[0] == frames[number].tobytes()


def test_raw_frames_are_the_same_whatever_is_kept_in_memory(raw, monkeypatch):
    folder, frames = raw
    monkeypatch.setattr("analogy.data.prepared.CACHE_BYTES", 2 * BLOCK * 64)  # two blocks
    data, random = PreparedClips.open(folder), np.random.default_rng(1)
    asked = [random.integers(0, len(frames), random.integers(1, 9)) for _ in range(300)]
    asked += [np.arange(start, start + 40) for start in random.integers(0, len(frames) - 40, 100)]
    with ThreadPoolExecutor(8) as pool:
        for numbers, records in zip(asked, pool.map(data._raw.read, asked), strict=True):
            np.testing.assert_array_equal(records, frames[numbers])
    assert len(data._raw._cache) == 2
    np.testing.assert_array_equal(data.frames(data.clips[7], [2, 0]), frames[[23, 21]])


def test_a_damaged_raw_record(raw, tmp_path):
    folder = shutil.copytree(raw[0], tmp_path / "copy")
    shard = next(iter(sorted(folder.glob("*array_record-00007*"))))
    content = shard.read_bytes()
    shard.write_bytes(content[:100] + bytes(len(content) - 100))
    data = PreparedClips.open(folder)
    with pytest.raises(UserError, match="cannot be read"):
        data.frames(data.clips[7])
