"""The sections of settings that experiments share. Their values are in the YAML files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
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
from analogy.settings.values import (
    LARGEST_SIDE,
    SMALLEST_SIDE,
    ClipId,
    Clips,
    ExampleCount,
    FilePath,
    FolderName,
    FrameCount,
    NonNegativeInt,
    PositiveInt,
    RunName,
)

MOST_DEVICES = 64  # in one process


class LossSection(Section):
    """The weights of the terms of a loss. needed: one of these must be above 0, or nothing would be learned."""

    needed: ClassVar[tuple[str, ...]]

    @model_validator(mode="after")
    def _learns(self) -> LossSection:
        if not any(getattr(self, term) for term in self.needed):
            names, number = f"{', '.join(self.needed[:-1])} and {self.needed[-1]}", "both" if len(self.needed) == 2 else "all"
            raise ValueError(f"{names} are {number} 0: give one of them a weight")
        return self


class ImageAugmentationSettings(Section):
    """The largest random change of each kind, the same for both frames of a pair; 0 leaves it out.

    rotation: degrees. zoom: natural logarithm of the scale of both axes; stretch: of each axis separately. shift: share of the
    image's side. colour: strength of the changes of channel order, gamma, saturation, contrast and brightness; 1 is strong.
    """

    rotation: Annotated[float, Field(ge=0, le=180)]
    zoom: Annotated[float, Field(ge=0, le=1)]
    stretch: Annotated[float, Field(ge=0, le=1)]
    shift: Annotated[float, Field(ge=0, le=0.5)]
    colour: Annotated[float, Field(ge=0, le=1)]


class DatasetSettings(Section):
    """dataset: a name in `data_prep.datasets.DATASETS`. folder: its raw files. cache: the folder for the prepared dataset.

    kind: the form in which the dataset is opened, such as "frames" (a key of `openings` of its entry in DATASETS).
    """

    kind: ClassVar[str]
    dataset: str
    folder: FilePath | None
    cache: FilePath | None


class PeopleDataSettings(DatasetSettings):
    """A selection of clips of people with labelled joints."""

    actions: list[str] | Literal["all"]
    train_clips: Clips
    test_clips: Clips

    def files(self) -> Iterator[tuple[str, str]]:
        for name in ("train_clips", "test_clips"):
            if isinstance(split_file := getattr(self, name), str):
                yield name, split_file


class FrameDataSettings(PeopleDataSettings):
    """How the frames of clips are cropped and resized, and how pairs of them are drawn for training.

    frame_distance: the smallest and the largest distance between the frames of a pair, of which the second comes later; behind
    the last frame the clip begins anew. null: see min_frame_distance.
    """

    kind = "frames"
    image_size: tuple[PositiveInt, PositiveInt]
    crop: Literal["consistent", "per_frame", "full", "centre"]
    padding: Annotated[int, Field(ge=0, le=LARGEST_SIDE)]
    gray: bool
    min_frame_distance: Annotated[int, Field(ge=0, le=1000)]
    flip: bool
    flip_exchanges_joints: bool
    frame_distance: tuple[FrameCount, FrameCount] | None = None

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
        if min(self.image_size) < SMALLEST_SIDE or max(self.image_size) > LARGEST_SIDE:
            raise ValueError(
                f"image_size is {self.image_size}: choose sides of at least {SMALLEST_SIDE} pixels (SSIM needs 11), at most "
                f"{LARGEST_SIDE}"
            )
        if self.frame_distance and (self.frame_distance[0] > self.frame_distance[1] or self.min_frame_distance):
            raise ValueError(
                f"frame_distance is {list(self.frame_distance)}: give the smallest first, and leave min_frame_distance at 0"
            )
        return self

    @property
    def channels(self) -> int:
        return 1 if self.gray else 3


class RateStage(Section):
    """A stage of training at one frame rate. steps: its updates. fps: frames per second of its windows."""

    steps: PositiveInt
    fps: PositiveFloat


class MovieDataSettings(DatasetSettings):
    """Videos, from which windows of context + horizon frames are cut. A dataset refuses the keys that it cannot follow.

    image_size: pixels, the side or [height, width]. fit: how frames of another shape are brought to it: "squeeze" changes their
    aspect ratio, "crop" takes the largest part around the centre, "letterbox" adds black borders.
    fps: frames per second of a window; null: every `skip`-th frame of the video.
    stride: distance between the starts of neighbouring windows, in frames of a window. test_stride: that of test windows; null:
    the same.
    share: share of the training videos that is used, drawn from the seed without replacement.
    train_count: number of training videos, the first ones by name; null: all.
    train_clips: the names of the training videos, to train on these alone; null: see train_count and share.
    leave_out_repeats: leave out windows in which a frame nearly equals the one before it.
    curriculum: stages of training, one after the other, with rates of their own, where a video of a lower rate gives every
    frame; after the last, the rate is `fps`.
    test_count: number of test windows.
    split: of KTH, persons 1-20 train and 21-25 test ("published"), or 1-16 and 17-25 ("standard"); of Moving MNIST, the motion
    of the digits; of UCF101, rec1, rec2 and rec3 of the recognition task, or det24, the 24 classes of the detection task.
    test_persons: the persons that test, of KTH and Weizmann; null: of KTH those of `split`, of Weizmann the last two.
    """

    kind = "movies"
    context: FrameCount
    horizon: FrameCount
    image_size: PositiveInt | tuple[PositiveInt, PositiveInt]
    fit: Literal["squeeze", "crop", "letterbox"] = "squeeze"
    fps: PositiveFloat | None = None
    skip: FrameCount = 1
    stride: ExampleCount = 1
    test_stride: ExampleCount | None = None
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    train_count: ExampleCount | None = None
    train_clips: Annotated[list[ClipId], Field(min_length=1)] | None = None
    leave_out_repeats: bool = False
    curriculum: list[RateStage] = []
    test_count: ExampleCount
    split: Literal["published", "standard", "rec1", "rec2", "rec3", "det24"]
    test_persons: list[NonNegativeInt] | None = None

    @field_validator("image_size", mode="before")
    @classmethod
    def _side_or_sides(cls, value: object) -> object:
        """One message instead of one for each type that pydantic tries."""
        sides = value if isinstance(value, (list, tuple)) and len(value) == 2 else [value]
        if not all(isinstance(side, int) and SMALLEST_SIDE <= side <= LARGEST_SIDE for side in sides):
            raise ValueError(
                f"choose the side, or [height, width]: each at least {SMALLEST_SIDE} pixels (SSIM needs 11), and at most "
                f"{LARGEST_SIDE}"
            )
        return value

    def check_motion(self) -> None:
        """Raise ValueError if there are too few observed frames to see motion."""
        if self.context < 2:
            raise ValueError(f"data.context is {self.context}: the network needs at least 2 frames to see motion")

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the frames in pixels."""
        return (self.image_size,) * 2 if isinstance(self.image_size, int) else self.image_size

    @model_validator(mode="after")
    def _consistent(self) -> MovieDataSettings:
        if self.train_count and self.share < 1:
            raise ValueError(f"share is {self.share} and train_count {self.train_count}: set one of the two")
        if self.train_clips and (self.train_count or self.share < 1):
            raise ValueError("train_clips names the training videos: leave train_count null and share at 1.0")
        if self.skip > 1 and (self.fps or self.curriculum):
            raise ValueError(
                f"skip is {self.skip}: it is for every frame of a video; leave it at 1 where fps or curriculum is set"
            )
        return self


class StartFrom(Section):
    """The networks of another run, loaded before training.

    run: an experiment's name, or a path. networks: their names; None means all. YAML may give the run alone, as a text.
    """

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
    """How long and on what is trained.

    steps: updates of the weights. batch_size: examples of an update, shared by all devices. steps_per_call: updates in one call
    of TensorFlow.
    log_every, sample_every, checkpoint_every: steps between two rows of the losses, two sets of sample pictures, two
    checkpoints. keep_checkpoints: number of the newest that stay.
    precision: of the arithmetic; "auto" takes bfloat16 or float16 where the devices are faster with it.
    devices: auto, cpu, gpu, or a number of them, such as gpu:2. deterministic: TensorFlow's deterministic operations alone.
    start_from: the run whose networks are loaded first; null: none.
    """

    steps: PositiveInt
    batch_size: Annotated[int, Field(gt=0, le=65_536)]
    steps_per_call: Annotated[int, Field(gt=0, le=100_000)]
    log_every: PositiveInt
    sample_every: PositiveInt
    checkpoint_every: PositiveInt
    keep_checkpoints: Annotated[int, Field(gt=0, le=10_000)]
    precision: Literal["auto", "float32", "bfloat16", "float16"]
    devices: Annotated[str, StringConstraints(pattern=r"^(auto|(cpu|gpu)(:[1-9][0-9]*)?)$")]
    trackers: list[Literal["wandb", "mlflow"]] = []  # beside TensorBoard; see `analogy.training.trackers`
    deterministic: bool
    start_from: StartFrom | None

    @model_validator(mode="after")
    def _shared_evenly(self) -> TrainingSettings:
        count = int(self.devices.partition(":")[2] or 1)
        if count > MOST_DEVICES:
            raise ValueError(f"devices is {self.devices}: choose at most {MOST_DEVICES} in one process")
        if self.batch_size % count:
            raise ValueError(
                f"batch_size is {self.batch_size}, which {count} devices cannot share evenly: choose a multiple of {count}, or "
                f"other --devices than {self.devices}"
            )
        return self


class OptimizerSettings(Section):
    """The optimiser and its learning-rate schedule.

    beta_1, beta_2, epsilon: for adam and adamw. rmsprop uses beta_2 (the decay of its mean of squared gradients) and epsilon;
        adagrad uses epsilon.
    momentum: for sgd and rmsprop.
    weight_decay: for adamw. Each update subtracts learning_rate x weight_decay x weight from every weight.
    schedule: "exponential" multiplies the rate by `decay` every `decay_steps` updates, in steps, or continuously with
    `staircase: false`; decay 1 is a constant rate. "cosine" lowers the rate to zero at the last step.
    warmup_steps: updates in which the rate rises linearly to learning_rate; at most half of a short training. The schedule
    begins after them.
    clip_norm: the largest allowed global norm of the gradients of the whole batch. 0: no clipping.
    average: momentum of moving averages of the weights, which the system then uses to predict. 0: no averages.
    """

    name: Literal["adam", "adamw", "sgd", "rmsprop", "adagrad"]
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
    warmup_steps: NonNegativeInt = 0
    clip_norm: NonNegativeFloat = 0.0
    average: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @model_validator(mode="after")
    def _consistent(self) -> OptimizerSettings:
        if self.schedule == "cosine" and self.decay < 1:
            raise ValueError("schedule: cosine falls to zero by itself; leave decay at 1.0")
        if not self.staircase and (self.schedule == "cosine" or self.decay == 1):
            raise ValueError("staircase: false needs schedule: exponential with a decay below 1")
        if self.momentum and self.name not in ("sgd", "rmsprop"):
            raise ValueError(f"momentum is for sgd and rmsprop, not for {self.name}")
        if self.name == "adamw" and not self.weight_decay:
            raise ValueError("name: adamw needs a weight_decay, for instance 0.01; without one, choose adam")
        if self.weight_decay and self.name != "adamw":
            raise ValueError(f"weight_decay is for adamw, not for {self.name}; set it to 0 or choose adamw")
        return self


class EvaluationSettings(Section):
    """What a run shows of its test clips.

    clips_per_action: at most so many clips of each action are shown in pictures and films. Some systems also measure these
    alone, and their protocol says so. preferred_clips: the clips that come first. frames_per_second: of the films.
    """

    clips_per_action: PositiveInt
    preferred_clips: list[ClipId]
    frames_per_second: Annotated[int, Field(gt=0, le=1000)]


class PainterEvaluationSettings(EvaluationSettings):
    frames_per_call: FrameCount


# Settings that say what a run is called, where it was published and what comes before and after it. They change no result.
HEADINGS = ("experiment", "summary", "source", "published", "train_used", "try_next")


def is_heading(key: str) -> bool:
    """Whether a dotted key is one of HEADINGS, or below one."""
    return key.partition(".")[0] in HEADINGS


class Settings(Section):
    """The settings that every experiment has; each system adds sections of its own.

    The YAML keys `base` and `demo` are applied in loading and are no settings. published: results of the paper.
    uses: role -> the finished run whose SavedModel this one uses; an experiment's name, or a path. train_used: experiments in
    `uses` of which there is no run are trained first, with the same seed and data. try_next: experiment -> what it reaches on
    the same data, for the page and the last line of output of a demo that minutes cannot make good.
    """

    # `only_with` for the published figures of older runs, whose settings do not have this key.
    older_protocol: ClassVar[dict[str, Any]] = {}
    # The sections of settings that define the networks. A run cannot be resumed with other values in them.
    networks: ClassVar[tuple[str, ...]] = ("network",)

    experiment: FolderName
    summary: str
    source: str
    system: str
    scale: Literal["paper", "demo"]
    published: list[Published] = []
    uses: dict[str, RunName] = {}
    train_used: bool = False
    try_next: dict[FolderName, str] = {}
    seed: NonNegativeInt
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


class PainterSettings(Settings):
    """The settings that all systems which paint frames share."""

    data: FrameDataSettings
    evaluation: PainterEvaluationSettings
