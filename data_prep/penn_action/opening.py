"""Opens Penn Action, or a folder in its layout, as frames with labels, as labels alone, or as videos."""

from __future__ import annotations

import logging
from pathlib import Path

from analogy.data.clips import ClipDataset
from analogy.data.doubts import doubts_about
from analogy.data.movies import MovieDataset, chosen_movies, long_enough, spread_windows
from analogy.data.poses import PoseDataset
from analogy.data.prepared import PreparedClips
from analogy.data.windows import StoredMovie, WindowPlan
from analogy.errors import UserError
from data_prep.fitted import FittedClips
from data_prep.penn_action.poses import read_pose_clips
from data_prep.penn_action.source import prepare_penn_action

log = logging.getLogger("analogy")


def open_frames(folder: Path, cache: Path, settings) -> ClipDataset:
    """Open frames and labels; at first use they are prepared.

    Args:
        folder: holds frames/ and labels/.
        cache: the folder of prepared data.
        settings: with `data` (a FrameDataSettings) and seed.

    Raises:
        UserError: no clip is usable, or the settings name a clip that does not exist.
    """
    prepared = PreparedClips.open(prepare_penn_action(folder, cache, name=settings.data.dataset))
    return _log_counts(ClipDataset(prepared, settings.data, seed=settings.seed))


def open_poses(folder: Path, cache: Path, settings) -> PoseDataset:
    """Open labels without frames. They are read within seconds, so nothing is prepared.

    Args:
        folder: holds labels/; frames/ is not needed.
        cache: not used.
        settings: with `data` (a PoseDataSettings) and seed.

    Raises:
        UserError: no clip is usable, or the settings name a clip that does not exist.
    """
    del cache
    return _log_counts(PoseDataset(settings.data.dataset, read_pose_clips(folder), settings.data, seed=settings.seed))


def open_movies(folder: Path, cache: Path, settings) -> MovieDataset:
    """Open the videos of the official split, with the action as their class. The prepared data are those of `open_frames`.

    Args:
        folder: holds frames/ and labels/.
        cache: the folder of prepared data.
        settings: with `data` (a MovieDataSettings) and seed.

    Raises:
        UserError: no clip is usable, or none of the training or of the test half is long enough.
    """
    data, plan = settings.data, WindowPlan.from_settings(settings.data)
    prepared = PreparedClips.open(prepare_penn_action(folder, cache, name=data.dataset))
    fitted = FittedClips(prepared, data.size, data.fit)
    movies, lines = long_enough([StoredMovie(clip.id, fitted, clip, range(clip.length)) for clip in fitted.clips], plan)
    train, test = ([movie for movie in movies if movie.clip.split == split] for split in ("train", "test"))
    for split, movies_of_split in (("train", train), ("test", test)):
        if not movies_of_split:
            raise UserError(f"{folder}: no clip of {plan.length} frames belongs to the {split} half")
    doubts = [*prepared.doubts, *lines, *doubts_about(*([m.clip.inspection for m in side] for side in (train, test)))]
    train = chosen_movies(train, data, settings.seed)
    windows = spread_windows(test, plan, data.test_count, settings.seed)
    return _log_counts(MovieDataset(data.dataset, train, windows, plan=plan, seed=settings.seed, doubts=doubts))


def _log_counts(dataset):
    log.info("%s: %d train and %d test clips", dataset.name, len(dataset.train), len(dataset.test))
    return dataset
