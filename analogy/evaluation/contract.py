"""The interface that evaluation needs from a predictor: a system, a set of video files, or a pipeline of several runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

from analogy.predictions.base import Predicted
from analogy.settings.published import Published


@runtime_checkable
class Predictor(Protocol):
    """Whatever predicts test clips. Every `analogy.systems.base.System` has these five members.

    pooled: whether test figures are means over all windows at once; otherwise each clip is averaged first, then the clips.
    paints: whether it predicts frames, so that metrics of frames can be computed.
    published: results that papers report for this experiment; they are shown beside ours.
    """

    @property
    def pooled(self) -> bool: ...

    @property
    def paints(self) -> bool: ...

    @property
    def published(self) -> Sequence[Published]: ...

    def predict_clips(self, dataset: Any) -> Iterator[Predicted]:
        """Predict the test clips of the dataset, one after another. Raises UserError where a clip cannot be predicted."""
        ...

    def protocol(self, dataset: Any) -> str:
        """One sentence that says what the test figures mean: data, split, clips, resolution, context, horizon."""
        ...
