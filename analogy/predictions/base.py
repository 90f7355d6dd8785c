"""The base class of all predictions of a test clip: of frames, poses, actions or sequences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from analogy.errors import UserError
from analogy.metrics.frames import FRAME_METRICS

PART = 256  # frames of a clip that are predicted, measured and drawn at once, so that long clips need no more memory
Metrics = Mapping[str, Callable]  # name -> function of true and predicted frames; see `analogy.metrics.frames`
Figures = dict[str, np.ndarray]  # metric -> [T] or [windows, T]; NaN where it is undefined


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """What was predicted for one test clip. Each subclass is a kind of prediction, with its own metrics and pictures.

    A long clip is predicted in parts of PART frames: they come one after another under the same name, and only the first has
    observed frames.

    clip: name of the clip.
    action: the action of the clip.
    distance: [T], of each predicted frame, how many frames it lies after the last observed frame.
    with_pictures: whether the clip's video and picture are written; otherwise the clip is only measured.
    """

    clip: str
    action: str
    distance: np.ndarray
    with_pictures: bool = True

    @property
    def length(self) -> int:
        """Number of frames that are measured."""
        return len(self.distance)

    def measure(self, metrics: Metrics = FRAME_METRICS) -> dict[str, Figures]:
        """Measure the prediction and trivial baselines.

        Args:
            metrics: metrics of frames; a prediction of another kind ignores them.

        Returns:
            method -> its figures. "prediction" comes first, then the baselines; the first baseline is the one to beat.
        """
        raise NotImplementedError

    def joined(self, parts: list[dict[str, Figures]]) -> dict[str, Figures]:
        """The figures of the whole clip, from those that `measure` gave of each of its parts."""
        return {
            method: {name: np.concatenate([np.asarray(part[method][name]) for part in parts], -1) for name in figures}
            for method, figures in parts[0].items()
        }

    def videos(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The true frames uint8 [T, H, W, C], and method -> its frames. Raises UserError where no frames are predicted."""
        raise UserError(f"{self.clip}: this run predicts no frames, which the asked metric compares")

    def motions(self) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Future poses in N windows of the clip.

        Returns:
            method -> (joints [N, T, 13, 2], visibility [N, T, 13], valid [N, T]); the method "truth" has the true poses.

        Raises:
            UserError: no poses are predicted.
        """
        raise UserError("--recogniser: this run predicts no poses; leave it out")

    def columns(self) -> list[tuple[str, np.ndarray]]:
        """The columns of the clip's video: (title, uint8 [frames, H, W, 1|3]); empty where there is no video."""
        return []

    def picture(self) -> np.ndarray | None:
        """A still picture of the prediction, uint8 [H, W, 3]; None where there is none."""
        return None


def parts_of(count: int) -> Iterator[np.ndarray]:
    """The numbers 0 .. count - 1 in parts of at most PART."""
    return (np.arange(first, min(first + PART, count)) for first in range(0, count, PART))
