"""Settings of the image-analogy GAN. configs/analogy_base.yaml explains every key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, model_validator

from analogy.settings.sections import OptimizerSettings, PainterSettings, Section
from analogy.settings.values import Units, Vgg16Weights, WidthFactor, vgg16_files

Weight = Annotated[float, Field(ge=0)]


class GeneratorSettings(Section):
    depth: Annotated[int, Field(ge=2, le=5)]
    width: WidthFactor
    pose_encoder: Literal["full", "simplified", "none"]
    heatmap_sigma: PositiveFloat
    upsampling: Literal["deconvolution", "nearest", "nearest_valid"]
    skip: bool
    maxout: Units
    image_range: Literal["unit", "byte", "caffe"]
    pretrained_stages: Annotated[int, Field(ge=0, le=5)]
    pretrained_conv1_1: bool
    pretrained_weights: Vgg16Weights
    frozen_stages: Annotated[int, Field(ge=0, le=5)]

    def files(self) -> Iterator[tuple[str, str]]:
        if self.pretrained_stages:
            yield from vgg16_files("pretrained_weights", self.pretrained_weights)


class DiscriminatorSettings(Section):
    width: WidthFactor
    units: Units
    dropout: Annotated[float, Field(ge=0, lt=1)]


class LossSettings(Section):
    l2: Weight
    l2_domain: Literal["unit", "byte"]
    adversarial: Weight
    image_adversarial: Weight
    real: Weight
    generated: Weight
    mismatch: Weight
    latent: Weight
    latent_relative: bool
    feature: Weight
    feature_weights: Vgg16Weights
    feature_random_conv1_1: bool
    guard: Literal["logits", "original", "combined2"]

    def files(self) -> Iterator[tuple[str, str]]:
        if self.feature:
            yield from vgg16_files("feature_weights", self.feature_weights)


class AnalogyGanSettings(PainterSettings):
    networks = ("generator", "discriminator")
    system: Literal["analogy_gan"]
    generator: GeneratorSettings
    discriminator: DiscriminatorSettings
    loss: LossSettings
    generator_optimizer: OptimizerSettings
    discriminator_optimizer: OptimizerSettings
    image_discriminator_optimizer: OptimizerSettings
    update: Literal["fused", "alternating"]

    @model_validator(mode="after")
    def _consistent(self) -> AnalogyGanSettings:
        for complaint in self._complaints():
            raise ValueError(complaint)
        return self

    def _complaints(self) -> Iterator[str]:
        """One message for each combination of settings that cannot be built, with what to change."""
        data, generator = self.data, self.generator
        stride = 2**generator.depth
        if any(side % stride for side in data.image_size):
            height, width = data.image_size
            yield (
                f"data.image_size is {height} x {width}, but an encoder of depth {generator.depth} halves it "
                f"{generator.depth} times: choose sides that are multiples of {stride}"
            )
        if generator.upsampling == "nearest_valid" and min(data.image_size) < 2 * stride:
            yield f"generator.upsampling nearest_valid needs data.image_size {2 * stride} or more at depth {generator.depth}"
        if generator.skip and generator.depth < 4:
            yield "generator.skip needs generator.depth 4 or 5: it passes stage 3 by"
        if generator.pose_encoder == "none" and (self.loss.latent or generator.skip or generator.pretrained_stages):
            yield (
                "generator.pose_encoder none feeds the poses to the image encoder: it excludes loss.latent, "
                "generator.skip and generator.pretrained_stages"
            )
        for name, width in (("generator", generator.width), ("discriminator", self.discriminator.width)):
            if round(64 * width) < 1 or round(64 * width) % generator.maxout:
                yield (
                    f"{name}.width {width} leaves {round(64 * width)} channels in the first stage: they must be at least 1, "
                    f"and divisible by generator.maxout {generator.maxout}"
                )
        if generator.pretrained_stages and (generator.depth == 2 or generator.width != 1):
            yield "generator.pretrained_stages takes VGG-16's own shapes: set generator.width 1.0 and a depth of 3 to 5"
        if not generator.frozen_stages <= generator.pretrained_stages <= generator.depth:
            yield "choose generator.frozen_stages <= generator.pretrained_stages <= generator.depth"
        if data.gray and (generator.image_range == "caffe" or (generator.pretrained_stages and generator.pretrained_conv1_1)):
            yield "data.gray leaves one channel: generator.image_range caffe and generator.pretrained_conv1_1 need three"
