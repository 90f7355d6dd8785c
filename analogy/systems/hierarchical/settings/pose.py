"""Settings of the pose predictors. configs/pose_base.yaml, pose_lstm_base.yaml and pose_lstm_residual.yaml explain the keys."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, model_validator

from analogy.settings.sections import OptimizerSettings, PeopleDataSettings, Section, Settings
from analogy.settings.values import FrameCount, Layers, Units

Share = Annotated[float, Field(ge=0, lt=1)]


class PoseDataSettings(PeopleDataSettings):
    """Windows of labelled poses, without frames."""

    kind = "poses"
    viewpoint: str
    min_frames: FrameCount
    context: Annotated[int, Field(ge=2, le=1000)]
    horizon: FrameCount
    min_future: FrameCount
    order: Literal["random", "passes"]
    first_share: Share
    time_stretch: Annotated[float, Field(ge=0, le=1)]
    validation_share: Annotated[float, Field(ge=0, le=0.5)]

    @model_validator(mode="after")
    def _consistent(self) -> PoseDataSettings:
        if self.min_future > self.horizon:
            raise ValueError(f"min_future is {self.min_future}: choose at most horizon, {self.horizon}")
        if self.min_frames < self.context + 1:
            raise ValueError(f"min_frames is {self.min_frames}: choose more than context, {self.context}")
        return self


class PoseSettings(Settings):
    """The common settings of all pose predictors."""

    data: PoseDataSettings


class PoseLstmNetworkSettings(Section):
    coordinates: Literal["displacement", "box", "pixels", "square"]
    units: Units
    layers: Layers
    embedding: Annotated[int, Field(ge=0, le=65_536)]
    head: list[Units]
    activation: Literal["tanh", "sigmoid", "linear"]
    shared: bool
    hand_over: Literal["state", "output"]
    decoder_input: Literal["zeros", "last"]


class PoseLstmSettings(PoseSettings):
    networks = ("network", "mask_hidden")
    system: Literal["pose_lstm"]
    network: PoseLstmNetworkSettings
    mask_hidden: bool
    optimizer: OptimizerSettings


class PoseResidualNetworkSettings(Section):
    units: Units
    basis: Units
    members: Layers
    dropout: Share
    noise: NonNegativeFloat
    conditioned: bool


class PoseAugmentationSettings(Section):
    """mirror: mirror half of the windows. stretch: the largest natural logarithm of the scale of each axis. hide: the share of
    joints that are hidden for a whole window; of the others, the same share is hidden in each frame."""

    mirror: bool
    stretch: Annotated[float, Field(ge=0, le=1)]
    hide: Share


class PoseResidualSettings(PoseSettings):
    system: Literal["pose_residual"]
    network: PoseResidualNetworkSettings
    augmentation: PoseAugmentationSettings
    optimizer: OptimizerSettings

    @model_validator(mode="after")
    def _actions_named(self) -> PoseResidualSettings:
        if self.network.conditioned and self.data.actions == "all":
            raise ValueError("network.conditioned needs data.actions as a list: an exported network must know their order")
        return self


class PoseActionsNetworkSettings(Section):
    units: Units
    dropout: Share


class PoseActionsSettings(PoseSettings):
    """hide: the share of joints that are hidden for a whole window in training."""

    system: Literal["pose_actions"]
    network: PoseActionsNetworkSettings
    hide: Share
    optimizer: OptimizerSettings

    @model_validator(mode="after")
    def _actions_named(self) -> PoseActionsSettings:
        if self.data.actions == "all":
            raise ValueError("data.actions: name them in a list: an exported network must know their order")
        return self
