"""Ours: the next-frame predictor that moves the last observed frame. What it can and cannot do is in docs/vgg_lstm.md."""

from __future__ import annotations

import tensorflow as tf

from analogy.losses import dssim, log_squared_error
from analogy.models.building import build
from analogy.systems.movies import MoviePredictor
from analogy.systems.vgg_lstm.networks.plus import MovingFrame
from analogy.systems.vgg_lstm.segments import ReadsSegments
from analogy.systems.vgg_lstm.settings import PlusSettings
from analogy.visualise.flow import flow_colours


class PlusSystem(ReadsSegments, MoviePredictor):
    """Predicts all future frames from the observed ones, without reading its own predictions; trained as it is tested.

    Args:
        settings: the experiment's.
    """

    def __init__(self, settings: PlusSettings):
        super().__init__(settings)
        self.features = self.make_features()
        self.network = MovingFrame(channels=self.frame[-1], units=settings.network.units)
        build(self.network, (None, 2, *self.frame), (None, 2, self.features.count(self.frame)), count=1)
        self.models = {"features": self.features, "network": self.network}
        self.exported = [self.features, self.network]

    def trained_networks(self):
        return [self.network]

    def train_step(self, batch):
        k = self.context
        observed_frames, truth = batch["values"][:, :k], batch["values"][:, k:]
        with tf.GradientTape() as tape:
            predicted, _ = self.network(observed_frames, self.read_features(batch, k), count=self.horizon)
            shape = tf.shape(truth)
            truth, predicted = (tf.reshape(frames, [-1, *self.frame]) for frames in (truth, predicted))
            terms = {"log_mse": lambda: log_squared_error(truth, predicted), "dssim": lambda: dssim(truth, predicted)}
            terms = self._weighted(terms, shape, tf.reduce_mean)
        return self.descend("network", tape, terms)

    # ---------------------------------------------------------------- prediction

    def _further_pictures(self, answer):
        """The flow in colours."""
        return {"flow": flow_colours(answer["flow"][0])}

    def protocol(self, dataset):
        return f"{super().protocol(dataset)}; {self.features_in_words()}; {self.training_in_words(dataset)}"

    # ---------------------------------------------------------------- export

    def endpoints(self):
        @tf.function(input_signature=self.input_specs())
        def predict(frames, count):
            """Any number of observed frames, at least 2 -> the next `count` frames, and the flow of each in pixels: how far to
            the right and down its pixels were in the last observed frame, float32 [B, count, H, W, 2]."""
            checks = [
                tf.debugging.assert_greater(tf.shape(frames)[1], 1, "frames: give at least 2, which show motion"),
                tf.debugging.assert_positive(count, "count: predict at least 1 frame"),
            ]
            with tf.control_dependencies(checks):
                values = tf.cast(frames, tf.float32) / 255.0
            future, flow = self.network.roll(values, self.features(values), count)
            return {"future": tf.cast(tf.round(255.0 * tf.clip_by_value(future, 0.0, 1.0)), tf.uint8), "flow": flow}

        return {"predict": predict}
