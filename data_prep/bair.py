"""BAIR robot pushing (Ebert et al. 2017): softmotion30_44k in its official tfrecords."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from rich.progress import track

from analogy.data.doubts import doubts_about
from analogy.data.movies import Movie, MovieDataset, kept_looks
from analogy.errors import UserError
from analogy.files import remove_leftovers, replacing

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
    except (tf.errors.OpError, ValueError) as error:
        raise UserError(
            f"{path}: not a file of BAIR robot pushing ({str(error).splitlines()[0][:120]}); fetch it again"
        ) from error
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
    halves, looks = {}, {}
    remove_leftovers(cache / f"bair-{length}", older_than=3600)
    for name in ("train", "test"):
        halves[name], looks[name] = [], []
        files = _half(source, name)
        for path in track(files, f"preparing BAIR {name}", disable=not sys.stdout.isatty()):
            prepared = cache / f"bair-{length}" / name / f"{path.stem}.npy"
            if not prepared.is_file() or prepared.stat().st_mtime < path.stat().st_mtime:
                with replacing(prepared) as partial, open(partial, "wb") as file:
                    np.save(file, read_record(path, length))
            movies = np.load(prepared, mmap_mode="r")
            found = [Movie(f"{path.stem}_{index}", "pushing", frames) for index, frames in enumerate(movies)]
            halves[name] += found
            looks[name] += kept_looks(prepared, found)
            if name == "test" and len(halves[name]) >= data.test_count:
                break
    test = halves["test"][: data.test_count]
    log.info("bair: %d training sequences, %d test windows", len(halves["train"]), len(test))
    doubts = doubts_about(looks["train"], looks["test"][: len(test)])
    return MovieDataset("bair", halves["train"], test, length=length, seed=settings.seed, doubts=doubts)
