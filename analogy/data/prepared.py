"""Reading a prepared dataset: random access to its frames and labels. `data_prep.frame_store` writes it."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import tensorflow as tf
from array_record.python.array_record_module import ArrayRecordReader
from google.protobuf.message import DecodeError

from analogy.data.doubts import Inspection, some
from analogy.data.python_calls import call_python
from analogy.errors import UserError, first_line
from analogy.files.reading import read_json
from analogy.graphs import graph_function

MOST_OPEN = 32  # shards that are open at the same time; each needs a file descriptor
BLOCK = 32  # neighbouring raw frames that are read and cached together
CACHE_BYTES = 1536 << 20  # raw frames that stay in memory; enough for all of KTH at 64 pixels
_LABELS = {
    "joints": tf.io.FixedLenFeature([13, 2], tf.float32),
    "visibility": tf.io.FixedLenFeature([13], tf.float32),
    "box": tf.io.FixedLenFeature([4], tf.float32),
}


@dataclass(frozen=True)
class Clip:
    """One video. Its frames are the records first_record .. first_record + length - 1, of `height` x `width` pixels.

    split: "train" or "test" of the official split; "" if there is none. person: who acts; "" if unknown.
    fps: frames per second; 0 if unknown.
    union_box: (xmin, ymin, xmax, ymax) in pixels, the smallest box around the rounded boxes of all frames, neither padded nor
    clipped to the frame; None without labels.
    notes: what is wrong with its file; "" if nothing.
    fingerprint, joints_outside, black_frames, unlabelled_frames: see `analogy.data.doubts.Inspection`.
    label_fingerprint: a hash, equal for clips with equal labels; "" without labels.
    repeats: the numbers of the frames, from 0 on, that nearly equal the one before them, where that was looked at.
    """

    id: str
    action: str
    length: int
    height: int
    width: int
    split: str = ""
    person: str = ""
    viewpoint: str = ""
    fps: float = 0.0
    union_box: tuple[int, int, int, int] | None = None
    first_record: int = 0
    notes: str = ""
    fingerprint: str = ""
    joints_outside: float = 0.0
    black_frames: int = 0
    unlabelled_frames: int = 0
    label_fingerprint: str = ""
    repeats: tuple[int, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of its frames in pixels."""
        return self.height, self.width

    @classmethod
    def from_json(cls, content: dict) -> Clip:
        """The clip from the JSON form of its `dataclasses.asdict`. Raises TypeError where keys do not fit."""
        box = content.get("union_box")
        repeats = tuple(content.get("repeats", ()))
        return cls(**content | {"union_box": None if box is None else tuple(box), "repeats": repeats})

    @property
    def inspection(self) -> Inspection:
        return Inspection(**{name: getattr(self, name) for name in Inspection.__dataclass_fields__})


@dataclass(frozen=True)
class FrameFormat:
    """The format of stored frames.

    encoding: "jpeg"; "png"; or "raw", the plain pixels, which is exact and the fastest for small frames. All frames of a raw
    store must have the same size.
    channels: 1 or 3. labelled: whether each frame has joints, visibility and a box.
    """

    encoding: str
    channels: int
    labelled: bool = False


class Shards:
    """The records of several ArrayRecord files, numbered from 0 across all files. Safe to use from several threads.

    At most MOST_OPEN files stay open, besides those that are being read.

    Args:
        files: the paths. records: the number of records in each file.
    """

    def __init__(self, files: list[Path], records: list[int]):
        self.files = files
        self._ends = list(accumulate(records))
        self._open: OrderedDict[int, ArrayRecordReader] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, numbers: Iterable[int]) -> list[bytes]:
        """The records with these numbers, in the order of `numbers`.

        Raises:
            ValueError: there is no record of that number.
            RuntimeError: a file is damaged.
        """
        numbers = [int(number) for number in numbers]
        by_shard: dict[int, list[int]] = {}
        for place, number in enumerate(numbers):
            if not 0 <= number < self._ends[-1]:
                raise ValueError(f"there is no record {number}: there are {self._ends[-1]}")
            by_shard.setdefault(bisect_right(self._ends, number), []).append(place)
        records: list[bytes] = [b""] * len(numbers)
        for shard, places in by_shard.items():
            first = self._ends[shard - 1] if shard else 0
            # One call reads all records of a shard, because neighbouring records are stored together.
            for place, record in zip(places, self._reader(shard).read([numbers[p] - first for p in places]), strict=True):
                records[place] = record
        return records

    def _reader(self, shard: int) -> ArrayRecordReader:
        with self._lock:
            reader = self._open.pop(shard, None)
            if reader is None:
                options = "readahead_buffer_size:0,max_parallelism:0"  # reading ahead is left to tf.data
                reader = ArrayRecordReader(str(self.files[shard]), options=options, file_reader_buffer_size=32768)
            self._open[shard] = reader
            if len(self._open) > MOST_OPEN:
                self._open.popitem(last=False)  # its file is closed when no thread reads from it any more
            return reader


class RawFrames:
    """Reads raw frames in blocks of BLOCK neighbours, and caches the blocks that were used last, up to CACHE_BYTES.

    Training repeatedly reads windows of small neighbouring frames. Without the cache, finding each frame in its record would
    take most of the time. Safe to use from several threads.

    Args:
        shards: shards with one frame in each record.
        count: the number of records.
        shape: [H, W, C] of every frame.
    """

    def __init__(self, shards: Shards, count: int, shape: tuple[int, int, int]):
        self._shards, self._count, self._shape = shards, count, shape
        self._cache: OrderedDict[int, np.ndarray] = OrderedDict()
        self._most = max(1, CACHE_BYTES // (BLOCK * int(np.prod(shape))))
        self._lock = threading.Lock()

    def read(self, numbers: np.ndarray) -> np.ndarray:
        """Record numbers int64 [n] -> their frames uint8 [n, H, W, C]. Errors: see `Shards.read`."""
        frames = np.empty([len(numbers), *self._shape], np.uint8)
        blocks, values = numbers // BLOCK, numbers.tolist()
        # Neighbours of one block are copied together.
        cuts = (blocks[1:] != blocks[:-1]) | (numbers[1:] != numbers[:-1] + 1)
        edges = [0, *(np.flatnonzero(cuts) + 1).tolist(), len(values)]
        for first, last in pairwise(edges) if values else ():
            block, place = divmod(values[first], BLOCK)
            frames[first:last] = self._block(block)[place : place + last - first]
        return frames

    def _block(self, block: int) -> np.ndarray:
        with self._lock:
            if block in self._cache:
                self._cache.move_to_end(block)
                return self._cache[block]
        first = block * BLOCK
        records = self._shards.read(range(first, min(first + BLOCK, self._count)))
        images = [tf.train.Example.FromString(record).features.feature["image"].bytes_list.value[0] for record in records]
        frames = np.frombuffer(b"".join(images), np.uint8).reshape(-1, *self._shape)
        with self._lock:
            self._cache[block] = frames
            if len(self._cache) > self._most:
                self._cache.popitem(last=False)
        return frames


class PreparedClips:
    """The clips of a prepared dataset. It is quick to open, and safe to read from several threads.

    Example:
        data = PreparedClips.open(folder)
        clip = data.clips[0]
        frames = data.frames(clip, [0, clip.length - 1])  # uint8 [2, H, W, C]
        (record,) = data.read([clip.first_record])
        joints = data.parse(record)["joints"]  # where data.format.labelled
    """

    def __init__(self, folder: Path, name: str, clips: tuple[Clip, ...], frame_format: FrameFormat, shards: Shards):
        self.folder, self.name, self.clips, self.format = folder, name, clips, frame_format
        self._shards = shards
        self._raw = None
        if frame_format.encoding == "raw":
            count = sum(clip.length for clip in clips)
            self._raw = RawFrames(shards, count, (*clips[0].size, frame_format.channels))
        self._features = {"image": tf.io.FixedLenFeature([], tf.string), **(_LABELS if frame_format.labelled else {})}
        self._decode = graph_function(self._decode_all, input_signature=[tf.TensorSpec([None], tf.string)])

    @classmethod
    def open(cls, folder: Path) -> PreparedClips:
        """Open the folder of a prepared dataset. Only its metadata are read, not the records.

        Raises:
            UserError: the folder is not a prepared data set, or a shard is missing or cut short.
        """
        folder = Path(folder)
        try:
            metadata = read_json(folder / "metadata.json")
            name, entries, frame_format = metadata["name"], metadata["shards"], FrameFormat(**metadata["format"])
            clips = [Clip.from_json(clip) for clip in metadata["clips"]]
            files, records = [folder / entry["file"] for entry in entries], [entry["records"] for entry in entries]
            sizes = [entry["bytes"] for entry in entries]
            clips.sort(key=lambda clip: clip.first_record)
            ends = [0, *accumulate(clip.length for clip in clips)]  # each clip begins where the one before it ends
            if [*(clip.first_record for clip in clips), sum(records)] != ends:
                raise ValueError("its clips do not fit its records")
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise UserError(
                f"{folder}: not a prepared data set, or a damaged one; delete this folder, and the data are prepared again"
            ) from error
        for file, size in zip(files, sizes, strict=True):
            present_size = file.stat().st_size if file.exists() else None
            if present_size != size:
                fault = "is missing" if present_size is None else f"has {present_size} bytes instead of {size}"
                raise UserError(f"{file} {fault}; delete the folder {folder} and prepare the data again")
        return cls(folder, name, tuple(sorted(clips, key=lambda clip: clip.id)), frame_format, Shards(files, records))

    @property
    def doubts(self) -> list[str]:
        """One line for each reason why clips were left out of the prepared data, and one line about clips with `notes`."""
        file = self.folder / "problems.json"
        lines = []
        try:
            report = read_json(file)
            for reason, count in report["counts"].items():
                problems = [problem for problem in report["problems"] if problem["reason"] == reason]
                names = list(dict.fromkeys(problem["clip"] for problem in problems))
                first = f"the first: {problems[0]['file']}: {problems[0]['detail']}"
                lines.append(f"{count} clips were left out, {reason} ({some(names)}): {file} lists them; {first}")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
            lines = []
        noted: dict[str, list[str]] = {}
        for clip in self.clips:
            if clip.notes:
                noted.setdefault(clip.notes, []).append(clip.id)
        if noted:
            count, kinds = sum(map(len, noted.values())), [f"{some(clips)}: {notes}" for notes, clips in noted.items()]
            lines.append(f"{count} of {len(self.clips)} clips are not as they should be: {some(kinds)}")
        return lines

    def read(self, records: Iterable[int]) -> list[bytes]:
        """The serialized records with these numbers (int64), in the order of `records`.

        Raises:
            UserError: a shard is damaged or has disappeared.
            ValueError: there is no such record.
        """
        with self._naming_damage():
            return self._shards.read(records)

    @contextmanager
    def _naming_damage(self) -> Iterator[None]:
        """A context that turns the exceptions for a damaged shard into a UserError that names the folder."""
        try:
            yield
        except (RuntimeError, DecodeError) as error:
            raise UserError(
                f"{self.folder}: a record cannot be read ({first_line(error)}); delete the folder and prepare the data again"
            ) from error

    def read_in_graph(self, records: tf.Tensor) -> tf.Tensor:
        """`read` inside a graph: int64 [n] -> string [n]."""
        raw = call_python(lambda r: np.array(self.read(r), object), records, tf.string)
        return tf.ensure_shape(raw, records.shape)

    def parse(self, serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        """Parse one record (string scalar); also inside a graph.

        Returns:
            image: scalar string, the encoded frame. With labels:
            joints: float32 [13, 2], x then y in pixels of the frame.
            visibility: float32 [13], 1 visible or 0 hidden.
            box: float32 [4], xmin, ymin, xmax, ymax in pixels of the frame.
        """
        return tf.io.parse_single_example(serialized, self._features)

    def decode_part(self, image: tf.Tensor, box: tf.Tensor) -> tf.Tensor:
        """The part of a stored frame within a box: uint8 [h, w, C]; also inside a graph.

        image: string scalar, from `parse`. box: int32 [4], x_min, y_min, x_max, y_max in pixels.
        """
        x_min, y_min, x_max, y_max = tf.unstack(box)
        if self.format.encoding == "jpeg":  # only these pixels are decoded
            corner = tf.stack([y_min, x_min, y_max - y_min, x_max - x_min])
            return tf.io.decode_and_crop_jpeg(image, corner, channels=self.format.channels)
        if self.format.encoding == "raw":
            whole = tf.reshape(tf.io.decode_raw(image, tf.uint8), [*self.clips[0].size, self.format.channels])
        else:
            whole = tf.io.decode_png(image, channels=self.format.channels)
        return whole[y_min:y_max, x_min:x_max]

    def frames(self, clip: Clip, numbers: Iterable[int] | None = None) -> np.ndarray:
        """The frames of a clip with these numbers, counted from 0: uint8 [n, H, W, C]. None reads all frames.

        Raises:
            UserError: see `read`.
        """
        numbers = np.arange(clip.length) if numbers is None else np.asarray(numbers, np.int64)
        return self.frames_of_records(clip.first_record + numbers)

    def frames_in_graph(self, records: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
        """Record numbers int64 [n] -> frames uint8 [n, H, W, C], inside a graph. All frames are of `size` (height, width)."""
        if self._raw:
            frames = call_python(self.frames_of_records, records, tf.uint8)
        else:
            frames = self._decode_all(self.read_in_graph(records))
        return tf.ensure_shape(frames, [*records.shape, *size, self.format.channels])

    def frames_of_records(self, records: np.ndarray) -> np.ndarray:
        """Record numbers int64 [n] -> frames of one size, uint8 [n, H, W, C]. Raises UserError: see `read`."""
        if self._raw:
            with self._naming_damage():
                return self._raw.read(records)
        return self._decode(tf.constant(self.read(records))).numpy()

    def _decode_all(self, serialized: tf.Tensor) -> tf.Tensor:
        """Serialized records, string [n], with frames of the same size -> uint8 [n, H, W, C]."""
        images = tf.io.parse_example(serialized, self._features)["image"]
        decode, channels = {"jpeg": tf.io.decode_jpeg, "png": tf.io.decode_png}[self.format.encoding], self.format.channels
        signature = tf.TensorSpec([None, None, channels], tf.uint8)
        return tf.map_fn(lambda image: decode(image, channels=channels), images, fn_output_signature=signature)
