"""Ours: a ladder network that moves the last observed frame. What it can and cannot do is in docs/lvln.md."""

from __future__ import annotations

import tensorflow as tf

from analogy.data.batches import draw_uniform
from analogy.graphs import graph_function
from analogy.losses import dssim, log_squared_error, mean_per_example
from analogy.models.building import build
from analogy.models.pixels import fraction_to_bytes, to_fraction
from analogy.random_streams import StepStream
from analogy.systems.lvln.networks.lateral import named_states
from analogy.systems.lvln.networks.plus import MovingLadder
from analogy.systems.lvln.settings import PlusSettings, trained_horizon
from analogy.systems.movies import MoviePredictor
from analogy.visualise.flow import flow_colours

SMALLEST_PART = 0.75  # of the sides of training windows, where a part is enlarged
SMALLEST_SLOPE = 1e-4  # added to the slopes of the true frame, which may be flat


class PlusSystem(MoviePredictor):
    """The moving ladder, trained on the frames that it predicts one after the other.

    Args:
        settings: the experiment's.
    """

    def __init__(self, settings: PlusSettings):
        super().__init__(settings)
        self.network = MovingLadder(channels=self.frame[-1], **settings.network.model_dump())
        build(self.network, (None, 2, *self.frame), count=1)
        self.models, self.exported = {"network": self.network}, [self.network]

    # ---------------------------------------------------------------- training

    def train_step(self, batch):
        k, count = self.context, trained_horizon(self.settings)
        frames = self._augmented(batch)[:, : k + count]
        with tf.GradientTape() as tape:
            predicted, _ = self.network(frames[:, :k], count=count)
            terms = self._terms(frames[:, k:], predicted)
        return self.descend("network", tape, terms)

    def _augmented(self, batch):
        """The windows of the batch, of which half are mirrored, half are played backwards, and half are enlarged parts."""
        frames = batch["values"]
        if not self.settings.augment:
            return frames
        drawn = draw_uniform(self.settings, batch, StepStream.AUGMENTATION, [6])
        mirrored, backwards, enlarged = (drawn[:, index] < 0.5 for index in range(3))
        sides = tf.where(enlarged, SMALLEST_PART + (1 - SMALLEST_PART) * drawn[:, 3], 1.0)
        frames = cut_out(frames, sides, drawn[:, 4:])
        frames = tf.where(mirrored[:, None, None, None, None], frames[:, :, :, ::-1], frames)
        return tf.where(backwards[:, None, None, None, None], frames[:, ::-1], frames)

    def _terms(self, truth, predicted) -> dict[str, tf.Tensor]:
        """The weighted terms of each example, means over its frames [B, T, H, W, C]: name -> [B]."""
        shape = tf.shape(truth)
        truth, predicted = (tf.reshape(frames, [-1, *self.frame]) for frames in (truth, predicted))
        terms = {
            "log_mse": lambda: log_squared_error(truth, predicted),
            "dssim": lambda: dssim(truth, predicted),
            "blur": lambda: tf.nn.relu(1.0 - slopes(predicted) / (slopes(truth) + SMALLEST_SLOPE)),
        }
        return self.weighted_over_frames(terms, shape, tf.reduce_mean)

    def _further_pictures(self, answer):
        """The flow in colours."""
        return {"flow": flow_colours(answer["flow"][0])}

    # ---------------------------------------------------------------- export

    def endpoints(self):
        specs = self.input_specs()

        @graph_function  # traced once for both endpoints
        def roll(frames, count):
            enough = tf.debugging.assert_greater(tf.shape(frames)[1], 1, "frames: give at least 2, which show motion")
            with tf.control_dependencies([enough]):
                future, flow, scene = self.network.roll(to_fraction(frames), count)
            return future, flow, scene.states

        @graph_function(input_signature=specs)
        def predict(frames, count):
            """Any number of observed frames, at least 2 -> the next `count` frames, and the flow of each in pixels: how far to
            the right and down its pixels were in the last observed frame, float32 [B, count, H, W, 2]."""
            with tf.control_dependencies([tf.debugging.assert_positive(count, "count: predict at least 1 frame")]):
                future, flow, _ = roll(frames, count)
            return {"future": fraction_to_bytes(future), "flow": flow}

        @graph_function(input_signature=specs)
        def states(frames, count):
            """What the network remembers after the observed frames and `count` of its own answers, 0 or more: the states of the
            ConvGRUs c1 (the finest) to c3, float32 [B, H', W', units]."""
            return named_states(roll(frames, count)[2])

        return {"predict": predict, "states": states}


def slopes(images):
    """The mean absolute difference of neighbours to the right plus that of neighbours below, of each image: [B]."""
    to_right, down = images[:, :, 1:] - images[:, :, :-1], images[:, 1:] - images[:, :-1]
    return mean_per_example(tf.abs(to_right)) + mean_per_example(tf.abs(down))


def cut_out(frames, sides, places):
    """The part of each window [B, T, H, W, C] with these sides [B], as shares of H and W, enlarged to H x W bilinearly.

    places: [B, 2], down and to the right, in 0..1: of all places where the part can lie, 0 is the first and 1 the last.
    """
    count, height, width, channels = frames.shape[1:]
    start = (1 - sides)[:, None] * places
    boxes = tf.repeat(tf.concat([start, start + sides[:, None]], 1), count, 0)
    images = tf.reshape(frames, [-1, height, width, channels])
    parts = tf.image.crop_and_resize(images, boxes, tf.range(tf.shape(boxes)[0]), [height, width])
    return tf.reshape(parts, [-1, count, height, width, channels])
