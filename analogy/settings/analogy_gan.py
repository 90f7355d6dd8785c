"""Settings of the image-analogy GAN."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from analogy.settings.sections import Section, Settings

Weight = Annotated[float, Field(ge=0)]


class GeneratorSettings(Section):
    depth: Annotated[int, Field(ge=2, le=5)]
    width: PositiveFloat
    pose_encoder: Literal["full", "simplified"]
    heatmap_sigma: PositiveFloat


class DiscriminatorSettings(Section):
    width: PositiveFloat
    units: PositiveInt
    dropout: Annotated[float, Field(ge=0, lt=1)]


class LossSettings(Section):
    l2: Weight
    l2_domain: Literal["unit", "byte"]
    adversarial: Weight
    real: Weight
    generated: Weight
    mismatch: Weight
    latent: Weight
    latent_relative: bool
    feature: Weight
    feature_weights: str | None
    guard: Literal["logits", "original", "combined2"]


class OptimizerSettings(Section):
    name: Literal["adam", "sgd"]
    learning_rate: PositiveFloat
    beta_1: Annotated[float, Field(ge=0, lt=1)]
    beta_2: Annotated[float, Field(ge=0, lt=1)]
    epsilon: PositiveFloat
    decay: Annotated[float, Field(gt=0, le=1)]
    decay_steps: PositiveInt


class AnalogyGanSettings(Settings):
    system: Literal["analogy_gan"]
    generator: GeneratorSettings
    discriminator: DiscriminatorSettings
    loss: LossSettings
    generator_optimizer: OptimizerSettings
    discriminator_optimizer: OptimizerSettings
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
        if self.loss.feature and not self.loss.feature_weights:
            raise ValueError(
                "loss.feature is above 0 and needs loss.feature_weights: "
                "the path of a VGG-16 ImageNet weight file (Caffe-order vgg16.npy)"
            )
        return self
