"""The TensorFlow Datasets builder of Penn Action: one record per frame, in clip order, shards of whole clips."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core.writer import ExampleWriter

from analogy.data.prepared import Clip
from analogy.joints import JOINTS
from data_prep.penn_action.checks import FORMAT, CheckedClip, Problem, count_clips, frame_path, label_path
from data_prep.penn_action.labels import read_labels

SPLITS = ("train", "test")  # records are numbered in this order


class PennAction(tfds.core.ShardBasedBuilder):
    """Penn Action as array_record shards with random access.

    A split without clips is left out. Besides the files of TensorFlow Datasets, the prepared folder holds
    `metadata.json` (the clips and shards, see `analogy.data.prepared`) and `problems.json` (the clips left out).

    Args:
        source: folder in the official layout.
        clips: the clips to write, none with a problem, sorted by id.
        problems: why other clips were left out.
        dataset: the name given to the prepared data.
        parts: folder on the disk of `data_dir` where finished shards outlive an interruption.
        shard_bytes: a shard is closed before its JPEG data exceeds this.
        advance: called with the number of frames after each clip.
        data_dir: see `tfds.core.DatasetBuilder`.
    """

    VERSION = tfds.core.Version(FORMAT)

    def __init__(
        self,
        *,
        source: Path,
        clips: Sequence[CheckedClip],
        problems: Sequence[Problem],
        dataset: str,
        parts: Path,
        shard_bytes: int,
        advance: Callable[[int], None],
        data_dir: Path,
    ):
        super().__init__(data_dir=data_dir, file_format="array_record")
        self._source = source
        self._clips = {split: [clip for clip in clips if clip.split == split] for split in SPLITS}
        self._problems = problems
        self._dataset = dataset
        self._parts = parts
        self._shard_bytes = shard_bytes
        self._advance = advance

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "clip": tfds.features.Text(),
            "frame": tfds.features.Scalar(np.int32),
            "action": tfds.features.Text(),
            "image": tfds.features.Image(encoding_format="jpeg"),  # fed with bytes, which it stores unchanged
            "joints": tfds.features.Tensor(shape=(JOINTS, 2), dtype=np.float32),
            "visibility": tfds.features.Tensor(shape=(JOINTS,), dtype=np.float32),
            "box": tfds.features.Tensor(shape=(4,), dtype=np.float32),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description="Penn Action: videos of 15 actions with 13 joints and a box in each frame.",
            features=tfds.features.FeaturesDict(features),
            metadata=tfds.core.MetadataDict(),
            disable_shuffling=True,
        )

    def _shard_iterators_per_split(self, dl_manager):
        del dl_manager  # nothing is downloaded
        return {split: self._shards(split) for split in SPLITS if self._clips[split]}

    def _shards(self, split: str) -> list[Callable[[], Iterator]]:
        groups = group_clips(self._clips[split], self._shard_bytes)
        names = [path.name for path in self._get_filename_template(split).sharded_filepaths(len(groups))]
        return [partial(self._examples, self._parts / name, group) for name, group in zip(names, groups, strict=True)]

    def _examples(self, part: Path, clips: Sequence[CheckedClip]) -> Iterator[tuple[str, dict | None]]:
        """Yields (key, features) for each frame of a shard; placeholders when `part` is already finished."""
        finished = part.exists()  # then the writer takes no example, and the placeholders only get counted
        for clip in clips:
            if finished:
                yield from ((f"{clip.id}/{frame}", None) for frame in range(clip.length))
            else:
                yield from self._frames(clip)
            self._advance(clip.length)

    def _frames(self, clip: CheckedClip) -> Iterator[tuple[str, dict]]:
        labels = read_labels(label_path(self._source, clip.id))
        for frame in range(clip.length):
            yield (
                f"{clip.id}/{frame}",
                {
                    "clip": clip.id,
                    "frame": frame,
                    "action": clip.action,
                    "image": frame_path(self._source, clip.id, frame).read_bytes(),
                    "joints": labels.joints[frame],
                    "visibility": labels.visibility[frame],
                    "box": labels.boxes[frame],
                },
            )

    def _example_writer(self) -> ExampleWriter:
        return PartWriter(self._parts, self.info.file_format)

    def _download_and_prepare(self, dl_manager, download_config=None) -> None:
        """Writes the shards, then the facts about them; all in the temporary folder that is renamed at the end."""
        super()._download_and_prepare(dl_manager, download_config)
        clips, first_record = [], 0
        for clip in (clip for split in SPLITS for clip in self._clips[split]):
            facts = {key: getattr(clip, key) for key in Clip.__dataclass_fields__ if key != "first_record"}
            clips.append(asdict(Clip(**facts, first_record=first_record)))
            first_record += clip.length
        shards = [
            {"file": path.name, "records": records, "bytes": path.stat().length}
            for split in SPLITS
            if self._clips[split]
            for path, records in zip(self.info.splits[split].filepaths, self.info.splits[split].shard_lengths, strict=True)
        ]
        self.info.metadata.update(name=self._dataset, clips=clips, shards=shards)
        report = {"counts": count_clips(self._problems), "problems": [asdict(problem) for problem in self._problems]}
        (self.data_path / "problems.json").write_text(json.dumps(report, indent=1) + "\n")

    # TensorFlow Datasets announces a download here, but there is none, and progress is shown elsewhere.
    def _log_download_bytes(self) -> None: ...

    def _log_download_done(self) -> None: ...


class PartWriter(ExampleWriter):
    """Writes each shard into a folder that survives an interruption, and links it from there to its place."""

    def __init__(self, parts: Path, file_format):
        super().__init__(file_format=file_format)
        self._parts = parts

    def write(self, path, examples) -> None:
        part = self._parts / Path(path).name
        if not part.exists():
            unfinished = part.with_name(f"{part.name}.unfinished")
            try:
                super().write(unfinished, examples)
            except RuntimeError as error:  # the only type array_record knows, also for a full disk
                raise OSError(f"{unfinished}: {error}") from error
            with unfinished.open("rb") as file:
                os.fsync(file)  # the name below says "finished", also after a power failure
            unfinished.rename(part)
        try:
            os.link(part, path)
        except OSError:  # a disk without hard links: only this shard's survival is lost
            part.rename(path)


def group_clips(clips: Sequence[CheckedClip], shard_bytes: int) -> list[list[CheckedClip]]:
    """Cuts the clips, in order, into shards of at most `shard_bytes` of JPEG data, or of one larger clip."""
    groups, size = [], 0
    for clip in clips:
        if not groups or size + clip.image_bytes > shard_bytes:
            groups.append([])
            size = 0
        groups[-1].append(clip)
        size += clip.image_bytes
    return groups
