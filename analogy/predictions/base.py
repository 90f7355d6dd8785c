"""What is asked of every prediction of a test clip, whatever was predicted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from analogy.errors import UserError
from analogy.metrics.frames import FRAME_METRICS
from analogy.visualise.panels import heatmap_picture


def picture(image: np.ndarray) -> np.ndarray:
    """uint8 images pass; float heatmaps [H, W, J] in 0..1 become colours."""
    return image if image.dtype == np.uint8 else heatmap_picture(image)


@dataclass(frozen=True)
class Predicted:
    """clip, action: its name and what is done in it. distance: [T] frames since the last observed one."""

    clip: str
    action: str
    distance: np.ndarray

    @property
    def length(self) -> int:
        """How many frames were predicted."""
        return len(self.distance)

    def measure(self, metrics: Mapping[str, Callable] = FRAME_METRICS) -> dict[str, dict[str, np.ndarray]]:
        """method -> metric -> [T] or [windows, T], NaN where it is undefined: first "prediction", then the trivial baselines,
        of which the first is the one to beat. metrics: of frames, where frames are predicted."""
        raise NotImplementedError

    def videos(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The true frames [T, H, W, C], and those of every method of `measure`. Raises UserError where none are predicted."""
        raise UserError(f"{self.clip}: this run predicts no frames, which the asked metric compares")

    def motions(self) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """method -> future joints [N, T, 13, 2], which of them it knows [N, T, 13], and valid [N, T]; the truth among them.
        Raises UserError where no poses are predicted."""
        raise UserError(f"{self.clip}: this run predicts no poses, which a recogniser reads")

    def columns(self) -> list[tuple[str, np.ndarray]]:
        """The video's columns: (title, uint8 [frames, H, W, 1|3]); none where the clip is measured but not shown."""
        return []

    def picture(self) -> np.ndarray | None:
        """uint8 [H, W, 3], of what is no video, or of a video's frames beside each other; or None."""
        return None
