"""Settings of the next-frame predictor and the auto-encoder. configs/vgg_lstm_base.yaml and vgg_lstm_vae.yaml explain every
key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from analogy.settings.sections import LossSection, MovieDataSettings, OptimizerSettings, Section, Settings
from analogy.settings.values import NonNegativeInt, Units, Vgg16Weights, WidthFactor, vgg16_files

DIVISOR = 32  # VGG-16 halves its frames five times


class SegmentDataSettings(MovieDataSettings):
    """Segments of `context` frames for the auto-encoder, which reads and paints them all. horizon: 0, nothing follows."""

    horizon: Literal[0] = 0


class VggSettings(Section):
    """weights: of VGG-16: `imagenet`, `hed`, or a file; null: random weights. trained: whether training changes them. width:
    multiplier of all channels; published weights need 1.0. scale: what features are multiplied by. keep_features: whether the
    features of the training clips are computed once and kept on disk, where VGG-16 is not trained."""

    weights: Vgg16Weights | None
    trained: bool
    width: WidthFactor
    scale: PositiveFloat
    keep_features: bool

    def files(self) -> Iterator[tuple[str, str]]:
        yield from vgg16_files("weights", self.weights)


class NextFrameLossSettings(LossSection):
    """The weights of the mean squared error, of the mean absolute error, and of the error of VGG-16's relu2_2 and relu3_3,
    relative to the truth's."""

    needed = ("mse", "mae", "perceptual")

    mse: NonNegativeFloat
    mae: NonNegativeFloat
    perceptual: NonNegativeFloat


class VaeLossSettings(NextFrameLossSettings):
    """beta: the weight of the Kullback-Leibler divergence from N(0, 1), summed over a latent's numbers."""

    beta: NonNegativeFloat


class NextFrameNetworkSettings(Section):
    """scales: how many transposed convolutions paint a frame: 1 (the large kernel), or 3 (large, medium and small). pooled: the
    LSTM reads the mean of VGG-16's last maps over all places, 512 numbers, instead of all of them."""

    scales: Literal[1, 3]
    pooled: bool = False


class VaeNetworkSettings(Section):
    """scales: as above. latent: one latent a frame ("frame"), or one for the whole segment ("sequence"). encoder_units: of
    the LSTM that reads features. latent_size: the number of values in a latent. decoder_units: of the decoder's LSTMs
    before the last one, whose size follows from the frame's. decoder_input: what the decoder reads: the latent; "ones", so
    that its LSTMs know nothing of the frames; or "ones_maps": the transposed convolution alone reads ones, and paints one
    picture for every frame."""

    scales: Literal[1, 3]
    latent: Literal["frame", "sequence"]
    encoder_units: Units
    latent_size: Units
    decoder_units: list[Units]
    decoder_input: Literal["latent", "ones", "ones_maps"]


class VggLstmSettings(Settings):
    """What both systems share. train_windows: the number of windows of the training clips that are measured after training,
    apart from the test clips."""

    networks = ("network", "encoder")

    data: MovieDataSettings
    encoder: VggSettings
    train_windows: Annotated[int, Field(ge=0, le=10_000)]
    optimizer: OptimizerSettings

    @model_validator(mode="after")
    def _fits(self) -> VggLstmSettings:
        data, encoder = self.data, self.encoder
        height, width = data.size
        if height != width or height % DIVISOR:
            side = max(1, round(max(height, width) / DIVISOR)) * DIVISOR
            raise ValueError(
                f"data.image_size is {data.image_size}: frames are square, with a side that is a multiple of {DIVISOR}, such "
                f"as {side}"
            )
        if data.context + data.horizon < 2:
            raise ValueError("a segment has 1 frame: give data.context and data.horizon so that it has at least 2")
        if encoder.weights and encoder.width != 1:
            raise ValueError(f"encoder.width is {encoder.width}: encoder.weights need width 1.0")
        return self


class PaintingSettings(VggLstmSettings):
    """Of the paper's systems, which paint frames from nothing."""

    loss: NextFrameLossSettings

    @model_validator(mode="after")
    def _compares_fixed_features(self) -> PaintingSettings:
        if self.encoder.trained and self.loss.perceptual:
            raise ValueError(
                "loss.perceptual compares features of encoder, which training would make alike: set encoder.trained to false, "
                "or loss.perceptual to 0"
            )
        return self


class NextFrameSettings(PaintingSettings):
    system: Literal["vgg_lstm_next_frame"]
    network: NextFrameNetworkSettings


class VaeSettings(PaintingSettings):
    system: Literal["vgg_lstm_vae"]
    data: SegmentDataSettings
    network: VaeNetworkSettings
    loss: VaeLossSettings

    @model_validator(mode="after")
    def _uses_what_it_trains(self) -> VaeSettings:
        if self.network.decoder_input != "latent" and (self.loss.beta or self.encoder.trained):
            raise ValueError(
                f"network.decoder_input is {self.network.decoder_input}: nothing of the frames reaches the decoder; set "
                "loss.beta to 0 and encoder.trained to false"
            )
        return self


class PlusNetworkSettings(Section):
    """units: channels of the ConvGRU, and of the layers around it. rhythm: whether the blend has weights that depend on the
    step alone, which are fitted before training."""

    units: Units
    rhythm: bool = False


class PlusLossSettings(LossSection):
    """The weights of the terms. For each predicted frame: log10 of the mean squared error, 1 - SSIM, and by how much log10 of
    the mean squared error is above that of the last observed frame copied less 0.2 dB, where it is. Of a whole prediction: how
    wrong the amount of change from frame to frame is."""

    needed = ("log_mse", "dssim", "change")

    log_mse: NonNegativeFloat
    dssim: NonNegativeFloat
    change: NonNegativeFloat
    behind_copying: NonNegativeFloat = 0.0


class PlusSettings(VggLstmSettings):
    system: Literal["vgg_lstm_plus"]
    network: PlusNetworkSettings
    loss: PlusLossSettings

    @model_validator(mode="after")
    def _sees_motion(self) -> PlusSettings:
        self.data.check_motion()
        return self


class VaePlusNetworkSettings(Section):
    """units: channels of the ConvGRUs, and of most layers around them. latents: channels of the latent maps, which have an
    eighth of the frame's height and width."""

    units: Units
    latents: Units


class VaePlusLossSettings(Section):
    """warmup_steps: while the weight of the divergence grows from 0 to 1."""

    warmup_steps: NonNegativeInt


class VaePlusSettings(VggLstmSettings):
    system: Literal["vgg_lstm_vae_plus"]
    data: SegmentDataSettings
    network: VaePlusNetworkSettings
    loss: VaePlusLossSettings
