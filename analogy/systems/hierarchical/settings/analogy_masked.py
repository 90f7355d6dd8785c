"""Settings of the masked analogy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from analogy.settings.sections import OptimizerSettings, PainterSettings, PositiveInt, Section


class MaskedGeneratorSettings(Section):
    widths: Annotated[list[PositiveInt], Field(min_length=1)]
    work_size: Annotated[int, Field(ge=32)]
    heatmap_sigma: PositiveFloat


class MaskedLossSettings(Section):
    error: NonNegativeFloat
    dissimilarity: NonNegativeFloat


class AugmentationSettings(Section):
    """How far each change may go; 0 leaves it out.

    rotation: degrees. zoom, stretch: natural logarithm of the scale (of both axes, of each). shift: share of the side.
    colour: 1 is strong: channels in another order, gamma, saturation, contrast, brightness.
    exchange_sides: in half of the pairs left joints become right ones and the reverse, which nothing in the image tells from a
    label that means the image's side in one dataset and the person's in another.
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
