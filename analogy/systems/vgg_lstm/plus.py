"""Ours: the next-frame predictor that moves the last observed frame. What it can and cannot do is in docs/vgg_lstm.md."""

from __future__ import annotations

import tensorflow as tf

from analogy.losses import dssim, log_squared_error
from analogy.models.building import build
from analogy.models.pixels import fraction_to_bytes
from analogy.systems.movies import MoviePredictor
from analogy.systems.vgg_lstm.networks.plus import MovingFrame
from analogy.systems.vgg_lstm.segments import ReadsSegments
from analogy.systems.vgg_lstm.settings import PlusSettings
from analogy.visualise.flow import flow_colours

SMALLEST_CHANGE = 1e-2  # added to the change of the true frames, which may stand still; values in 0..1


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

    def train_step(self, batch):
        k = self.context
        observed_frames, truth = batch["values"][:, :k], batch["values"][:, k:]
        with tf.GradientTape() as tape:
            predicted, _ = self.network(observed_frames, self.read_features(batch, k), count=self.horizon)
            copied = tf.repeat(observed_frames[:, -1:], self.horizon, 1)
            terms = self.weighted_over_frames(self._errors(truth, predicted, copied), tf.shape(truth), tf.reduce_mean)
            terms |= self.weighted({"change": lambda: change_error(truth, predicted)})
        return self.descend("network", tape, terms)

    def _errors(self, truth, predicted, copied):
        """Name -> function that gives a term of each frame [B T]; frames [B, T, H, W, C] in 0..1."""
        truth, predicted, copied = (tf.reshape(frames, [-1, *self.frame]) for frames in (truth, predicted, copied))
        error, error_of_copying = (log_squared_error(truth, frames) for frames in (predicted, copied))
        return {
            "log_mse": lambda: error,
            "dssim": lambda: dssim(truth, predicted),
            "behind_copying": lambda: tf.nn.relu(error - error_of_copying),
        }

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
            return {"future": fraction_to_bytes(future), "flow": flow}

        return {"predict": predict}


def change_error(truth, predicted):
    """How wrong the amount of change within a prediction is: 0 where it is right, 1 where nothing changes at all.

    The amount is the root of the mean squared difference of successive frames, over all of them. The squared error alone makes
    what is uncertain stand still; this error asks for as much change as there is in truth, wherever it costs least. The change
    from the last observed frame to the first prediction does not count: that frame can be known best.

    Args:
        truth, predicted: the future frames [B, T, H, W, C] in 0..1.

    Returns:
        [B], relative to the truth's change; 0 for a single frame.
    """
    true, ours = (_change(frames) for frames in (truth, predicted))
    return tf.abs(ours - true) / (true + SMALLEST_CHANGE)


def _change(frames):
    """The root mean squared change from each frame to the next, [B, T, H, W, C] -> [B]."""
    squares = tf.reduce_mean(tf.square(frames[:, 1:] - frames[:, :-1]), [2, 3, 4])
    return tf.sqrt(tf.reduce_sum(squares, 1) / max(1, frames.shape[1] - 1) + 1e-10)
