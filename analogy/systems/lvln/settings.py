"""Settings of the ladder networks and the classifier. configs/lvln_base.yaml, lvln_plus.yaml and lvln_classifier_base.yaml
explain every key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, model_validator

from analogy.settings.sections import LossSection, MovieDataSettings, OptimizerSettings, Section, Settings
from analogy.settings.values import FrameCount, Units, WeightsFile, WidthFactor

# Kind of network -> what divides the sides of its frames.
SIDES_OF = {"ladder": 32, "full_resolution": 32, "toy": 4, "plus": 16}


class LadderNetworkSettings(Section):
    kind: Literal["ladder", "full_resolution", "toy"]
    head: Literal["shuffle", "bilinear", "nearest"]
    width: WidthFactor
    column_map: Literal["published", "correct"]


class EncoderSettings(Section):
    """weights: a `.pth` file of torchvision's ResNet-18, or `imagenet`; null: random weights. trained: whether training changes
    them. frozen_batch_norm: whether batch normalisation of an encoder that is not trained uses the statistics of the batch
    ("training", as the published code does), or its running statistics ("inference")."""

    weights: WeightsFile | None
    trained: bool
    frozen_batch_norm: Literal["training", "inference"]

    def files(self) -> Iterator[tuple[str, str]]:
        if self.weights not in (None, "imagenet"):
            yield "weights", self.weights


class LadderLossSettings(LossSection):
    """The weights of the terms for each predicted frame: 1 - SSIM, the mean squared and the mean absolute error."""

    needed = ("dssim", "mse", "l1")

    dssim: NonNegativeFloat
    mse: NonNegativeFloat
    l1: NonNegativeFloat


class LadderSettings(Settings):
    """align: whether the answer to the last observed frame is the first prediction ("paper"), or is fed back once before
    ("code"; spec section 2.5). normalise: whether ImageNet's mean colour and deviation are taken out of the frames that the
    network reads and predicts. training_horizon: how many of the future frames training predicts; null: all."""

    networks = ("network", "encoder", "align", "normalise")

    system: Literal["lvln"]
    data: MovieDataSettings
    network: LadderNetworkSettings
    encoder: EncoderSettings
    align: Literal["paper", "code"]
    normalise: bool
    training_horizon: FrameCount | None
    loss: LadderLossSettings
    optimizer: OptimizerSettings

    @model_validator(mode="after")
    def _fits(self) -> LadderSettings:
        check_sides(self.data, SIDES_OF[self.network.kind])
        check_lengths(self)
        if self.network.kind == "toy" and self.encoder.weights:
            raise ValueError("network.kind toy has no ResNet: set encoder.weights to null")
        if self.encoder.weights and self.network.width != 1:
            raise ValueError(f"network.width is {self.network.width}: encoder.weights need width 1.0")
        return self


def check_sides(data: MovieDataSettings, divisor: int) -> None:
    """Raise ValueError unless both sides of the frames are multiples of `divisor`."""
    if any(side % divisor for side in data.size):
        fitting = [max(1, round(side / divisor)) * divisor for side in data.size]
        raise ValueError(
            f"data.image_size is {list(data.size)}: the network halves frames until a pixel stands for {divisor}; "
            f"choose multiples of that, such as {fitting}"
        )


def check_lengths(settings: LadderSettings | PlusSettings) -> None:
    """Raise ValueError unless the network sees motion, and training has the frames that it is to predict."""
    data = settings.data
    data.check_motion()
    if (count := trained_horizon(settings)) > data.horizon:
        raise ValueError(f"training_horizon is {count}: choose at most data.horizon, {data.horizon}")


def trained_horizon(settings: LadderSettings | PlusSettings) -> int:
    """How many of the future frames training predicts."""
    return settings.training_horizon or settings.data.horizon


class PlusNetworkSettings(Section):
    """The arguments of `analogy.systems.lvln.networks.plus.MovingLadder`."""

    width: WidthFactor
    start: Literal["flow", "difference", "none"]
    candidates: Annotated[int, Field(ge=1, le=7)]
    colour: bool
    detail: Annotated[float, Field(ge=0, le=1)] = 0.0


class PlusLossSettings(LossSection):
    """The weights of the terms for each predicted frame: log10 of the mean squared error, 1 - SSIM, and blur, which is how much
    the slopes of the frame fall short of the truth's, as a share."""

    needed = ("log_mse", "dssim")

    log_mse: NonNegativeFloat
    dssim: NonNegativeFloat
    blur: NonNegativeFloat


class PlusSettings(Settings):
    """augment: whether training windows are mirrored, played backwards and enlarged at random. training_horizon: how many of
    the future frames training predicts; null: all."""

    networks = ("network",)

    system: Literal["lvln_plus"]
    data: MovieDataSettings
    network: PlusNetworkSettings
    augment: bool
    training_horizon: FrameCount | None
    loss: PlusLossSettings
    optimizer: OptimizerSettings

    @model_validator(mode="after")
    def _fits(self) -> PlusSettings:
        check_sides(self.data, SIDES_OF["plus"])
        check_lengths(self)
        return self


class ClassifierNetworkSettings(Section):
    """features: what the classifier reads: "c4", all states of the deepest lateral block; "c13", every 128th value of the
    states of the three others; "c4_c13", both; "pixels", the last frame alone, for comparison. units: of its hidden layer.
    classes: number of outputs, at least as many as the dataset has actions. normalised: whether batch normalisation follows the
    hidden layer."""

    features: Literal["c4", "c13", "c4_c13", "pixels"]
    units: Units
    classes: Annotated[int, Field(ge=2, le=65_536)]
    normalised: bool
    dropout: Annotated[float, Field(ge=0, lt=1)]


class LadderClassifierSettings(Settings):
    """full_video: whether the predictor reads all frames of a window, and nothing of its own; otherwise it reads
    data.context frames, then its own predictions of the data.horizon others (spec section 6)."""

    networks = ("network", "full_video")

    system: Literal["lvln_classifier"]
    data: MovieDataSettings
    network: ClassifierNetworkSettings
    full_video: bool
    optimizer: OptimizerSettings
