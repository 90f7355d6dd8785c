"""From an experiment's settings to the dataset it trains on: prepared once, then opened."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from analogy.errors import UserError
from analogy.settings.sections import FrameDataSettings, Settings
from analogy.systems.seq2seq.settings import MovieDataSettings, SequenceDataSettings

log = logging.getLogger("analogy")


def open_dataset(settings: Settings):
    """The dataset that `settings.data` describes: a ClipDataset where frames of people are needed, a PoseDataset of their
    labels, a SequenceDataset, or a dataset of movies.

    Raises UserError.
    """
    if isinstance(settings.data, SequenceDataSettings):
        return _open_sequences(settings)
    if isinstance(settings.data, MovieDataSettings):
        return _open_movies(settings)
    data, cache = settings.data, cache_folder(settings.data.cache)
    source = Path(data.folder) if data.folder else synthetic_actors(cache)
    clips = (_open_clips if isinstance(data, FrameDataSettings) else _open_poses)(source, cache, settings)
    log.info("%s: %d train and %d test clips", data.dataset, len(clips.train), len(clips.test))
    return clips


def cache_folder(given: str | None = None) -> Path:
    """Where prepared data lie: the given folder, $ANALOGY_CACHE, or ~/.cache/analogy."""
    return Path(given or os.environ.get("ANALOGY_CACHE") or Path.home() / ".cache" / "analogy").expanduser()


def synthetic_actors(cache: Path) -> Path:
    """The folder of synthetic_actors, in Penn Action's layout; rendered into the cache once."""
    from data_prep.synthetic_actors import VERSION, write_synthetic_actors

    source = cache / "synthetic_actors" / f"version-{VERSION}-seed-0"
    if not source.exists():
        log.info("rendering synthetic_actors into %s", source)
        write_synthetic_actors(source)
    return source


def _open_clips(source: Path, cache: Path, settings: Settings):
    from analogy.data.clips import ClipDataset
    from analogy.data.prepared import PreparedClips
    from data_prep.penn_action import prepare_penn_action

    prepared = PreparedClips.open(prepare_penn_action(source, cache / "prepared", name=settings.data.dataset))
    return ClipDataset(prepared, settings.data, seed=settings.seed)


def _open_poses(source: Path, cache: Path, settings: Settings):
    from analogy.data.poses import PoseDataset
    from data_prep.penn_action.poses import read_pose_clips

    del cache  # labels are read in seconds: there is nothing to prepare
    return PoseDataset(settings.data.dataset, read_pose_clips(source), settings.data, seed=settings.seed)


def _open_sequences(settings: Settings):
    from analogy.data.sequences import SequenceDataset
    from data_prep import sequences

    data, notes = settings.data, ""
    if data.dataset == "stocks":
        train, test, notes = sequences.read_stocks(Path(data.folder), data.split)
    else:
        make = {"sines": sequences.make_sines, "noise": sequences.make_noise}[data.dataset]
        values = make(data.train_count + data.test_count, settings.seed)
        train, test = values[: data.train_count], values[data.train_count :]
    length = data.context + data.horizon
    log.info("%s: %d training and %d test sequences", data.dataset, len(train), len(test))
    return SequenceDataset(
        data.dataset, train[:, :length], test[:, :length], groups_of=data.groups_of, seed=settings.seed, notes=notes
    )


def _open_movies(settings: Settings):
    data = settings.data
    folder = Path(data.folder) if data.folder else None
    if data.dataset == "moving_mnist":
        return _open_moving_digits(settings, folder)
    prepared = cache_folder(data.cache) / "prepared"
    if data.dataset == "kth":
        from data_prep.kth import open_kth

        return open_kth(folder, prepared, settings)
    from data_prep.bair import open_bair

    return open_bair(folder, prepared, settings)


def _open_moving_digits(settings: Settings, folder: Path | None):
    import numpy as np

    from analogy.data.movies import MovingDigits, draw_digits
    from data_prep.moving_mnist import STANDARD_TEST, fetch_digits, read_digits, read_standard_test

    data, length = settings.data, settings.data.context + settings.data.horizon
    train, digits, notes = read_digits(folder) if folder or settings.scale == "demo" else fetch_digits()
    notes += {"published": "; they move as in the report", "standard": "; they move as in the standard set"}[data.split]
    has_test = folder is not None and (folder / STANDARD_TEST).is_file()
    if has_test and data.split != "standard":
        log.info("%s is not used: it is the test of --set data.split=standard", folder / STANDARD_TEST)
    if has_test and data.split == "standard":
        movies, notes = read_standard_test(folder / STANDARD_TEST), f"{notes}; tested on {STANDARD_TEST}"
        if movies.shape[1] < length:
            raise UserError(
                f"{folder / STANDARD_TEST} has {movies.shape[1]} frames a movie, data.context + data.horizon is {length}: "
                "lower them, or take the file out of the folder and test on movies that are drawn"
            )
        test = movies[: data.test_count, :length]
    else:
        drawn = draw_digits(digits, data.split, np.array([settings.seed, -2]), data.test_count, length)
        test = np.rint(255.0 * drawn.numpy()).astype(np.uint8)
    log.info("moving_mnist: %s; %d training digits, %d test movies", notes, len(train), len(test))
    return MovingDigits(train, test, motion=data.split, length=length, seed=settings.seed, notes=notes)
