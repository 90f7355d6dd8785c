"""Penn Action, or a folder in its layout, opened as frames with labels or as labels alone."""

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
    """Frames and labels, prepared once.

    Args:
        folder: with frames/ and labels/. cache: where prepared data lie. settings: with `data` (a FrameDataSettings) and seed.

    Raises:
        UserError: no clip is usable, or one is named that is not there.
    """
    prepared = PreparedClips.open(prepare_penn_action(folder, cache, name=settings.data.dataset))
    return _told(ClipDataset(prepared, settings.data, seed=settings.seed))


def open_poses(folder: Path, cache: Path, settings) -> PoseDataset:
    """Labels alone: they are read in seconds, so that there is nothing to prepare.

    Args:
        folder: with labels/; frames/ is not needed. settings: with `data` (a PoseDataSettings) and seed.

    Raises:
        UserError: no clip is left, or one is named that is not there.
    """
    del cache
    return _told(PoseDataset(settings.data.dataset, read_pose_clips(folder), settings.data, seed=settings.seed))


def _told(dataset):
    log.info("%s: %d train and %d test clips", dataset.name, len(dataset.train), len(dataset.test))
    return dataset
