"""Checks of a dataset. What looks wrong is reported before training."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

MOSTLY = 0.5  # share of joints outside the frame above which a clip is doubtful
DARKEST = 16  # out of 255; a frame whose values are all lower is black
_EXAMPLES = 5  # the number of clips that a doubt names


@dataclass(frozen=True)
class Inspection:
    """The facts about one clip that the checks need.

    fingerprint: a hash, equal for clips with equal content; "" if unknown. joints_outside: share of the visible joints that lie
    outside the frame, 0..1. black_frames, unlabelled_frames: numbers of frames.
    """

    id: str
    action: str
    fingerprint: str
    joints_outside: float = 0.0
    black_frames: int = 0
    unlabelled_frames: int = 0


def fingerprint(parts: Iterable[bytes]) -> str:
    """A short hash of the content in `parts`."""
    digest = hashlib.blake2b(digest_size=12)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def share_outside(joints: np.ndarray, visibility: np.ndarray, width: int, height: int) -> float:
    """The share of the visible joints that lie outside a frame of width x height pixels; 0 if no joint is visible.

    joints: [..., 13, 2], x then y in pixels. visibility: [..., 13], 1 or 0.
    """
    x, y = joints[..., 0], joints[..., 1]
    # A tolerance of a pixel: coordinates may count from 0 or from 1, and labels may lie a little beyond the border.
    outside = (x < -1) | (y < -1) | (x > width + 1) | (y > height + 1)
    visible = visibility > 0
    return float(outside[visible].mean()) if visible.any() else 0.0


def count_black(frames: np.ndarray) -> int:
    """The number of black frames. frames: uint8 [T, H, W, C]."""
    return int((frames.max(axis=(1, 2, 3)) < DARKEST).sum())


def doubts_about(train: Sequence[Inspection], test: Sequence[Inspection], *, user_selection: bool = False) -> list[str]:
    """One line for each thing that looks wrong; it names the clips.

    user_selection: the settings name the training or test clips. Then it is no fault if an action is missing in one of them.
    """
    clips = [*train, *test]

    def about(wrong: Callable[[Inspection], bool], what: str) -> list[str]:
        doubtful = [clip.id for clip in clips if wrong(clip)]
        return [f"{len(doubtful)} of {len(clips)} clips {what}: {some(doubtful)}"] if doubtful else []

    return [
        *about(
            lambda clip: clip.joints_outside > MOSTLY,
            "have most of their visible joints outside the frame (x and y exchanged, or labels of another resolution?)",
        ),
        *about(lambda clip: clip.black_frames > 0, "have black frames"),
        *about(lambda clip: clip.unlabelled_frames > 0, "have more frames than labels (the rest is not used)"),
        *_shared(train, test),
        *([] if user_selection else _one_sided(train, test)),
    ]


def doubts_about_selected(train: Sequence, test: Sequence, settings) -> list[str]:
    """`doubts_about` for clips with an `inspection`. settings: has train_clips and test_clips."""
    inspections = ([clip.inspection for clip in clips] for clips in (train, test))
    user_selection = settings.train_clips is not None or settings.test_clips is not None
    return doubts_about(*inspections, user_selection=user_selection)


def _shared(train: Sequence[Inspection], test: Sequence[Inspection]) -> list[str]:
    """A line about test clips with the content of a training clip."""
    trained = {clip.fingerprint: clip.id for clip in train if clip.fingerprint}
    shared = [f"{trained[clip.fingerprint]} = {clip.id}" for clip in test if clip.fingerprint in trained]
    if not shared:
        return []
    what = f"{len(shared)} of {len(test)} test clips are also trained on, so the test figures are too good"
    return [f"{what} (training clip = test clip): {some(shared)}"]


def _one_sided(train: Sequence[Inspection], test: Sequence[Inspection]) -> list[str]:
    """A line about actions that only the training clips or only the test clips have."""
    trained, tested = ({clip.action for clip in clips} for clips in (train, test))
    sides = ((tested - trained, "no training clip, only test clips"), (trained - tested, "no test clip, only training clips"))
    return [f"{what}, of: {some(sorted(missing))}" for missing, what in sides if missing]


def some(names: Sequence[str]) -> str:
    """The first names as a text, and the number of the remaining ones."""
    return ", ".join(names[:_EXAMPLES]) + f" and {len(names) - _EXAMPLES} more" * (len(names) > _EXAMPLES)
