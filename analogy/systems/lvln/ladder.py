"""The location-dependent video ladder network, which predicts the next frames of a video (spec lvln)."""

from __future__ import annotations

from functools import partial

import numpy as np
import tensorflow as tf

from analogy.data.movies import Movie
from analogy.graphs import graph_function
from analogy.losses import dssim, mean_per_example
from analogy.models.building import build
from analogy.models.pixels import fraction_to_bytes, to_fraction
from analogy.models.rollout import roll, unroll
from analogy.pretrained.names import weights_name
from analogy.pretrained.torchvision_resnet import load_into_resnet
from analogy.systems.base import Column, Panels
from analogy.systems.lvln.networks.ladder import Ladder
from analogy.systems.lvln.networks.lateral import named_states
from analogy.systems.lvln.networks.toy import ToyLadder
from analogy.systems.lvln.settings import LadderSettings, trained_horizon
from analogy.systems.movies import MoviePredictor

# Of ImageNet's images, RGB in 0..1.
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class LadderSystem(MoviePredictor):
    """A ladder network, trained on the frames that it predicts one after the other.

    In training, batch normalisation uses the statistics of the batch. Predictions use the running statistics, so that no frame
    depends on the other videos of its batch.

    Args:
        settings: the experiment's.
    """

    def __init__(self, settings: LadderSettings):
        super().__init__(settings)
        self.silent = 1 if settings.align == "code" else 0  # answers that are fed back before the first prediction
        self.network = self._make_network()
        build(self.network, (None, *self.frame))
        self.models, self.exported = {"network": self.network}, [self.network]

    def _make_network(self) -> Ladder | ToyLadder:
        network, encoder = self.settings.network, self.settings.encoder
        common = {"channels": self.frame[-1], "width": network.width}
        if network.kind == "toy":
            return ToyLadder(**common)
        return Ladder(
            full_resolution=network.kind == "full_resolution",
            head=network.head,
            columns=network.column_map,
            encoder_in_training=encoder.trained or encoder.frozen_batch_norm == "training",
            **common,
        )

    def plan_optimizers(self):
        frozen = set()
        if self.network.encoder is not None and not self.settings.encoder.trained:
            frozen = {id(variable) for variable in self.network.encoder.variables}
        return {"network": (self.settings.optimizer, [v for v in self.network.trainable_variables if id(v) not in frozen])}

    def prepare_training(self):
        if weights := self.settings.encoder.weights:
            load_into_resnet(self.network.encoder, weights)
        super().prepare_training()

    @property
    def protocol_notes(self) -> str:
        """What the encoder is, and which answer is the first prediction."""
        encoder = self.settings.encoder
        if self.network.encoder is None:
            resnet = "no ResNet"
        else:
            weights = weights_name("ResNet-18", encoder.weights) if encoder.weights else "ResNet-18 without published weights"
            resnet = f"{weights}, {'trained' if encoder.trained else 'frozen'}"
        first = {
            "paper": "the answer to the last observed frame",
            "code": "the second answer after the last observed frame: the first is fed back, as in the published code",
        }[self.settings.align]
        return f"{resnet}; the first prediction is {first}; running statistics of batch normalisation; "

    # ---------------------------------------------------------------- training

    def train_step(self, batch):
        k, count = self.context, trained_horizon(self.settings)
        frames = self._from_unit(batch["values"][:, : k + count])
        with tf.GradientTape() as tape:
            predicted = unroll(partial(self.network, training=True), frames[:, :k], count, silent=self.silent)
            terms = self._terms(frames[:, k:], tf.stack(predicted, 1))
        return self.descend("network", tape, terms)

    def _terms(self, truth, predicted) -> dict[str, tf.Tensor]:
        """The weighted terms of each example, summed over its frames [B, T, H, W, C]: name -> [B]."""
        shape = tf.shape(truth)
        truth, predicted = (tf.reshape(frames, [-1, *self.frame]) for frames in (truth, predicted))
        terms = {
            "dssim": partial(dssim, truth, predicted, zero_padding=True),
            "mse": lambda: mean_per_example(tf.square(truth - predicted)),
            "l1": lambda: mean_per_example(tf.abs(truth - predicted)),
        }
        return self.weighted_over_frames(terms, shape, tf.reduce_sum)

    # ---------------------------------------------------------------- the range of the network's frames

    def _colours(self) -> tuple[np.ndarray, np.ndarray]:
        """ImageNet's mean and deviation for the channels of a frame."""
        colours = np.array([IMAGENET_MEAN, IMAGENET_DEVIATION], np.float32)
        return tuple(colours if self.frame[-1] == 3 else colours.mean(1, keepdims=True))

    def _from_unit(self, frames):
        """Frames in 0..1 -> the range that the network reads and predicts."""
        if not self.settings.normalise:
            return frames
        mean, deviation = self._colours()
        return (frames - mean) / deviation

    def _to_bytes(self, frames):
        """The reverse of `_from_unit`, clipped to 0..1 and as uint8."""
        if self.settings.normalise:
            mean, deviation = self._colours()
            frames = frames * deviation + mean
        return fraction_to_bytes(frames)

    # ---------------------------------------------------------------- pictures

    def sample_panels(self, dataset):
        """The panels of the base class; and for each test clip, what one filter of the finest ConvGRU remembers over time."""
        yield from super().sample_panels(dataset)
        for movie in self.selected_clips(dataset.test):
            yield Panels("test", movie.action, f"{movie.id}_memory", self._memory_columns(movie))

    def _memory_columns(self, movie: Movie) -> list[Column]:
        """The observed frames, each with the state of one filter of C1 after it: the filter that varies most at the end."""
        observed_frames, columns = np.asarray(movie.frames[: self.context]), []
        c1 = [self._states(observed_frames[:count])["c1"] for count in range(1, self.context + 1)]  # [H', W', channels] each
        number = int(c1[-1].std((0, 1)).argmax())
        for time, (frame, state) in enumerate(zip(observed_frames, c1, strict=True), 1):
            picture = np.rint(127.5 * (1.0 + state[..., number, None])).astype(np.uint8)  # states lie in -1..1
            columns += [Column(f"frame {time}", frame), Column(f"C1 state {number}", picture)]
        return columns

    def _states(self, frames: np.ndarray) -> dict[str, np.ndarray]:
        states = self.endpoint("states")(frames=tf.constant(frames[None]), count=tf.constant(0))
        return {name: value.numpy()[0] for name, value in states.items()}

    # ---------------------------------------------------------------- export

    def endpoints(self):
        specs = self.input_specs()

        @graph_function  # traced once for both endpoints
        def answers_and_states(frames, own):
            """What the network answers to uint8 frames and to `own` of its answers, and what it remembers after them."""
            zeros = [lateral.zero_states(tf.shape(frames)[0]) for lateral in self.network.laterals]
            values = self._from_unit(to_fraction(frames))
            return roll(partial(self.network, training=False), values, own, zeros)

        @graph_function(input_signature=specs)
        def predict(frames, count):
            """Any number of observed frames, at least 2 to show motion -> the next `count` frames."""
            with tf.control_dependencies([tf.debugging.assert_positive(count, "count: predict at least 1 frame")]):
                answers, _ = answers_and_states(frames, self.silent + count - 1)
                return {"future": self._to_bytes(answers[:, -count:])}

        @graph_function(input_signature=specs)
        def states(frames, count):
            """What the network remembers after the observed frames and `count` of its own answers, 0 or more: c1 (the finest
            level) to the deepest, the states of the three ConvGRUs one after the other [B, H', W', 3 units], float32."""
            return named_states(answers_and_states(frames, count)[1])

        return {"predict": predict, "states": states}
