"""Random access to the frames of a prepared data set."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf
from array_record.python.array_record_data_source import ArrayRecordDataSource

from analogy.data.doubts import Look
from analogy.errors import UserError

_FEATURES = {
    "image": tf.io.FixedLenFeature([], tf.string),
    "joints": tf.io.FixedLenFeature([13, 2], tf.float32),
    "visibility": tf.io.FixedLenFeature([13], tf.float32),
    "box": tf.io.FixedLenFeature([4], tf.float32),
}


@dataclass(frozen=True)
class Clip:
    """One video: records first_record .. first_record + length - 1 are its frames.

    `split` is the official one, "train" or "test". `union_box` is the smallest box (xmin, ymin, xmax, ymax, in
    pixels) around the rounded boxes of all frames, neither padded nor clipped to the frame. The last four are of
    `analogy.data.doubts.Look`.
    """

    id: str
    action: str
    viewpoint: str
    split: str
    first_record: int
    length: int
    height: int
    width: int
    union_box: tuple[int, int, int, int]
    fingerprint: str = ""
    joints_outside: float = 0.0
    black_frames: int = 0
    unlabelled_frames: int = 0
    label_fingerprint: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of its frames in pixels."""
        return self.height, self.width

    @property
    def look(self) -> Look:
        return Look(**{name: getattr(self, name) for name in Look.__dataclass_fields__})


@dataclass(frozen=True)
class _Shard:
    """Tells the record reader how long a shard is, so that it need not open every file at the start."""

    filename: str
    take: int
    skip: int = 0

    @property
    def examples_in_shard(self) -> int:
        return self.take


class PreparedClips:
    """The clips of a prepared folder. Cheap to open, and safe to read from many threads.

    Example:
        data = PreparedClips.open(folder)
        clip = data.clips[0]
        first, last = data.read([clip.first_record, clip.first_record + clip.length - 1])
        frame = tf.io.decode_jpeg(data.parse(first)["image"], channels=3)
    """

    def __init__(self, folder: Path, name: str, clips: tuple[Clip, ...], shards: list[_Shard]):
        self.folder = folder
        self.name = name
        self.clips = clips
        self._records = ArrayRecordDataSource(shards)

    @classmethod
    def open(cls, folder: Path) -> "PreparedClips":
        """Opens a prepared folder from its metadata alone; the records are not scanned.

        Raises:
            UserError: the folder is not a prepared data set, or a shard is missing or cut short.
        """
        folder = Path(folder)
        try:
            metadata = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
            name, entries = metadata["name"], metadata["shards"]
            clips = [Clip(**clip | {"union_box": tuple(clip["union_box"])}) for clip in metadata["clips"]]
            shards = [_Shard(str(folder / entry["file"]), entry["records"]) for entry in entries]
            sizes = [entry["bytes"] for entry in entries]
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UserError(f"{folder}: not a prepared data set; prepare the data first and give its folder") from error
        for shard, size in zip(shards, sizes, strict=True):
            file = Path(shard.filename)
            found = file.stat().st_size if file.exists() else None
            if found != size:
                fault = "is missing" if found is None else f"has {found} bytes instead of {size}"
                raise UserError(f"{file} {fault}; delete the folder {folder} and prepare the data again")
        return cls(folder, name, tuple(sorted(clips, key=lambda clip: clip.id)), shards)

    @property
    def left_out(self) -> list[str]:
        """A line for each reason why clips were left out when the data were prepared."""
        problems = self.folder / "problems.json"
        try:
            counts = json.loads(problems.read_text(encoding="utf-8"))["counts"]
        except (OSError, ValueError, KeyError, TypeError):
            return []
        return [f"{count} clips were left out, {reason}: {problems} lists them" for reason, count in counts.items()]

    def read(self, records: Iterable[int]) -> list[bytes]:
        """The serialized records with these numbers (int64), in the order asked for.

        Raises:
            UserError: a shard is damaged or has disappeared.
            ValueError: there is no such record.
        """
        try:
            # One by one: the data source's own batch read starts a pool of threads in every call.
            return [self._records[record] for record in records]
        except RuntimeError as error:
            raise UserError(
                f"{self.folder}: a record cannot be read ({str(error).splitlines()[0]}); "
                "delete the folder and prepare the data again"
            ) from error

    @staticmethod
    def parse(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        """Parses one record (scalar string); also inside a graph.

        Returns:
            image: scalar string, the JPEG file.
            joints: float32 [13, 2], x then y in pixels of the frame.
            visibility: float32 [13], 1 seen or 0 hidden.
            box: float32 [4], xmin, ymin, xmax, ymax in pixels of the frame.
        """
        return tf.io.parse_single_example(serialized, _FEATURES)
