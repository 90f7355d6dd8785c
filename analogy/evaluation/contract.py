"""What evaluation asks of whatever predicted: a system, anybody's videos, or a pipeline of several runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

from analogy.predictions.base import Predicted
from analogy.settings.published import Published


@runtime_checkable
class Predictor(Protocol):
    """Five members. Every `analogy.systems.base.System` has them.

    pooled: test figures are means over all windows at once, not over clips.
    paints: it predicts frames, which any metric of frames can measure.
    published: what papers report under the same protocol, shown beside ours.
    """

    @property
    def pooled(self) -> bool: ...

    @property
    def paints(self) -> bool: ...

    @property
    def published(self) -> Sequence[Published]: ...

    def predict_clips(self, dataset: Any) -> Iterator[Predicted]:
        """The test clips of the dataset, each predicted whole. Raises UserError for a clip that cannot be."""
        ...

    def protocol(self, dataset: Any) -> str:
        """One sentence that says what the test figures mean: data, split, clips, resolution, context, horizon."""
        ...
