"""The next-frame predictor (spec vgg_lstm)."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from analogy.graphs import graph_function
from analogy.models.building import build
from analogy.models.pixels import fraction_to_bytes, to_fraction
from analogy.models.rollout import roll
from analogy.systems.movies import MoviePredictor
from analogy.systems.vgg_lstm.networks.next_frame import NextFrame
from analogy.systems.vgg_lstm.segments import ReadsSegments
from analogy.systems.vgg_lstm.settings import NextFrameSettings


class NextFrameSystem(ReadsSegments, MoviePredictor):
    """Predicts each frame of a segment from the true ones before it; at the test, also from its own predictions.

    Training gives it every true frame (teacher forcing), as the paper does. The test figures are of running free: it reads the
    observed frames, and then its own predictions, encoded again. Beside them stands `teacher_forced`, which sees every true
    frame before the one that it predicts: the paper's own test.

    Args:
        settings: the experiment's.
    """

    def __init__(self, settings: NextFrameSettings):
        super().__init__(settings)
        self.features = self.make_features()
        self.network = NextFrame(side=self.frame[0], channels=self.frame[-1], **settings.network.model_dump())
        build(self.network, (None, 2, self.features.count(self.frame)))
        self.models = {"features": self.features, "network": self.network}
        self.exported = [self.features, self.network]

    def trained_networks(self):
        return [self.network]

    def train_step(self, batch):
        with tf.GradientTape() as tape:
            terms = self.error_terms(batch["values"][:, 1:], self.network(self.read_features(batch, -1)))
        return self.descend("network", tape, terms)

    # ---------------------------------------------------------------- prediction

    def _other_methods(self, movie):
        segment = np.asarray(movie.frames[: self.context + self.horizon])
        forced = self.endpoint("answers")(frames=tf.constant(segment[None, :-1]))["next_frames"].numpy()[0]
        return {**super()._other_methods(movie), "teacher_forced": forced[self.context - 1 :]}

    def protocol(self, dataset):
        return (
            f"{super().protocol(dataset)}; predictions run free; teacher_forced sees every true frame before; "
            f"{self.features_in_words()}; {self.training_in_words(dataset)}"
        )

    # ---------------------------------------------------------------- export

    def endpoints(self):
        frames_spec, count_spec = self.input_specs()

        def cell(frame, states):
            return self.network.step(self.features(frame[:, None])[:, 0], states)

        def answers_to(frames, own):
            """The frame after each of uint8 frames [B, k, H, W, C] and after each of `own` answers: uint8 [B, k + own, ...]."""
            values = to_fraction(frames)
            answers, _ = roll(cell, values, own, self.network.zero_states(tf.shape(frames)[0]))
            return fraction_to_bytes(answers)

        @graph_function(input_signature=[frames_spec, count_spec])
        def predict(frames, count):
            """Any number of observed frames -> the next `count` frames, each from those before it."""
            with tf.control_dependencies([tf.debugging.assert_positive(count, "count: predict at least 1 frame")]):
                return {"future": answers_to(frames, count - 1)[:, -count:]}

        @graph_function(input_signature=[frames_spec])
        def answers(frames):
            """Any number of true frames -> for each the prediction of the frame after it (teacher forcing)."""
            return {"next_frames": answers_to(frames, 0)}

        return {"predict": predict, "answers": answers}
