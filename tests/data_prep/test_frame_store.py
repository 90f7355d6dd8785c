"""The frame store: its content; preparation once, resumed, of changed data, by several processes, and on Apache Beam."""

import grp
import json
import os
import pwd
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from analogy.data.prepared import PreparedClips
from analogy.errors import UserError
from data_prep.frame_store import builder, checking, prepare, prepare_frames, prepare_on_beam
from data_prep.frame_store.source import list_items
from tests.data_prep.toy_source import ToySource

ROOT = Path(__file__).resolve().parents[2]
LENGTHS = {"test1": 4, "test2": 3, "train1": 5, "train2": 2, "train3": 6}


def write_clips(folder: Path, channels: int = 1) -> Path:
    folder.mkdir()
    for seed, (name, length) in enumerate(LENGTHS.items()):
        frames = np.random.default_rng(seed).integers(0, 256, (length, 12, 16, channels), dtype=np.uint8)
        np.save(folder / f"{name}.npy", frames)
    return folder


@pytest.fixture
def source(tmp_path) -> ToySource:
    return ToySource(write_clips(tmp_path / "toy"))


def assert_equals_source(folder: Path, source: ToySource) -> None:
    prepared = PreparedClips.open(folder)
    assert [clip.id for clip in prepared.clips] == [name for name in source.items() if len(source._load(name))]
    for clip in prepared.clips:
        frames = source._load(clip.id)
        np.testing.assert_array_equal(prepared.frames(clip), frames)
        assert (clip.length, clip.height, clip.width, clip.person, clip.fps) == (len(frames), 12, 16, clip.id[-1], 25.0)


def leftovers(cache: Path) -> list[Path]:
    return [path for path in cache.iterdir() if path.is_dir() and (path.suffix == ".partial" or path.name[0] == ".")]


@pytest.mark.parametrize(("encoding", "channels"), [("raw", 1), ("raw", 3), ("png", 1), ("png", 3)])
def test_exact_encodings_give_the_same_pixels(tmp_path, encoding, channels):
    source = ToySource(write_clips(tmp_path / "toy", channels), encoding, channels)
    folder = prepare_frames(source, tmp_path / "cache")
    assert_equals_source(folder, source)
    opened = tfds.builder_from_directory(folder)
    assert {name: split.num_examples for name, split in opened.info.splits.items()} == {"train": 13, "test": 7}
    frame = opened.as_data_source("test")[4]
    assert (frame["clip"], frame["frame"], frame["action"]) == (b"test2", 0, b"moving")
    np.testing.assert_array_equal(frame["image"], source._load("test2")[0])


def test_jpeg_frames_are_close_and_in_the_right_colours(tmp_path):
    folder = tmp_path / "toy"
    folder.mkdir()
    red = np.zeros([3, 16, 16, 3], np.uint8) + np.array([200, 30, 60], np.uint8)
    np.save(folder / "train1.npy", red)
    prepared = PreparedClips.open(prepare_frames(ToySource(folder, "jpeg", 3), tmp_path / "cache"))
    np.testing.assert_allclose(prepared.frames(prepared.clips[0], [2, 0]).astype(int), red[:2], atol=4)


def test_items_are_grouped_into_shards_in_their_order(source, tmp_path):
    folder = prepare_frames(source, tmp_path / "cache", shard_bytes=7 * 12 * 16)  # frames of 12 x 16 bytes
    shards = [entry["records"] for entry in json.loads((folder / "metadata.json").read_text())["shards"]]
    assert shards == [7, 6, 7]  # train1 and train2, train3, test1 and test2
    assert [(clip.id, clip.first_record) for clip in PreparedClips.open(folder).clips] == [
        ("test1", 13), ("test2", 17), ("train1", 0), ("train2", 5), ("train3", 7)
    ]  # fmt: skip


def test_what_is_left_out_is_said(source, tmp_path):
    np.save(source.folder / "train0.npy", np.zeros([0, 12, 16, 1], np.uint8))
    folder = prepare_frames(source, tmp_path / "cache")
    assert_equals_source(folder, source)
    (line,) = PreparedClips.open(folder).doubts
    said = (
        f"1 clips were left out, empty (train0): {folder / 'problems.json'} lists them; the first: train0.npy: it has no frame"
    )
    assert line == said
    for path in source.folder.glob("t*[1-9].npy"):
        path.unlink()
    with pytest.raises(
        UserError, match=r"no usable clip \(1 empty\); expected CLIP.npy; the first: train0.npy: it has no frame"
    ):
        prepare_frames(source, tmp_path / "cache")
    assert not leftovers(tmp_path / "cache")


# ---- once, resumed, anew ----


def test_an_interrupted_preparation_is_resumed(source, tmp_path, monkeypatch):
    undisturbed = prepare_frames(source, tmp_path / "other", shard_bytes=1)  # one clip per shard
    written, write = [], builder.ArrayRecordWriter

    def writer(path, options):
        if len(written) == 1:
            raise KeyboardInterrupt
        written.append(Path(path).name.split(".")[0])
        return write(path, options)

    monkeypatch.setattr(builder, "ArrayRecordWriter", writer)
    with pytest.raises(KeyboardInterrupt):
        prepare_frames(source, tmp_path / "cache", shard_bytes=1)
    (part,) = (tmp_path / "cache").glob("*.partial/parts/*-00000-of-00003")
    before = part.stat()
    shards = []
    monkeypatch.setattr(builder, "ArrayRecordWriter", lambda path, options: shards.append(path) or write(path, options))
    monkeypatch.setattr(ToySource, "check", lambda *_: pytest.fail("a checked clip was checked again"))
    folder = prepare_frames(source, tmp_path / "cache", shard_bytes=1)
    assert len(shards) == len(set(shards)) == 4
    after = (folder / part.name).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    # Not the bytes of the shards: the order of the fields inside a record is up to the serializer.
    assert folder.name == undisturbed.name and sorted(os.listdir(folder)) == sorted(os.listdir(undisturbed))
    assert PreparedClips.open(folder).clips == PreparedClips.open(undisturbed).clips
    assert_equals_source(folder, source)
    assert not leftovers(tmp_path / "cache")


def test_an_interrupted_check_is_resumed(source, tmp_path):
    listing, journal = list_items(source), tmp_path / "journal"
    everything = checking.check_items(source, listing, journal, track=lambda outcomes, _: outcomes)
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(lines[0] + lines[1] + lines[2][:20])
    waiting = []
    again = checking.check_items(source, listing, journal, track=lambda outcomes, total: waiting.append(total) or outcomes)
    assert waiting == [3] and again == everything
    assert journal.read_bytes() == b"".join(lines)


def test_the_same_source_is_prepared_once_and_a_changed_one_anew(source, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    first = prepare_frames(source, cache)
    with monkeypatch.context() as patch:
        patch.setattr(prepare, "_prepare", lambda *_: pytest.fail("prepared again"))
        assert prepare_frames(source, cache) == first
    np.save(source.folder / "train9.npy", np.zeros([2, 12, 16, 1], np.uint8))
    second = prepare_frames(source, cache)
    assert second != first
    assert "train9" in [clip.id for clip in PreparedClips.open(second).clips]
    os.utime(source.folder / "train9.npy", (1, 1))
    assert prepare_frames(source, cache) not in (first, second)
    assert prepare_frames(ToySource(source.folder, "png"), cache) not in (first, second)


def test_a_source_that_changes_meanwhile_is_refused(source, tmp_path, monkeypatch):
    check = ToySource.check

    def check_then_touch(self, item):
        os.utime(source.folder / "train1.npy", (1, 1))
        return check(self, item)

    monkeypatch.setattr(ToySource, "check", check_then_touch)
    with pytest.raises(UserError, match="files changed while they were prepared"):
        prepare_frames(source, tmp_path / "cache")
    assert not leftovers(tmp_path / "cache")


def test_a_full_disk_leaves_nothing_half_written(source, tmp_path):
    """A limit on the size of files stands in for the full disk; with room again, the work continues."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, limits[1]))
    try:
        with pytest.raises(UserError, match=r"cannot be prepared in .*free space"):
            prepare_frames(source, tmp_path / "cache")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not [path for path in (tmp_path / "cache").iterdir() if path.is_dir() and path.suffix != ".partial"]
    assert_equals_source(prepare_frames(source, tmp_path / "cache"), source)


def test_owners_without_a_name_are_no_hindrance(source, tmp_path, monkeypatch):
    """As in a container that runs as a number."""
    nobody = {}.__getitem__
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.setattr(grp, "getgrgid", nobody)
    assert_equals_source(prepare_frames(source, tmp_path / "cache"), source)
    assert pwd.getpwuid is nobody


def test_results_come_in_order_and_not_too_far_ahead():
    started = []
    results = checking.map_ahead(lambda number: started.append(number) or -number, range(100), threads=2)
    assert next(results) == 0 and len(started) <= 6
    assert list(results) == [-number for number in range(1, 100)]


# ---- by several ----


@pytest.mark.slow
def test_one_process_works_the_others_wait_and_a_killed_one_is_in_nobodys_way(source, tmp_path):
    def start(kind: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "tests.data_prep.toy_source", kind, source.folder, tmp_path / "cache"]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=ROOT, env=environment, **streams)

    def wait_for(process: subprocess.Popen, stream: str, text: str) -> None:
        assert any(text in line for line in getattr(process, stream)), f"ended without {text}"

    killed = start("stuck")
    wait_for(killed, "stdout", "at work")
    waiting = [start("toy"), start("toy")]
    for process in waiting:
        wait_for(process, "stderr", "another process prepares")
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    outputs = [process.communicate(timeout=120)[0] for process in waiting]
    assert [process.returncode for process in waiting] == [0, 0]
    assert sorted(output.count("5 clips with 20 frames prepared") for output in outputs) == [0, 1]
    (folder,) = {output.split()[-1] for output in outputs}
    assert_equals_source(Path(folder), source)
    assert not leftovers(tmp_path / "cache")


@pytest.mark.slow
def test_apache_beam_gives_the_same_records(tmp_path):
    """Two worker processes of Beam write the same records as the preparation without Beam."""
    pytest.importorskip("apache_beam", reason='Apache Beam is not installed: pip install -e ".[beam]"')
    source = ToySource(write_clips(tmp_path / "toy", channels=3), "png", channels=3)
    np.save(source.folder / "train0.npy", np.zeros([0, 12, 16, 1], np.uint8))
    for path in source.folder.glob("test*.npy"):  # a pipeline less
        path.unlink()
    program = (
        "import sys; from pathlib import Path; from data_prep.frame_store import prepare_on_beam, prepare_frames;"
        "from tests.data_prep.toy_source import ToySource; toy, cache, *options = sys.argv[1:];"
        "print(prepare_on_beam(ToySource(Path(toy), 'png', 3), Path(cache), options))"
    )
    options = ["--runner=DirectRunner", "--direct_num_workers=2", "--direct_running_mode=multi_processing"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", program, source.folder, tmp_path / "beam", *options]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    on_beam, here = Path(done.stdout.split()[-1]), prepare_frames(source, tmp_path / "cache")
    assert on_beam.name == here.name and sorted(os.listdir(on_beam)) == sorted(os.listdir(here))
    assert_equals_source(on_beam, source)
    assert (on_beam / "problems.json").read_bytes() == (here / "problems.json").read_bytes()
    a, b = PreparedClips.open(on_beam), PreparedClips.open(here)
    assert a.clips == b.clips and a.format == b.format
    for number in range(13):
        first, second = (tf.train.Example.FromString(data.read([number])[0]) for data in (a, b))
        assert first == second  # the order of the fields inside a record is up to the serializer
    assert not leftovers(tmp_path / "beam")


@pytest.mark.extra
@pytest.mark.parametrize(
    ("option", "message"),
    [("--runner=NoRunner", "Unexpected pipeline runner: NoRunner"), ("--direct_num_workers=many", "invalid int value: 'many'")],
)
def test_options_that_beam_refuses_are_one_line(source, tmp_path, option, message):
    pytest.importorskip("apache_beam", reason='Apache Beam is not installed: pip install -e ".[beam]"')
    with pytest.raises(UserError, match=message) as refused:
        prepare_on_beam(source, tmp_path / "cache", [option])
    assert str(refused.value).startswith("--beam-options: ") and "\n" not in str(refused.value)
    assert not (tmp_path / "cache").exists()
