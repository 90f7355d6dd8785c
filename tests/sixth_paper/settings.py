"""The settings of the sixth paper: what its YAML may say."""

from __future__ import annotations

from typing import Literal

from analogy.settings.sections import DatasetSettings, OptimizerSettings, Settings
from analogy.settings.values import PositiveInt


class SquaresSettings(DatasetSettings):
    """Videos of a square that drifts to the right: `count` of them to train on, and as many to test."""

    kind = "drifting_squares"
    context: PositiveInt
    horizon: PositiveInt
    count: PositiveInt


class OneConvolutionSettings(Settings):
    system: Literal["one_convolution", "refined_convolution"]
    data: SquaresSettings
    optimizer: OptimizerSettings
