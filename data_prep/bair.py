"""BAIR robot pushing (Ebert et al. 2017): softmotion30_44k in its official tfrecords."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from analogy.data.doubts import doubts_about
from analogy.data.movies import MovieDataset, chosen_movies
from analogy.data.prepared import Clip, FrameFormat, PreparedClips
from analogy.data.windows import StoredMovie, WindowPlan
from analogy.errors import UserError, first_line
from analogy.files.names import visible
from analogy.files.reading import NO_FILE, check_regular
from data_prep.frame_store import Checked, Problem, prepare_frames
from data_prep.video_source import check_frames

FRAMES, SIDE = 30, 64
KEY = "{}/image_aux1/encoded"
BAD_FILE = "unreadable file"
log = logging.getLogger("analogy")


@dataclass(frozen=True)
class BairSource:
    """BAIR in its official layout, as a source of the frame store. All 30 frames of every sequence are stored without loss.

    A clip is a sequence. An item is a tfrecords file, which holds many sequences.
    """

    folder: Path
    name = "bair"
    layout = "train/*.tfrecords and test/*.tfrecords"
    format = FrameFormat("raw", channels=3)

    def items(self) -> dict[str, list[Path]]:
        return {str(file.relative_to(self.folder)): [file] for split in ("train", "test") for file in self._files(split)}

    def _files(self, split: str) -> list[Path]:
        """The tfrecords files of a split. They lie in the folder itself or in its subfolder softmotion30_44k."""
        for folder in (self.folder / split, self.folder / "softmotion30_44k" / split):
            if files := visible(folder.glob("*.tfrecords")):
                return files
        raise UserError(f"{self.folder}: there is no {split}/*.tfrecords in this folder (data.folder)")

    def check(self, item: str) -> Checked:
        file = self.folder / item
        try:
            movies = read_record(file)
        except UserError as error:
            return Checked(item, problems=(Problem(item, BAD_FILE, item, error.without(file)),))
        about = {"action": "pushing", "split": file.parent.name, "length": 0, "height": 0, "width": 0}
        clips = [(Clip(f"{file.stem}_{index}", **about), frames) for index, frames in enumerate(movies)]
        return check_frames(item, clips, self.format)

    def read(self, item: str) -> Iterator[dict]:
        for movie in read_record(self.folder / item):
            for frame in movie:
                yield {"image": frame}


def read_record(path: Path) -> np.ndarray:
    """Read all N sequences of a tfrecords file: uint8 [N, 30, 64, 64, 3].

    Raises:
        UserError: the file is damaged, empty, or not of this dataset.
        OSError: the file cannot be read now.
    """
    features = {KEY.format(t): tf.io.FixedLenFeature([], tf.string) for t in range(FRAMES)}
    movies = []
    try:
        check_regular(path, largest=None)
        for raw in tf.data.TFRecordDataset(str(path)):
            parsed = tf.io.parse_single_example(raw, features)
            encoded = [parsed[KEY.format(t)].numpy() for t in range(FRAMES)]
            movies.append(np.stack([np.frombuffer(frame, np.uint8).reshape(SIDE, SIDE, 3) for frame in encoded]))
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError, ValueError) as error:
        raise UserError(f"{path}: not a file of BAIR robot pushing ({first_line(error)[:120]}); fetch it again") from error
    except OSError as error:
        if error.errno not in NO_FILE:
            raise
        raise UserError(f"{path}: not a file of BAIR robot pushing ({error.strerror}); fetch it again") from error
    except tf.errors.OpError as error:  # the file may be sound, but cannot be read now
        raise OSError(errno.EIO, first_line(error), str(path)) from error
    if not movies:
        raise UserError(f"{path}: there is no sequence in it; fetch it again")
    return np.stack(movies)


def open_bair(source: Path, cache: Path, settings) -> MovieDataset:
    """Open BAIR: all sequences of train/ and the first `data.test_count` of test/, the first k + T frames of each
    (with `data.skip`, every skip-th).

    Args:
        source: the folder of the raw dataset.
        cache: the folder of prepared data.
        settings: with `data` (a MovieDataSettings) and seed.

    Raises:
        UserError: train/ or test/ has no readable file, or k + T is more than 30 frames.
    """
    data, plan = settings.data, WindowPlan.from_settings(settings.data)
    length = int(plan.numbers(0)[-1]) + 1
    if length > FRAMES:
        skipping = f" with data.skip {data.skip}" if data.skip > 1 else ""
        raise UserError(
            f"data.context + data.horizon is {plan.length}{skipping}: sequences of BAIR have {FRAMES} frames, not {length}"
        )
    prepared = PreparedClips.open(prepare_frames(BairSource(source), cache))
    clips = sorted(prepared.clips, key=lambda clip: clip.first_record)  # training windows are drawn in this order
    train = [clip for clip in clips if clip.split == "train"]
    test = [clip for clip in clips if clip.split == "test"][: data.test_count]
    for split, clips_of_split in (("train", train), ("test", test)):
        if not clips_of_split:
            raise UserError(f"{source}: no file of {split}/ can be read; {'; '.join(prepared.doubts)}")
    log.info("bair: %d training sequences, %d test windows", len(train), len(test))
    doubts = [*prepared.doubts, *doubts_about([clip.inspection for clip in train], [clip.inspection for clip in test])]
    movies = [StoredMovie(clip.id, prepared, clip, range(length)) for clip in train]
    windows = [StoredMovie(clip.id, prepared, clip, range(length)).window(plan, 0, clip.id) for clip in test]
    movies = chosen_movies(movies, data, settings.seed)
    return MovieDataset("bair", movies, windows, plan=plan, seed=settings.seed, doubts=doubts)
