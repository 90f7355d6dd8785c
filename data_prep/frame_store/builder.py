"""Writes the frame store with TensorFlow Datasets: one record for each frame, in order. A shard holds whole items."""

from __future__ import annotations

import grp
import json
import os
import pwd
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordWriter
from tensorflow_datasets.core.writer import ExampleWriter

from analogy.data.prepared import BLOCK, FrameFormat
from analogy.errors import UserError
from analogy.files.names import distinct_name
from analogy.joints import JOINTS
from data_prep.frame_store.checking import map_ahead
from data_prep.frame_store.source import FORMAT, Checked, Problem, Source, count_clips

SPLITS = ("train", "validation", "test", "")  # records are numbered in this order; "" is for clips without a split
NO_SPLIT = "clips"  # the name of the split "" in TensorFlow Datasets
# Colours in full resolution: frames are small, and their edges would fray.
JPEG_OPTIONS = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
# How many records are stored and read together. Small frames are read in windows, where reading a neighbour too costs less than
# finding it again.
TOGETHER = {"jpeg": 1, "png": 1, "raw": BLOCK}


@contextmanager
def _owners_without_names() -> Iterator[None]:
    """A context in which a file may belong to a number, as in a container: TensorFlow Datasets asks for its owner's name."""
    before = pwd.getpwuid, grp.getgrgid
    pwd.getpwuid, grp.getgrgid = (partial(_entry_or_number, lookup) for lookup in before)
    try:
        yield
    finally:
        pwd.getpwuid, grp.getgrgid = before


def _entry_or_number(lookup: Callable, number: int):
    try:
        return lookup(number)
    except KeyError:
        return SimpleNamespace(pw_name=str(number), gr_name=str(number))


class FrameStore(tfds.core.ShardBasedBuilder):
    """Writes the clips of a source into array_record shards, which allow random access.

    A split without clips is left out. Besides the files of TensorFlow Datasets, the prepared folder holds
    `metadata.json` (the clips and shards, see `analogy.data.prepared`) and `problems.json` (the clips left out).

    Args:
        source: the dataset to store.
        checked: the items to write, in their order; none has a problem.
        problems: the reasons why other clips were left out.
        parts: folder on the disk of `data_dir` that keeps finished shards after an interruption.
        shard_bytes: the most bytes of encoded frames in a shard, unless a single item is larger.
        threads: number of threads that read items; 0 reads them one after another.
        advance: called with an item's number of frames when it is written; for a progress bar. None on a cluster.
        data_dir: see `tfds.core.DatasetBuilder`.
    """

    VERSION = tfds.core.Version(FORMAT)

    def __init__(
        self,
        *,
        source: Source,
        checked: Sequence[Checked],
        problems: Sequence[Problem],
        parts: Path,
        shard_bytes: int,
        threads: int,
        advance: Callable[[int], None] | None,
        data_dir: Path,
    ):
        self._source, self._problems, self._parts, self._shard_bytes = source, problems, parts, shard_bytes
        self._threads, self._advance = threads, advance
        self._items = {split: [item for item in checked if item.split == split] for split in SPLITS}
        super().__init__(data_dir=data_dir, file_format="array_record")  # calls `_info`

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="Videos, frame by frame, with labels where the dataset has them.",
            features=tfds.features.FeaturesDict(features_of(self._source, self._items)),
            metadata=tfds.core.MetadataDict(),
            disable_shuffling=True,
        )

    def _shard_iterators_per_split(self, dl_manager):
        del dl_manager  # nothing is downloaded
        return {split or NO_SPLIT: self._shards(split) for split in SPLITS if self._items[split]}

    def _shards(self, split: str) -> list[Callable[[], Iterator]]:
        groups = group_items(self._items[split], self._shard_bytes)
        paths = self._get_filename_template(split or NO_SPLIT).sharded_filepaths(len(groups))
        return [
            Shard(self._source, tuple(group), self._parts / path.name, self._threads, self._advance)
            for path, group in zip(paths, groups, strict=True)
        ]

    def _example_writer(self) -> ExampleWriter:
        return PartWriter(self._parts, self.info.file_format, TOGETHER[self._source.format.encoding])

    @_owners_without_names()
    def _download_and_prepare(self, dl_manager, download_config=None) -> None:
        """Write the shards, then metadata.json and problems.json. The folder is temporary and is renamed at the end."""
        super()._download_and_prepare(dl_manager, download_config)
        for note in self.data_path.glob("*.shard_infos.json"):  # messages of Beam's workers to this process
            note.unlink()
        clips, first_record, names = [], 0, set()
        for clip in chain.from_iterable(item.clips for split in SPLITS for item in self._items[split]):
            name = distinct_name(clip.id, names)
            names.add(name)
            clips.append(asdict(replace(clip, id=name, first_record=first_record)))
            first_record += clip.length
        shards = [
            {"file": path.name, "records": records, "bytes": path.stat().length}
            for split in SPLITS
            if self._items[split]
            for path, records in zip(
                self.info.splits[split or NO_SPLIT].filepaths, self.info.splits[split or NO_SPLIT].shard_lengths, strict=True
            )
        ]
        self.info.metadata.update(name=self._source.name, format=asdict(self._source.format), clips=clips, shards=shards)
        report = {"counts": count_clips(self._problems), "problems": [asdict(problem) for problem in self._problems]}
        (self.data_path / "problems.json").write_text(json.dumps(report, indent=1) + "\n")

    # TensorFlow Datasets announces a download here, but there is none, and progress is shown elsewhere.
    def _log_download_bytes(self) -> None: ...

    def _log_download_done(self) -> None: ...


def features_of(source: Source, items: dict[str, list[Checked]]) -> dict[str, tfds.features.FeatureConnector]:
    """The features of a record: name -> type."""
    stored = source.format
    if stored.encoding == "raw":
        clip = next(item.clips[0] for split in SPLITS for item in items[split])
        image = tfds.features.Tensor(shape=(clip.height, clip.width, stored.channels), dtype=np.uint8, encoding="bytes")
    else:  # its input is encoded bytes, which are stored unchanged
        image = tfds.features.Image(shape=(None, None, stored.channels), encoding_format=stored.encoding)
    labels = {
        "joints": tfds.features.Tensor(shape=(JOINTS, 2), dtype=np.float32),
        "visibility": tfds.features.Tensor(shape=(JOINTS,), dtype=np.float32),
        "box": tfds.features.Tensor(shape=(4,), dtype=np.float32),
    }
    about = {"clip": tfds.features.Text(), "frame": tfds.features.Scalar(np.int32), "action": tfds.features.Text()}
    return {**about, "image": image, **(labels if stored.labelled else {})}


@dataclass(frozen=True)
class Shard:
    """Generates the examples of one shard: (key, features) for each frame. It may be sent to a worker of a cluster.

    part: path of the finished shard. If it exists, the examples are placeholders, because the shard need not be written again.
    """

    source: Source
    items: tuple[Checked, ...]
    part: Path
    threads: int
    advance: Callable[[int], None] | None

    def __call__(self) -> Iterator[tuple[str, dict | None]]:
        if self.part.exists():  # then the writer ignores the examples, which are only counted
            for item in self.items:
                yield from ((f"{clip.id}/{frame}", None) for clip in item.clips for frame in range(clip.length))
                self._done(item)
            return
        for item, frames in zip(self.items, self._read_items(), strict=True):
            yield from self._examples(item, frames)
            self._done(item)

    def _done(self, item: Checked) -> None:
        if self.advance:
            self.advance(item.length)

    def _read_items(self) -> Iterator[list[dict]]:
        names = [item.item for item in self.items]
        read = partial(_read_encoded, self.source)
        return map_ahead(read, names, self.threads) if self.threads else map(read, names)

    def _examples(self, item: Checked, frames: list[dict]) -> Iterator[tuple[str, dict]]:
        if len(frames) != item.length:
            raise UserError(f"{self.source.folder}: {item.item} changed while it was prepared; run again when it is at rest")
        remaining = iter(frames)
        for clip in item.clips:
            for number, frame in zip(range(clip.length), remaining, strict=False):
                yield f"{clip.id}/{number}", {"clip": clip.id, "frame": number, "action": clip.action, **frame}


def _read_encoded(source: Source, item: str) -> list[dict[str, Any]]:
    return [frame | {"image": encode_frame(frame["image"], source.format)} for frame in source.read(item)]


def encode_frame(frame: bytes | np.ndarray, stored: FrameFormat) -> bytes | np.ndarray:
    """Encode a frame uint8 [H, W, C] as the store needs it. Bytes are already encoded and are returned unchanged."""
    if isinstance(frame, bytes) or stored.encoding == "raw":
        return frame
    options = JPEG_OPTIONS if stored.encoding == "jpeg" else []
    frame = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR) if stored.channels == 3 else frame
    return cv2.imencode(f".{stored.encoding}", frame, options)[1].tobytes()


class PartWriter(ExampleWriter):
    """Writes each shard into a folder that is kept after an interruption, and links it from there to its place.

    together: how many records are stored and read together.
    """

    def __init__(self, parts: Path, file_format, together: int):
        super().__init__(file_format=file_format)
        self._parts, self._together = parts, together

    def write(self, path, examples) -> None:
        part = self._parts / Path(path).name
        if not part.exists():
            # A cluster may write a shard twice at the same time; whichever is finished last stays.
            unfinished = part.with_name(f"{part.name}.{uuid.uuid4().hex}.unfinished")
            try:
                writer = ArrayRecordWriter(str(unfinished), f"group_size:{self._together},uncompressed")
                for _, example in examples:
                    writer.write(example)
                writer.close()
            except RuntimeError as error:  # array_record raises this for every failure, also for a full disk
                unfinished.unlink(missing_ok=True)
                raise OSError(f"{unfinished}: {error}") from error
            with unfinished.open("rb") as file:
                os.fsync(file)  # a file with the name below is complete, even after a power failure
            unfinished.rename(part)
        try:
            os.link(part, path)
        except OSError:  # the disk has no hard links: the shard is moved, and would be written again after an interruption
            part.rename(path)


def group_items(items: Sequence[Checked], shard_bytes: int) -> list[list[Checked]]:
    """Divide the items, in order, into shards of at most `shard_bytes` of encoded frames. A larger item is its own shard."""
    groups, size = [], 0
    for item in items:
        if not groups or size + item.image_bytes > shard_bytes:
            groups.append([])
            size = 0
        groups[-1].append(item)
        size += item.image_bytes
    return groups
