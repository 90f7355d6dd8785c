"""Settings of the masked analogy. configs/analogy_masked.yaml explains every key."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from analogy.settings.sections import OptimizerSettings, PainterSettings, Section
from analogy.settings.values import Units


class MaskedGeneratorSettings(Section):
    widths: Annotated[list[Units], Field(min_length=1)]
    work_size: Annotated[int, Field(ge=32, le=4096)]
    heatmap_sigma: PositiveFloat


class MaskedLossSettings(Section):
    error: NonNegativeFloat
    dissimilarity: NonNegativeFloat


class AugmentationSettings(Section):
    """The largest random change of each kind; 0 leaves it out.

    rotation: degrees. zoom: natural logarithm of the scale of both axes; stretch: of each axis separately. shift: share of the
    image's side. colour: strength of the changes of channel order, gamma, saturation, contrast and brightness; 1 is strong.
    exchange_sides: exchange left and right joints in half of the pairs, because "left" means the image's left in the labels of
    some datasets, and the person's left in others.
    """

    rotation: Annotated[float, Field(ge=0, le=180)]
    zoom: Annotated[float, Field(ge=0, le=1)]
    stretch: Annotated[float, Field(ge=0, le=1)]
    shift: Annotated[float, Field(ge=0, le=0.5)]
    colour: Annotated[float, Field(ge=0, le=1)]
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
        if not (self.loss.error or self.loss.dissimilarity):
            raise ValueError("loss.error and loss.dissimilarity are both 0: nothing would be learned")
        return self
