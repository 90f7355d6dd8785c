"""The Seq2Seq LSTM on sequences, and the ConvLSTM on videos (Coleman)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from analogy.data.batches import draw_uniform
from analogy.data.contract import name_with_notes
from analogy.data.sequences import SequenceDataset, SequenceGroup
from analogy.graphs import graph_function
from analogy.models.building import build
from analogy.predictions.sequences import PredictedSequences
from analogy.random_streams import StepStream
from analogy.systems.base import ALL, Column, System
from analogy.systems.movies import MovieSystem, frame_shape
from analogy.systems.seq2seq.networks import Seq2Seq
from analogy.systems.seq2seq.settings import ConvLstmSettings, LstmSettings
from analogy.visualise.plots import sequence_grid


class Seq2SeqSystem(System):
    """The LSTM encoder and decoder on sequences, trained on the mean squared error of all future values.

    Args:
        settings: the experiment's.
    """

    pooled = True
    kernel_size = 0  # side of the convolution kernels; 0: dense layers

    def __init__(self, settings: LstmSettings | ConvLstmSettings):
        super().__init__(settings)
        self.frame = self._frame_shape()
        self.context, self.horizon = settings.data.context, settings.data.horizon
        self.network = Seq2Seq(channels=self.frame[-1], kernel_size=self.kernel_size, **settings.network.model_dump())
        build(self.network, (None, 1, *self.frame), horizon=1)
        self.models, self.exported = {"network": self.network}, [self.network]

    def _frame_shape(self) -> list[int]:
        """The shape of one time step."""
        return [1]

    def train_step(self, batch):
        observed, future = batch["values"][:, : self.context], batch["values"][:, self.context :]
        with tf.GradientTape() as tape:
            predicted = self.network(observed, horizon=self.horizon, **self._scheduled_sampling(batch, future))
            error = tf.square(predicted - future)
            terms = {"loss": tf.reduce_mean(tf.reshape(error, [tf.shape(error)[0], -1]), 1)}
        return self.descend("network", tape, terms)

    def _scheduled_sampling(self, batch, future) -> dict[str, tf.Tensor]:
        """The network's arguments for scheduled sampling (Bengio et al. 2015); none without it.

        The share of true frames among the decoder's inputs falls linearly from 1 to 0 over `scheduled_sampling` updates.
        """
        steps = self.settings.scheduled_sampling
        if not steps:
            return {}
        share = 1.0 - tf.cast(batch["step"], tf.float32) / steps
        use_true = draw_uniform(self.settings, batch, StepStream.SCHEDULED_SAMPLING, [self.horizon]) < share
        return {"true_future": future, "use_true": tf.cast(use_true, tf.float32)}

    # ---------------------------------------------------------------- prediction

    def _future(self, observed):
        return tf.clip_by_value(self.network(observed, horizon=self.horizon), 0.0, 1.0)

    def predict(self, observed: np.ndarray) -> np.ndarray:
        """Observed values [N, k, ...] in 0..1 -> future values [N, T, ...] in 0..1."""
        return self.endpoint("predict")(values=tf.constant(observed))["future"].numpy()

    def predict_clips(self, dataset: SequenceDataset, share=ALL) -> Iterator[PredictedSequences]:
        linear = _linear_map(dataset.values[:, : self.context], dataset.values[:, self.context :])
        pictured_ids = {group.id for group in self.selected_clips(dataset.test)}
        for group in dataset.test[share]:
            observed, truth = group.values[:, : self.context], group.values[:, self.context :]
            yield PredictedSequences(
                clip=group.id,
                action=group.action,
                distance=np.arange(1, self.horizon + 1),
                observed=observed,
                truth=truth,
                prediction=self.predict(observed),
                linear_map=linear(observed),
                with_pictures=group.id in pictured_ids,
            )

    def panel_columns(self, dataset: SequenceDataset, group: SequenceGroup):
        """A plot of the first sequences of a group: observed, true future and predicted values."""
        observed, truth = group.values[:, : self.context], group.values[:, self.context :]
        return [Column("sequences", sequence_grid(observed[..., 0], truth[..., 0], self.predict(observed)[..., 0]))]

    def protocol(self, dataset: SequenceDataset) -> str:
        count = sum(len(group.values) for group in dataset.test)
        return (
            f"{name_with_notes(dataset)}: {len(dataset.values)} training and {count} test sequences of {self.context} observed "
            f"and {self.horizon} predicted values in 0..1; mean squared error over all of them (the published figures are of "
            f"200: clip 000 is the first {len(dataset.test[0].values)}); baselines: the best linear map of the observed "
            f"values, fitted to the float32 training sequences, the last value, and 0.5; seed {self.settings.seed}"
        )

    # ---------------------------------------------------------------- export

    def endpoints(self):
        @graph_function(input_signature=[tf.TensorSpec([None, self.context, *self.frame], tf.float32, "values")])
        def predict(values):
            """Observed values in 0..1 -> the next ones."""
            return {"future": self._future(values)}

        return {"predict": predict}


class ConvLstmSystem(MovieSystem, Seq2SeqSystem):
    """The ConvLSTM encoder and decoder on videos, trained in the same way.

    Args:
        settings: the experiment's.
    """

    pooled = False
    kernel_size = 3

    def _frame_shape(self):
        return frame_shape(self.settings)

    def _predict_movie(self, movie):
        """The frames as the network predicts them, not rounded to bytes."""
        observed = movie.frames[None, : self.context].astype(np.float32) / 255.0
        return self.predict(observed)[0], {}

    def protocol(self, dataset) -> str:
        return (
            f"{name_with_notes(dataset)}: {len(dataset.test)} test windows of {self.context} observed and {self.horizon} "
            f"predicted frames, {self.frame[0]} x {self.frame[1]}; mean squared error of the unrounded prediction, values in "
            f"0..1; PSNR and SSIM (11 x 11 Gaussian) of uint8 frames; averaged over frames, then over windows; baselines: the "
            f"last observed frame copied, and half of the motion between the last two of them continued (OpenCV's DIS flow); "
            f"seed {self.settings.seed}"
        )


def _linear_map(observed: np.ndarray, future: np.ndarray):
    """A baseline: the affine map from observed values [N, k, C] to future values [N, T, C] with the least squared error, as a
    function."""

    def rows(values):
        flat = values.reshape(len(values), -1).astype(np.float64)
        return np.concatenate([flat, np.ones((len(flat), 1))], 1)

    weights = np.linalg.lstsq(rows(observed), future.reshape(len(future), -1).astype(np.float64), rcond=None)[0]
    return lambda values: (rows(values) @ weights).reshape(len(values), *future.shape[1:])
