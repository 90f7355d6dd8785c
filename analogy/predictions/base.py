"""What is asked of every prediction of a test clip, whatever was predicted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from analogy.errors import UserError
from analogy.metrics.frames import FRAME_METRICS

Metrics = Mapping[str, Callable]  # name -> function of true and predicted frames; see `analogy.metrics.frames`
Figures = dict[str, np.ndarray]  # metric -> [T] or [windows, T], NaN where it is undefined


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """What a system predicted of one test clip. A subclass is a kind of prediction: it measures itself and draws itself.

    clip, action: the clip's name and what is done in it. distance: [T] frames since the last observed one.
    drawn: its video and picture are written; else it is measured only.
    """

    clip: str
    action: str
    distance: np.ndarray
    drawn: bool = True

    @property
    def length(self) -> int:
        """How many frames count for the figures."""
        return len(self.distance)

    def measure(self, metrics: Metrics = FRAME_METRICS) -> dict[str, Figures]:
        """The figures of each method: first "prediction", then the trivial baselines, of which the first is the one to beat.

        metrics: of frames; only predicted frames are measured by them.
        """
        raise NotImplementedError

    def videos(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The true frames uint8 [T, H, W, C], and those of every method. Raises UserError where none are predicted."""
        raise UserError(f"{self.clip}: this run predicts no frames, which the asked metric compares")

    def motions(self) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """method -> future joints [N, T, 13, 2], which of them it knows [N, T, 13], and valid [N, T]; the truth among them.
        Raises UserError where no poses are predicted."""
        raise UserError(f"{self.clip}: this run predicts no poses, which a recogniser reads")

    def columns(self) -> list[tuple[str, np.ndarray]]:
        """The video's columns: (title, uint8 [frames, H, W, 1|3]); none where there is no video."""
        return []

    def picture(self) -> np.ndarray | None:
        """uint8 [H, W, 3], of what is no video, or of a video's frames beside each other; None where there is no picture."""
        return None
