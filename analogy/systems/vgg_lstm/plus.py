"""Ours: the next-frame predictor that moves the last observed frame. What it can and cannot do is in docs/vgg_lstm.md."""

from __future__ import annotations

import logging
import math

import tensorflow as tf

from analogy.data.batches import ReplicaContext
from analogy.graphs import graph_function
from analogy.losses import dssim
from analogy.models.building import build
from analogy.models.pixels import fraction_to_bytes, to_fraction
from analogy.systems.movies import MoviePredictor
from analogy.systems.vgg_lstm.blend import Squares, fitted_blend, inner_products
from analogy.systems.vgg_lstm.networks.plus import FIRST_WEIGHTS, MovingFrame
from analogy.systems.vgg_lstm.segments import ReadsSegments
from analogy.systems.vgg_lstm.settings import PlusSettings
from analogy.visualise.flow import flow_colours

WINDOWS = 200  # about so many training windows fit the blend of each step
log = logging.getLogger("analogy")


class PlusSystem(ReadsSegments, MoviePredictor):
    """Predicts all future frames from the observed ones, without reading its own predictions; trained as it is tested.

    Args:
        settings: the experiment's.
    """

    def __init__(self, settings: PlusSettings):
        super().__init__(settings)
        self.features = self.make_features()
        self.network = MovingFrame(channels=self.frame[-1], **settings.network.model_dump())
        build(self.network, (None, 2, *self.frame), (None, 2, self.features.count(self.frame)), count=1)
        self.models = {"features": self.features, "network": self.network}
        self.exported = [self.features, self.network]

    def trained_networks(self):
        return [self.network]

    def begin(self, dataset):
        """Fit the blend of each step to training windows, while all else is as it begins."""
        training, loss, k = self.settings.training, self.settings.loss, self.context
        if training.start_from or not self.network.rhythm or not (loss.log_mse or loss.change or loss.behind_copying):
            return

        @graph_function
        def products_of(frames):
            return inner_products(frames[:, k:], self.network.first_pictures(frames[:, :k], self.horizon))

        batches = dataset.batches(ReplicaContext(batch_size=training.batch_size)).take(math.ceil(WINDOWS / training.batch_size))
        products = tf.concat([products_of(batch["values"]) for batch in batches], 0)
        self.network.set_rhythm(fitted_blend(products, FIRST_WEIGHTS, self.weighted))
        log.info("the blend of each step is fitted to %d training windows", len(products))

    def train_step(self, batch):
        k = self.context
        observed_frames, truth = batch["values"][:, :k], batch["values"][:, k:]
        with tf.GradientTape() as tape:
            predicted, _ = self.network(observed_frames, self.read_features(batch, k), count=self.horizon)
            squares = Squares.of_frames(truth, predicted, observed_frames[:, -1])
            terms = self.weighted(squares.terms() | {"dssim": lambda: self._dssim(truth, predicted)})
        return self.descend("network", tape, terms)

    def _dssim(self, truth, predicted):
        """1 - SSIM of frames [B, T, H, W, C] in 0..1, the mean of each prediction: [B]."""
        of_frames = dssim(*(tf.reshape(frames, [-1, *self.frame]) for frames in (truth, predicted)))
        return tf.reduce_mean(tf.reshape(of_frames, tf.shape(truth)[:2]), 1)

    # ---------------------------------------------------------------- prediction

    def _further_pictures(self, answer):
        """The flow in colours."""
        return {"flow": flow_colours(answer["flow"][0])}

    def protocol(self, dataset):
        return f"{super().protocol(dataset)}; {self.features_in_words()}; {self.training_in_words(dataset)}"

    # ---------------------------------------------------------------- export

    def endpoints(self):
        @graph_function(input_signature=self.input_specs())
        def predict(frames, count):
            """Any number of observed frames, at least 2 -> the next `count` frames, and the flow of each in pixels: how far to
            the right and down its pixels were in the last observed frame, float32 [B, count, H, W, 2]."""
            checks = [
                tf.debugging.assert_greater(tf.shape(frames)[1], 1, "frames: give at least 2, which show motion"),
                tf.debugging.assert_positive(count, "count: predict at least 1 frame"),
            ]
            with tf.control_dependencies(checks):
                values = to_fraction(frames)
            future, flow = self.network.roll(values, self.features(values), count)
            return {"future": fraction_to_bytes(future), "flow": flow}

        return {"predict": predict}
