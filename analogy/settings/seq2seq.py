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
