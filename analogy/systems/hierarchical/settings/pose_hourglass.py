"""Settings of the pose estimator. configs/pose_hourglass.yaml explains every key."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, model_validator

from analogy.settings.sections import OptimizerSettings, PainterSettings, Section
from analogy.settings.values import Layers
from analogy.systems.hierarchical.settings.analogy_masked import AugmentationSettings


class HourglassSettings(Section):
    channels: Annotated[int, Field(ge=16, multiple_of=16, le=65_536)]
    stacks: Layers
    depth: Layers
    stride: Literal[2, 4]
    heatmap_sigma: PositiveFloat


class PoseHourglassSettings(PainterSettings):
    system: Literal["pose_hourglass"]
    network: HourglassSettings
    augmentation: AugmentationSettings
    optimizer: OptimizerSettings

    @model_validator(mode="after")
    def _divisible(self) -> PoseHourglassSettings:
        stride = self.network.stride * 2**self.network.depth
        if any(side % stride for side in self.data.image_size):
            raise ValueError(f"data.image_size must be a multiple of network.stride x 2^network.depth = {stride}")
        return self
