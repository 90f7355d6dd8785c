"""Settings of the keypoint systems. configs/keypoints_base.yaml and keypoints_plus.yaml explain every key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from analogy.settings.sections import (
    FrameDataSettings,
    ImageAugmentationSettings,
    LossSection,
    OptimizerSettings,
    PainterEvaluationSettings,
    Section,
    Settings,
)
from analogy.settings.values import ExampleCount, FrameCount, NonNegativeInt, Units, Vgg16Weights, WidthFactor, vgg16_files

TRANSLATORS, GENERATORS = ("keypoints_plus", "keypoints_translator"), ("keypoints_flow", "keypoints_motion")  # of motion
Momentum = Annotated[float, Field(ge=0, lt=1)]
Keypoints = Annotated[int, Field(ge=1, le=1000)]


class KeypointDataSettings(FrameDataSettings):
    """Frames of clips, with labels or without: joints are only used to measure.

    test_persons: of Weizmann, the persons that test; null: the last two.
    """

    kind = "pairs"
    test_persons: list[NonNegativeInt] | None = None


class TranslatorNetworkSettings(Section):
    """keypoints: K. width: multiplier of all channels. norm_momentum: the share of the running statistics of batch
    normalisation that stays at each step."""

    keypoints: Keypoints
    width: WidthFactor
    softmax: Literal["marginals", "pixels"]
    map_sharpness: PositiveFloat
    resize: Literal["half_pixel", "legacy"]
    reference_keypoints: bool
    mask: bool
    norm_momentum: Momentum


class DiscriminatorSettings(Section):
    width: WidthFactor


class KeypointAugmentationSettings(Section):
    """Changes of training pairs, the same for both frames. rotation: the largest angle, in degrees. filters: whether one of ten
    filters of colour or sharpness is drawn."""

    rotation: Annotated[float, Field(ge=0, le=180)]
    filters: bool


class TranslatorLossSettings(LossSection):
    """The weights of the terms; 0 leaves a term out. perceptual_weights: the network of the perceptual term."""

    needed = ("perceptual", "l1", "dssim")

    perceptual: NonNegativeFloat
    perceptual_weights: Vgg16Weights
    l1: NonNegativeFloat
    dssim: NonNegativeFloat
    adversarial: NonNegativeFloat

    def files(self) -> Iterator[tuple[str, str]]:
        if self.perceptual:
            yield from vgg16_files("perceptual_weights", self.perceptual_weights)


class TranslationSettings(Settings):
    """What both translators share. regression_frames: of each training clip, the number of frames with which the regression
    from keypoints to joints is fitted, which measures the keypoints."""

    data: KeypointDataSettings
    regression_frames: FrameCount
    evaluation: PainterEvaluationSettings

    @model_validator(mode="after")
    def _halved_three_times(self) -> TranslationSettings:
        if any(side % 8 for side in self.data.image_size):
            fitting = [max(2, round(side / 8)) * 8 for side in self.data.image_size]
            raise ValueError(
                f"data.image_size is {list(self.data.image_size)}: the networks halve frames three times; choose multiples of "
                f"8, such as {fitting}"
            )
        return self


class TranslatorSettings(TranslationSettings):
    networks = ("network", "discriminator")

    system: Literal["keypoints_translator"]
    network: TranslatorNetworkSettings
    discriminator: DiscriminatorSettings
    augmentation: KeypointAugmentationSettings
    loss: TranslatorLossSettings
    optimizer: OptimizerSettings
    discriminator_optimizer: OptimizerSettings


class MotionDataSettings(KeypointDataSettings):
    """Clips, of which sequences of 1 + horizon steps are made.

    pace: the distance between steps in frames, where the clip is long enough; null: sequences span most of each clip (spec
    section 1.4).
    test_windows: the number of test windows of context + horizon neighbouring frames, of which the last observed one is read;
    null: a test clip is predicted from its frame 0.
    """

    horizon: FrameCount
    pace: FrameCount | None = None
    test_windows: ExampleCount | None = None
    context: FrameCount = 1

    @model_validator(mode="after")
    def _windows_of_neighbours(self) -> MotionDataSettings:
        if self.test_windows is None and self.context > 1:
            raise ValueError(f"context is {self.context}: it is for test_windows; set both, or leave context at 1")
        if self.test_windows is not None and self.pace != 1:
            raise ValueError("test_windows are of neighbouring frames: set pace to 1, so that training has the same steps")
        return self


class MotionNetworkSettings(Section):
    """units: of the LSTMs. latent_size: number of values in the latent. action: whether it is told the action. fc_activation:
    of the latent's and the logit's layer. output: keypoints are predicted as places, or as offsets from those of the first
    frame."""

    units: Units
    latent_size: Units
    action: bool
    fc_activation: Literal["relu", "linear"]
    output: Literal["absolute", "offset"]


class MotionAugmentationSettings(Section):
    """rotation: the largest angle in degrees. scale: the smallest and the largest factor. other_start: the share of training
    sequences whose first keypoints are those of another frame of the same person, see `sequences.sequence_batches`."""

    rotation: Annotated[float, Field(ge=0, le=180)]
    scale: tuple[PositiveFloat, PositiveFloat]
    other_start: Annotated[float, Field(ge=0, le=1)] = 0.0  # earlier runs have none

    @model_validator(mode="after")
    def _ordered(self) -> MotionAugmentationSettings:
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale is {list(self.scale)}: give the smallest factor first")
        return self


class MotionLossSettings(Section):
    """The weights of the terms: the mean absolute error of coordinates, the divergence of the latent from N(0, 1), and how far
    the discriminator is from being fooled."""

    reconstruction: PositiveFloat
    divergence: NonNegativeFloat
    adversarial: NonNegativeFloat


class MotionEvaluationSettings(PainterEvaluationSettings):
    """samples: the number of futures of each test clip."""

    samples: Annotated[int, Field(gt=0, le=1000)]


class FuturesSettings(Settings):
    """What both motion generators share. Their `network` says whether it is told the action; data.actions then lists all, in
    the order of their numbers."""

    networks = ("network",)

    data: MotionDataSettings
    augmentation: MotionAugmentationSettings
    optimizer: OptimizerSettings
    evaluation: MotionEvaluationSettings

    @model_validator(mode="after")
    def _names_actions(self) -> FuturesSettings:
        if self.network.action and self.data.actions == "all":
            raise ValueError(
                "data.actions is all: list the actions, whose numbers the network is told, or set network.action=false"
            )
        return self


class MotionSettings(FuturesSettings):
    system: Literal["keypoints_motion"]
    network: MotionNetworkSettings
    loss: MotionLossSettings
    discriminator_optimizer: OptimizerSettings


class FlowNetworkSettings(Section):
    """units, blocks: of the network's layers and their number. basis: number of cosines of time of which futures are made.
    action: whether it is told the action. sampling_steps: from noise to a future. guidance: how much further than told the
    action leads away from what is likely without one; 1: as told."""

    units: Units
    blocks: Annotated[int, Field(ge=1, le=100)]
    basis: Units
    action: bool
    sampling_steps: Annotated[int, Field(ge=1, le=1000)]
    guidance: Annotated[float, Field(ge=0, le=100)]


class FlowSettings(FuturesSettings):
    system: Literal["keypoints_flow"]
    network: FlowNetworkSettings

    @model_validator(mode="after")
    def _as_many_cosines_as_steps(self) -> FlowSettings:
        if self.network.basis > self.data.horizon:
            raise ValueError(
                f"network.basis is {self.network.basis}: futures have data.horizon={self.data.horizon} steps; set at most "
                f"as many"
            )
        return self


class PlusNetworkSettings(Section):
    """keypoints, map_sharpness: as in the published translator. detector_widths, widths: channels of the U-Nets of detector and
    translator, the largest map first. temperature: of the detector's softmax. bend: whether what moves with a keypoint is also
    turned and stretched."""

    keypoints: Keypoints
    detector_widths: Annotated[list[Units], Field(min_length=1, max_length=3)]
    widths: Annotated[list[Units], Field(min_length=1, max_length=3)]
    temperature: PositiveFloat
    map_sharpness: PositiveFloat
    bend: bool


class PlusLossSettings(LossSection):
    """The weights of the terms: log10 of the mean squared error; 1 - SSIM; equivariance, the distance of a warped frame's
    keypoints from the warped keypoints; separation, how close keypoints are; change, how far they are from what changes between
    two frames, and it from them."""

    needed = ("log_mse", "dssim")

    log_mse: NonNegativeFloat
    dssim: NonNegativeFloat
    equivariance: NonNegativeFloat
    separation: NonNegativeFloat
    change: NonNegativeFloat = 0.0  # earlier runs have none


class PlusSettings(TranslationSettings):
    system: Literal["keypoints_plus"]
    network: PlusNetworkSettings
    augmentation: ImageAugmentationSettings
    loss: PlusLossSettings
    optimizer: OptimizerSettings
