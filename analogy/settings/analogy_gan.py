"""Settings of the image-analogy GAN."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from analogy.settings.sections import OptimizerSettings, Section, Settings

Weight = Annotated[float, Field(ge=0)]


class GeneratorSettings(Section):
    depth: Annotated[int, Field(ge=2, le=5)]
    width: PositiveFloat
    pose_encoder: Literal["full", "simplified", "none"]
    heatmap_sigma: PositiveFloat
    upsampling: Literal["deconvolution", "nearest", "nearest_valid"]
    skip: bool
    maxout: PositiveInt
    image_range: Literal["unit", "byte", "caffe"]
    pretrained_stages: Annotated[int, Field(ge=0, le=5)]
    pretrained_conv1_1: bool
    pretrained_weights: str
    frozen_stages: Annotated[int, Field(ge=0, le=5)]


class DiscriminatorSettings(Section):
    width: PositiveFloat
    units: PositiveInt
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
    feature_weights: str
    feature_random_conv1_1: bool
    guard: Literal["logits", "original", "combined2"]


class AnalogyGanSettings(Settings):
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
        stride = 2**self.generator.depth
        if any(side % stride for side in self.data.image_size):
            height, width = self.data.image_size
            raise ValueError(
                f"data.image_size is {height} x {width}, but an encoder of depth {self.generator.depth} halves it "
                f"{self.generator.depth} times: choose sides that are multiples of {stride}"
            )
        generator = self.generator
        for wrong, complaint in (
            (generator.skip and generator.depth < 4, "generator.skip needs generator.depth 4 or 5: it passes stage 3 by"),
            (
                generator.pose_encoder == "none" and (self.loss.latent or generator.skip or generator.pretrained_stages),
                "generator.pose_encoder none feeds the poses to the image encoder: it excludes loss.latent, "
                "generator.skip and generator.pretrained_stages",
            ),
            (
                any(round(channels * generator.width) % generator.maxout for channels in (64, 128)),
                f"generator.maxout {generator.maxout} does not divide the channels of every stage",
            ),
            (
                generator.pretrained_stages and (generator.depth == 2 or generator.width != 1),
                "generator.pretrained_stages takes VGG-16's own shapes: set generator.width 1.0 and a depth of 3 to 5",
            ),
            (
                generator.pretrained_stages > generator.depth or generator.frozen_stages > generator.pretrained_stages,
                "choose generator.frozen_stages <= generator.pretrained_stages <= generator.depth",
            ),
            (
                self.data.gray
                and (generator.image_range == "caffe" or (generator.pretrained_stages and generator.pretrained_conv1_1)),
                "data.gray leaves one channel: generator.image_range caffe and generator.pretrained_conv1_1 need three",
            ),
        ):
            if wrong:
                raise ValueError(complaint)
        return self
