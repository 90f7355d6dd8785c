"""Reads the labels of Penn Action without its frames."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from analogy.data.poses import PoseClip
from analogy.errors import UserError
from analogy.files.names import visible
from analogy.memory import count_processors
from data_prep.penn_action.labels import Labels, read_labels

log = logging.getLogger("analogy")
_EXAMPLES = 3  # faults that are logged in full


def read_pose_clips(source: Path) -> list[PoseClip]:
    """Read all files `labels/NNNN.mat` of a folder, in order. Damaged files are logged and left out; frames are not needed.

    Raises:
        UserError: no label file can be read.
    """
    files = visible((Path(source) / "labels").glob("*.mat"))
    if not files:
        raise UserError(f"{source}: there is no labels/*.mat; name the folder of Penn Action (frames/ is not needed for poses)")
    with ThreadPoolExecutor(count_processors()) as pool:
        outcomes = list(pool.map(_read, files))
    faults = [str(outcome) for outcome in outcomes if isinstance(outcome, UserError)]
    for fault in faults[:_EXAMPLES]:
        log.info("left out: %s", fault)
    if len(faults) > _EXAMPLES:
        log.info("left out: %d more", len(faults) - _EXAMPLES)
    if len(faults) == len(files):
        raise UserError(f"{source}: none of its {len(files)} label files can be read; the first: {faults[0]}")
    return [_clip(outcome) for outcome in outcomes if isinstance(outcome, Labels)]


def _read(file: Path) -> Labels | UserError:
    try:
        return read_labels(file)
    except UserError as error:
        return error


def _clip(labels: Labels) -> PoseClip:
    return PoseClip(
        id=labels.clip,
        action=labels.action,
        viewpoint=labels.viewpoint,
        split=labels.official_split,
        joints=labels.joints,
        visibility=labels.visibility,
        union_box=labels.union_box,
        width=labels.width,
        height=labels.height,
    )
