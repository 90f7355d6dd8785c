"""Two systems of one paper: a convolution that says the next frame, and another that builds on a run of the first."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from analogy.graphs import graph_function
from analogy.predictions.frames import UnroundedFrames
from analogy.systems.base import ALL, Column, System
from tests.sixth_paper.dataset import SIDE


class OneConvolution(System):
    """The next frame is a 5 x 5 convolution of the last one.

    Args:
        settings: the experiment's.
    """

    paints = True

    def __init__(self, settings, used=None):
        super().__init__(settings, used)
        self.context, self.horizon = settings.data.context, settings.data.horizon
        self.network = keras.Sequential([keras.layers.Input((SIDE, SIDE, 1)), keras.layers.Conv2D(1, 5, padding="same")])
        self.models, self.exported = {"network": self.network}, [self.network]

    def train_step(self, batch):
        observed, truth = batch["values"][:, : self.context], batch["values"][:, self.context :]
        with tf.GradientTape() as tape:
            error = tf.reduce_mean(tf.square(self.future(observed) - truth), [1, 2, 3, 4])
        return self.descend("network", tape, {"loss": error})

    def future(self, observed):
        """[B, k, H, W, 1] in 0..1 -> [B, T, H, W, 1]."""
        frame, frames = observed[:, -1], []
        for _ in range(self.horizon):
            frame = self.network(frame)
            frames.append(frame)
        return tf.stack(frames, 1)

    def endpoints(self):
        spec = tf.TensorSpec([None, self.context, SIDE, SIDE, 1], tf.float32, "values")

        @graph_function(input_signature=[spec])
        def predict(values):
            """Observed frames in 0..1 -> the next ones."""
            return {"future": self.future(values)}

        return {"predict": predict}

    def predict(self, movie) -> np.ndarray:
        """The movie's future frames in 0..1, float32 [T, H, W, 1]."""
        observed = tf.constant(movie.frames[None, : self.context], tf.float32) / 255.0
        return np.clip(self.endpoint("predict")(values=observed)["future"][0], 0.0, 1.0)

    def predict_clips(self, dataset, share=ALL) -> Iterator[UnroundedFrames]:
        k = self.context
        for movie in dataset.test[share]:
            future = self.predict(movie)
            yield UnroundedFrames(
                clip=movie.id,
                action=movie.action,
                distance=np.arange(1, self.horizon + 1),
                observed_frames=movie.frames[:k],
                truth=movie.frames[k:],
                prediction=np.rint(255.0 * future).astype(np.uint8),
                baseline=np.repeat(movie.frames[k - 1 : k], self.horizon, 0),
                baseline_name="copy_last_frame",
                unrounded=future,
                with_pictures=True,
            )

    def panel_columns(self, dataset, movie):
        future = np.rint(255.0 * self.predict(movie)).astype(np.uint8)
        return [Column("truth", movie.frames[-1]), Column("prediction", future[-1], predicted=True)]

    def protocol(self, dataset):
        return f"{dataset.name}: {len(dataset.test)} test videos, {self.context} observed and {self.horizon} predicted frames"


class RefinedConvolution(OneConvolution):
    """The same network on top of what a run of the first has predicted, which stays as it is.

    `uses: {draft: ...}` names that run; the constructor is given its loaded SavedModel.
    """

    needs = {"draft": "predict"}

    def __init__(self, settings, used):
        super().__init__(settings, used)
        self.draft = self.used_endpoint("draft", values=[None, self.context, SIDE, SIDE, 1])

    def future(self, observed):
        draft = self.draft(values=observed)["future"]
        refined = self.network(tf.reshape(draft, [-1, SIDE, SIDE, 1]))
        return draft + tf.reshape(refined, tf.shape(draft))
