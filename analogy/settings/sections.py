"""The sections every experiment has. Types and limits live here; values live in the YAML files of `configs/`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    StringConstraints,
    field_validator,
    model_serializer,
    model_validator,
)

from analogy.settings.published import Published, check_published, read_older
from analogy.settings.section import Section

# What TensorFlow counts with ends somewhere: a typing mistake of a hundred digits is found here.
PositiveInt = Annotated[int, Field(gt=0, lt=2**31)]


def _clip_name(value: object) -> object:
    """Clip ids are strings. YAML hands 1198 over as a number; Penn Action's names have four digits."""
    return f"{value:04d}" if isinstance(value, int) and not isinstance(value, bool) else value


ClipId = Annotated[str, BeforeValidator(_clip_name), StringConstraints(min_length=1)]


def _absolute(path: str) -> str:
    """A path in a run's settings must mean the same from any folder."""
    try:
        return str(Path(path).expanduser().resolve())
    except RuntimeError as error:  # the home of a user who is not there, a link to itself
        raise ValueError(f"this is no path that can be followed: {error}") from error


FilePath = Annotated[str, AfterValidator(_absolute)]
# A list of clip ids, or the path of a split file with one clip per line; null is the dataset's own split.
Clips = list[ClipId] | FilePath | None
# A file, or Keras' own download.
WeightsFile = Annotated[str, AfterValidator(lambda path: path if path == "imagenet" else _absolute(path))]


def _folder_name(name: str) -> str:
    """A run's folder is made below a folder of its experiment's name."""
    if not name.strip() or name[0] in ".-" or any(sign in "/\\" or not sign.isprintable() for sign in name):
        raise ValueError("it names a folder: choose letters, digits and _, without / or a dot or dash at its beginning")
    if len(name.encode()) > 100:
        raise ValueError("it names a folder: choose at most 100 characters")
    return name


FolderName = Annotated[str, AfterValidator(_folder_name)]


class DatasetSettings(Section):
    """Which dataset (a name in `data_prep.datasets.DATASETS`), where its files are, and where it is kept once prepared.

    kind: what a dataset must open as for these settings, such as "frames"; several papers may share one.
    """

    kind: ClassVar[str]
    dataset: str
    folder: FilePath | None
    cache: FilePath | None


class PeopleDataSettings(DatasetSettings):
    """Which clips of labelled people."""

    actions: list[str] | Literal["all"]
    train_clips: Clips
    test_clips: Clips

    def files(self) -> Iterator[tuple[str, str]]:
        for name in ("train_clips", "test_clips"):
            if isinstance(split_file := getattr(self, name), str):
                yield name, split_file


class FrameDataSettings(PeopleDataSettings):
    """Clips as pictures, and pairs of frames to train on."""

    kind = "frames"
    image_size: tuple[PositiveInt, PositiveInt]
    crop: Literal["consistent", "per_frame", "full"]
    padding: Annotated[int, Field(ge=0)]
    gray: bool
    min_frame_distance: Annotated[int, Field(ge=0)]
    flip: bool
    flip_exchanges_joints: bool

    @model_validator(mode="before")
    @classmethod
    def _square(cls, values: dict) -> dict:
        """`image_size: 224` means 224 x 224."""
        side = values.get("image_size") if isinstance(values, dict) else None
        if isinstance(side, int) and not isinstance(side, bool):
            values = {**values, "image_size": (side, side)}
        return values

    @model_validator(mode="after")
    def _large_enough(self) -> FrameDataSettings:
        if min(self.image_size) < 16:
            raise ValueError(f"image_size is {self.image_size}: choose sides of at least 16 pixels (SSIM needs 11)")
        return self

    @property
    def channels(self) -> int:
        return 1 if self.gray else 3


RunName = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]  # an experiment's, or a path


class StartFrom(Section):
    """Another run, whose networks this one starts from: all of them, or those named. A name or path alone means all."""

    run: RunName
    networks: Annotated[list[str], Field(min_length=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _all_of_a_run(cls, value: object) -> object:
        return {"run": value} if isinstance(value, str) else value

    @model_serializer(mode="plain")
    def _as_it_was_given(self) -> object:
        return self.run if self.networks is None else {"run": self.run, "networks": self.networks}


class TrainingSettings(Section):
    steps: PositiveInt
    batch_size: PositiveInt
    steps_per_call: PositiveInt
    log_every: PositiveInt
    sample_every: PositiveInt
    checkpoint_every: PositiveInt
    keep_checkpoints: PositiveInt
    precision: Literal["auto", "float32", "bfloat16", "float16"]
    devices: Annotated[str, StringConstraints(pattern=r"^(auto|(cpu|gpu)(:[1-9][0-9]*)?)$")]
    deterministic: bool
    start_from: StartFrom | None

    @model_validator(mode="after")
    def _shared_evenly(self) -> TrainingSettings:
        count = int(self.devices.partition(":")[2] or 1)
        if self.batch_size % count:
            raise ValueError(
                f"batch_size is {self.batch_size}, which {count} devices cannot share evenly: choose a multiple of {count}, or "
                f"other --devices than {self.devices}"
            )
        return self


class OptimizerSettings(Section):
    """How weights descend.

    beta_1, beta_2, epsilon: of adam and adamw; rmsprop takes beta_2 for its moving mean of squares, and epsilon.
    momentum: of sgd and rmsprop. weight_decay: adamw's; each update takes learning_rate x weight_decay of every weight.
    schedule: exponential multiplies the rate by `decay` every `decay_steps` updates (1: a constant rate), in stairs or, with
    `staircase: false`, continuously; cosine falls to zero at the last step. warmup_steps: over which the rate rises to
    learning_rate; the schedule begins after them.
    clip_norm: the largest global norm of the whole batch's gradients; 0: any.
    average: momentum of the moving averages of the weights, by which the system then predicts; 0: none.
    """

    name: Literal["adam", "adamw", "sgd", "rmsprop"]
    learning_rate: PositiveFloat
    beta_1: Annotated[float, Field(ge=0, lt=1)]
    beta_2: Annotated[float, Field(ge=0, lt=1)]
    epsilon: PositiveFloat
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    schedule: Literal["exponential", "cosine"] = "exponential"
    decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    decay_steps: PositiveInt = 500
    staircase: bool = True
    warmup_steps: Annotated[int, Field(ge=0, lt=2**31)] = 0
    clip_norm: NonNegativeFloat = 0.0
    average: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @model_validator(mode="after")
    def _consistent(self) -> OptimizerSettings:
        if self.schedule == "cosine" and self.decay < 1:
            raise ValueError("schedule: cosine falls to zero by itself; leave decay at 1.0")
        if not self.staircase and (self.schedule == "cosine" or self.decay == 1):
            raise ValueError("staircase: false needs schedule: exponential with a decay below 1")
        if self.momentum and self.name in ("adam", "adamw"):
            raise ValueError(f"momentum is for sgd and rmsprop; {self.name} has beta_1")
        if self.name == "adamw" and not self.weight_decay:
            raise ValueError("name: adamw needs a weight_decay, for instance 0.01; without one, choose adam")
        if self.weight_decay and self.name != "adamw":
            raise ValueError(f"weight_decay is for adamw, not for {self.name}; set it to 0 or choose adamw")
        return self


class EvaluationSettings(Section):
    clips_per_action: PositiveInt
    preferred_clips: list[ClipId]
    frames_per_second: PositiveInt


class PainterEvaluationSettings(EvaluationSettings):
    frames_per_call: PositiveInt


class Settings(Section):
    """What every experiment has in common; each system adds its own sections.

    `base` and `demo` are consumed while loading, so a resolved file has neither. published: what the paper reports.
    uses: role -> the finished run that this one builds on, by its experiment's name or its path.
    """

    # `only_with` of the published figures of older runs, whose settings do not say it.
    older_protocol: ClassVar[dict[str, Any]] = {}

    experiment: FolderName
    summary: str
    source: str
    system: str
    scale: Literal["paper", "demo"]
    published: list[Published] = []
    uses: dict[str, RunName] = {}
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    data: DatasetSettings
    training: TrainingSettings
    evaluation: EvaluationSettings

    @field_validator("published", mode="before")
    @classmethod
    def _older_published(cls, value: object) -> object:
        return read_older(value, cls.older_protocol) if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _published_fits(self) -> Settings:
        check_published(self.published, self)
        return self

    @model_validator(mode="after")
    def _warm_in_time(self) -> Settings:
        for key in type(self).model_fields:
            section = getattr(self, key)
            if isinstance(section, OptimizerSettings) and section.warmup_steps >= self.training.steps:
                raise ValueError(
                    f"{key}.warmup_steps is {section.warmup_steps}: choose fewer than training.steps, {self.training.steps}"
                )
        return self


class PainterSettings(Settings):
    """What every system that paints frames has in common."""

    data: FrameDataSettings
    evaluation: PainterEvaluationSettings
