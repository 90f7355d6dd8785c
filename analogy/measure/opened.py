"""What a subject of `analogy evaluate` gives once it is opened."""

from __future__ import annotations

from typing import NamedTuple

from analogy.evaluation.contract import Predictor


class Opened(NamedTuple):
    """predictor: predicts the test clips of `dataset`. facts: for summary.json. frames_per_second: of the films."""

    predictor: Predictor
    dataset: object
    facts: dict
    frames_per_second: int
