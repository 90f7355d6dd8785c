"""What looks wrong in a dataset, said before anyone trains on it for a week."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

MOSTLY = 0.5
DARKEST = 16  # of 255; a frame without any brighter value is black
_EXAMPLES = 5  # clips named per doubt


@dataclass(frozen=True)
class Look:
    """What is asked of one clip.

    fingerprint: equal for clips of equal content; "" is not known. joints_outside: share of its visible joints outside the
    frame, 0..1. black_frames, unlabelled_frames: how many it has.
    """

    id: str
    action: str
    fingerprint: str
    joints_outside: float = 0.0
    black_frames: int = 0
    unlabelled_frames: int = 0


def fingerprint(parts: Iterable[bytes]) -> str:
    """A short hash of content."""
    digest = hashlib.blake2b(digest_size=12)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def share_outside(joints: np.ndarray, visibility: np.ndarray, width: int, height: int) -> float:
    """Share of the visible joints [..., 13, 2] that lie outside a frame of width x height pixels; 0 where none is visible."""
    x, y = joints[..., 0], joints[..., 1]
    # Coordinates count from 0 or from 1, and a joint may be labelled a little beyond the border.
    outside = (x < -1) | (y < -1) | (x > width + 1) | (y > height + 1)
    seen = visibility > 0
    return float(outside[seen].mean()) if seen.any() else 0.0


def count_black(frames: np.ndarray) -> int:
    """How many of uint8 frames [T, H, W, C] are black."""
    return int((frames.max(axis=(1, 2, 3)) < DARKEST).sum())


def doubts_about(train: Sequence[Look], test: Sequence[Look], *, chosen: bool = False) -> list[str]:
    """One line for each thing that looks wrong, with the clips it is about. chosen: somebody has named the clips of a half,
    which then need not have every action."""
    everything = [*train, *test]

    def about(wrong: Callable[[Look], bool], what: str) -> list[str]:
        found = [look.id for look in everything if wrong(look)]
        return [f"{len(found)} of {len(everything)} clips {what}: {some(found)}"] if found else []

    return [
        *about(
            lambda look: look.joints_outside > MOSTLY,
            "have most of their visible joints outside the frame (x and y exchanged, or labels of another resolution?)",
        ),
        *about(lambda look: look.black_frames > 0, "have black frames"),
        *about(lambda look: look.unlabelled_frames > 0, "have more frames than labels (the rest is not used)"),
        *_shared(train, test),
        *([] if chosen else _one_sided(train, test)),
    ]


def doubts_about_selected(train: Sequence, test: Sequence, settings) -> list[str]:
    """`doubts_about` clips that have a `look`, of halves that `settings.train_clips` and `settings.test_clips` may name."""
    looks = ([clip.look for clip in half] for half in (train, test))
    return doubts_about(*looks, chosen=settings.train_clips is not None or settings.test_clips is not None)


def _shared(train: Sequence[Look], test: Sequence[Look]) -> list[str]:
    trained = {look.fingerprint: look.id for look in train if look.fingerprint}
    shared = [f"{trained[look.fingerprint]} = {look.id}" for look in test if look.fingerprint in trained]
    if not shared:
        return []
    what = f"{len(shared)} of {len(test)} test clips are also trained on, so the test figures are too good"
    return [f"{what} (training clip = test clip): {some(shared)}"]


def _one_sided(train: Sequence[Look], test: Sequence[Look]) -> list[str]:
    trained, tested = ({look.action for look in half} for half in (train, test))
    sides = ((tested - trained, "no training clip, only test clips"), (trained - tested, "no test clip, only training clips"))
    return [f"{what}, of: {some(sorted(missing))}" for missing, what in sides if missing]


def some(names: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    return ", ".join(names[:_EXAMPLES]) + f" and {len(names) - _EXAMPLES} more" * (len(names) > _EXAMPLES)
