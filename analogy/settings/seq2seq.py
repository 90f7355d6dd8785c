"""Settings of the Seq2Seq LSTM and ConvLSTM."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from analogy.settings.sections import DatasetSettings, OptimizerSettings, Section, Settings


class SequenceDataSettings(DatasetSettings):
    """Sequences of 50 values. train_count, test_count: of those that are generated. split: of stocks. groups_of: test sequences
    measured together; the first group is what the published figures are of."""

    dataset: Literal["sines", "noise", "stocks"]
    context: Annotated[int, Field(ge=1, le=49)]
    horizon: Annotated[int, Field(ge=1, le=49)]
    train_count: PositiveInt
    test_count: PositiveInt
    split: Literal["published", "chronological"]
    groups_of: PositiveInt

    @model_validator(mode="after")
    def _fits(self) -> SequenceDataSettings:
        if self.context + self.horizon > 50:
            raise ValueError(f"context + horizon is {self.context + self.horizon}: sequences have 50 values")
        return self


class MovieDataSettings(DatasetSettings):
    """Videos. test_count: how many test windows. split: of KTH, persons 1-20 and 21-25 ("published"), or 1-16 and 17-25
    ("standard"); test_persons: those who test instead."""

    dataset: Literal["moving_mnist", "kth", "bair"]
    context: PositiveInt
    horizon: PositiveInt
    image_size: Literal[64, 128]
    test_count: PositiveInt
    split: Literal["published", "standard"]
    test_persons: list[PositiveInt] | None

    @model_validator(mode="after")
    def _of_one_size(self) -> MovieDataSettings:
        if self.dataset != "kth" and self.image_size != 64:
            raise ValueError(f"image_size is {self.image_size}: {self.dataset} has 64 pixels")
        return self

    @property
    def channels(self) -> int:
        return 3 if self.dataset == "bair" else 1


class Seq2SeqNetworkSettings(Section):
    depth: Annotated[int, Field(ge=0)]
    units: PositiveInt
    hand_over: Literal["input", "state"]
    feedback: Literal["hidden", "frame"]


class Seq2SeqSettings(Settings):
    system: Literal["seq2seq"]
    data: SequenceDataSettings
    network: Seq2SeqNetworkSettings
    optimizer: OptimizerSettings


class ConvLstmSettings(Settings):
    system: Literal["convlstm"]
    data: MovieDataSettings
    network: Seq2SeqNetworkSettings
    optimizer: OptimizerSettings
