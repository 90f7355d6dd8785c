"""Opens Penn Action, or a folder in its layout, as frames with labels or as labels alone."""

from __future__ import annotations

import logging
from pathlib import Path

from analogy.data.clips import ClipDataset
from analogy.data.poses import PoseDataset
from analogy.data.prepared import PreparedClips
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


def _log_counts(dataset):
    log.info("%s: %d train and %d test clips", dataset.name, len(dataset.train), len(dataset.test))
    return dataset
