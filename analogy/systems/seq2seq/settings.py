"""Settings of the Seq2Seq LSTM and ConvLSTM. configs/seq2seq_base.yaml and convlstm_base.yaml explain every key."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from analogy.settings.sections import DatasetSettings, MovieDataSettings, OptimizerSettings, Section, Settings
from analogy.settings.values import ExampleCount, NonNegativeInt, Units


class SequenceDataSettings(DatasetSettings):
    """Sequences of 50 values.

    train_count, test_count: numbers of generated sequences. split: of the dataset stocks. groups_of: number of test sequences
    that are measured together; the published figures are those of the first group.
    """

    kind = "sequences"
    context: Annotated[int, Field(ge=1, le=49)]
    horizon: Annotated[int, Field(ge=1, le=49)]
    train_count: ExampleCount
    test_count: ExampleCount
    split: Literal["published", "chronological"]
    groups_of: ExampleCount

    @model_validator(mode="after")
    def _fits(self) -> SequenceDataSettings:
        if self.context + self.horizon > 50:
            raise ValueError(f"context + horizon is {self.context + self.horizon}: sequences have 50 values")
        return self


class Seq2SeqNetworkSettings(Section):
    depth: Annotated[int, Field(ge=0, le=100)]
    units: Units
    wiring: Literal["published", "standard"]
    predicts: Literal["frame", "change"]
    shared: bool
    forget_bias: Annotated[float, Field(ge=0)]

    @model_validator(mode="after")
    def _has_frames_to_see(self) -> Seq2SeqNetworkSettings:
        if self.wiring == "published" and (self.predicts == "change" or self.shared):
            raise ValueError("predicts: change and shared: true need wiring: standard, where the decoder sees frames")
        return self


class ConvLstmNetworkSettings(Seq2SeqNetworkSettings):
    patch: Literal[1, 2, 4, 8]


class RecurrentSettings(Settings):
    """scheduled_sampling: number of updates over which the decoder's inputs change from true frames to its own predicted frames
    (Bengio et al. 2015); 0: no scheduled sampling."""

    system: Literal["seq2seq", "convlstm"]
    data: SequenceDataSettings | MovieDataSettings
    network: Seq2SeqNetworkSettings
    optimizer: OptimizerSettings
    scheduled_sampling: NonNegativeInt

    @model_validator(mode="after")
    def _has_frames_to_show(self) -> RecurrentSettings:
        if self.scheduled_sampling and self.network.wiring == "published":
            raise ValueError("scheduled_sampling needs network.wiring: standard, where the decoder sees frames")
        return self


class LstmSettings(RecurrentSettings):
    older_protocol = {"data.split": "published", "data.context": 25}

    system: Literal["seq2seq"]
    data: SequenceDataSettings


class ConvLstmSettings(RecurrentSettings):
    older_protocol = {
        "data.split": "published", "data.context": 10, "data.image_size": 64, "data.test_persons": None,
    }  # fmt: skip

    system: Literal["convlstm"]
    data: MovieDataSettings
    network: ConvLstmNetworkSettings

    @model_validator(mode="after")
    def _has_whole_patches(self) -> ConvLstmSettings:
        if any(side % self.network.patch for side in self.data.size):
            height, width = self.data.size
            raise ValueError(
                f"data.image_size is {height} x {width}: network.patch {self.network.patch} must divide both sides"
            )
        return self
