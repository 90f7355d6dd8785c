"""Settings of the masked analogy. configs/analogy_masked.yaml explains every key."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from analogy.settings.sections import ImageAugmentationSettings, LossSection, OptimizerSettings, PainterSettings, Section
from analogy.settings.values import Units


class MaskedGeneratorSettings(Section):
    widths: Annotated[list[Units], Field(min_length=1)]
    work_size: Annotated[int, Field(ge=32, le=4096)]
    heatmap_sigma: PositiveFloat


class MaskedLossSettings(LossSection):
    needed = ("error", "dissimilarity")

    error: NonNegativeFloat
    dissimilarity: NonNegativeFloat


class AugmentationSettings(ImageAugmentationSettings):
    """exchange_sides: exchange left and right joints in half of the pairs, because "left" means the image's left in the labels
    of some datasets, and the person's left in others."""

    exchange_sides: bool


class AnalogyMaskedSettings(PainterSettings):
    networks = ("generator",)
    system: Literal["analogy_masked"]
    generator: MaskedGeneratorSettings
    loss: MaskedLossSettings
    augmentation: AugmentationSettings
    generator_optimizer: OptimizerSettings

    @model_validator(mode="after")
    def _consistent(self) -> AnalogyMaskedSettings:
        stride = 2 ** len(self.generator.widths)
        if self.generator.work_size % stride:
            raise ValueError(f"generator.work_size is halved {len(self.generator.widths)} times: choose a multiple of {stride}")
        return self
