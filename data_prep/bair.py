"""BAIR robot pushing (Ebert et al. 2017): softmotion30_44k in its official tfrecords."""

from __future__ import annotations

import errno
import logging
from pathlib import Path

import numpy as np
import tensorflow as tf

from analogy.data.doubts import doubts_about
from analogy.data.movie_files import open_movies
from analogy.data.movies import Movie, MovieDataset
from analogy.errors import UserError

FRAMES, SIDE = 30, 64
KEY = "{}/image_aux1/encoded"
log = logging.getLogger("analogy")


def _half(source: Path, name: str) -> list[Path]:
    """The files of a half, below `source` or its folder softmotion30_44k."""
    for folder in (source / name, source / "softmotion30_44k" / name):
        if files := sorted(folder.glob("*.tfrecords")):
            return files
    raise UserError(f"{source}: there is no {name}/*.tfrecords in this folder (data.folder)")


def read_record(path: Path, frames: int) -> np.ndarray:
    """The first frames of every sequence of a file: uint8 [N, frames, 64, 64, 3]. Raises UserError."""
    features = {KEY.format(t): tf.io.FixedLenFeature([], tf.string) for t in range(frames)}
    movies = []
    try:
        for raw in tf.data.TFRecordDataset(str(path)):
            parsed = tf.io.parse_single_example(raw, features)
            encoded = [parsed[KEY.format(t)].numpy() for t in range(frames)]
            movies.append(np.stack([np.frombuffer(one, np.uint8).reshape(SIDE, SIDE, 3) for one in encoded]))
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError, ValueError) as error:
        raise UserError(
            f"{path}: not a file of BAIR robot pushing ({str(error).splitlines()[0][:120]}); fetch it again"
        ) from error
    except tf.errors.OpError as error:  # it may be whole
        raise OSError(errno.EIO, str(error).splitlines()[0], str(path)) from error
    if not movies:
        raise UserError(f"{path}: there is no sequence in it; fetch it again")
    return np.stack(movies)


def open_bair(source: Path, cache: Path, settings) -> MovieDataset:
    """All sequences of train/ and the first `test_count` of test/, their first k + T frames; prepared once.

    Raises:
        UserError: a half is missing, or a file is damaged.
    """
    data, length = settings.data, settings.data.context + settings.data.horizon
    if length > FRAMES:
        raise UserError(f"data.context + data.horizon is {length}: sequences of BAIR have {FRAMES} frames")

    def read(path: Path) -> tuple[list[Movie], list[str]]:
        movies = [Movie(f"{path.stem}_{index}", "pushing", frames) for index, frames in enumerate(read_record(path, length))]
        return movies, []

    folder = cache / f"bair-{length}"
    train = open_movies(_half(source, "train"), folder / "train", read)
    test = open_movies(_half(source, "test"), folder / "test", read, enough=data.test_count)
    tested = test.movies[: data.test_count]
    log.info("bair: %d training sequences, %d test windows", len(train.movies), len(tested))
    doubts = [*train.doubts, *test.doubts, *doubts_about(train.looks, test.looks[: len(tested)])]
    return MovieDataset("bair", train.movies, tested, length=length, seed=settings.seed, doubts=doubts)
