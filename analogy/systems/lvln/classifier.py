"""Action recognition from the states of a trained ladder network, which stays as it is (spec section 5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from analogy.data.batches import ReplicaContext, draw_uniform, dropout_mask
from analogy.data.contract import name_with_notes
from analogy.data.movies import Movie
from analogy.errors import UserError
from analogy.graphs import graph_function
from analogy.models.building import build
from analogy.models.pixels import to_fraction
from analogy.predictions.actions import PredictedActions
from analogy.random_streams import StepStream
from analogy.runs.find import inputs_of
from analogy.systems.base import ALL, Column, Panels, System
from analogy.systems.lvln.networks.classifier import Classifier, state_features
from analogy.systems.lvln.settings import LadderClassifierSettings
from analogy.visualise.plots import confusion_matrix
from data_prep.datasets import find_opening


class LadderClassifier(System):
    """Classifies the action in a window of frames from what a predictor remembers of it.

    The predictor reads the first `context` frames and then its own next `horizon` answers; with `full_video` it reads all
    frames of the window instead. A window's class is the number of its action in the sorted names of the dataset's actions.

    Args:
        settings: the experiment's. used: "predictor" -> a SavedModel with the endpoint `states`.

    Raises:
        UserError: the predictor reads frames of another size.
    """

    needs = {"predictor": "states"}

    def __init__(self, settings: LadderClassifierSettings, used: Mapping[str, object]):
        super().__init__(settings, used)
        data, network = settings.data, settings.network
        self.context, self.horizon = data.context, data.horizon
        self.window = data.context + data.horizon
        self.frame = [*data.size, find_opening(settings).channels]
        wanted = inputs_of(self.used["predictor"], "states")["frames"].shape.as_list()[2:]
        if wanted != self.frame:
            raise UserError(
                f"uses.predictor: {settings.uses['predictor']} reads frames of {wanted} (height, width, channels), and "
                f"data.image_size and data.dataset give {self.frame}: set data.image_size to that of the predictor"
            )
        self.classes = network.classes
        spec = tf.TensorSpec([None, self.window, *self.frame], tf.uint8)
        inputs = graph_function(self._features).get_concrete_function(spec).structured_outputs.shape[-1]
        self.network = Classifier(inputs=inputs, units=network.units, classes=self.classes, normalised=network.normalised)
        build(self.network, (None, inputs))
        self.models, self.exported = {"network": self.network}, [self.network]

    def _features(self, frames):
        """Frames uint8 [B, k + T, H, W, C] -> what the classifier reads, float32 [B, N]."""
        which = self.settings.network.features
        if which == "pixels":
            return tf.reshape(to_fraction(frames[:, -1]), [-1, int(np.prod(self.frame))])
        whole = self.settings.full_video
        observed, count = (frames, 0) if whole else (frames[:, : self.context], self.horizon)
        states = self.used["predictor"].states(frames=observed, count=tf.constant(count))
        return state_features(states, which)

    # ---------------------------------------------------------------- training

    def train_batches(self, dataset, context: ReplicaContext) -> tf.data.Dataset:
        if len(dataset.classes) > self.classes:
            count = len(dataset.classes)
            raise UserError(f"network.classes is {self.classes}: {dataset.name} has {count} actions; set it to {count}")
        return super().train_batches(dataset, context)

    def train_step(self, batch):
        dropout, units = self.settings.network.dropout, self.settings.network.units
        features = self._features(tf.cast(tf.round(255.0 * batch["values"]), tf.uint8))
        draws = draw_uniform(self.settings, batch, StepStream.DROPOUT, [units])
        keep = dropout_mask(draws, dropout)
        with tf.GradientTape() as tape:
            logits = self.network(features, keep, training=True)
            terms = {"loss": keras.losses.sparse_categorical_crossentropy(batch["label"], logits, from_logits=True)}
        right = tf.cast(tf.equal(tf.argmax(logits, -1, tf.int32), batch["label"]), tf.float32)
        return {**self.descend("network", tape, terms), "accuracy": self.mean({"accuracy": right})}

    # ---------------------------------------------------------------- prediction

    def predict(self, frames: np.ndarray) -> np.ndarray:
        """Frames uint8 [N, k + T, H, W, C] -> probabilities of the classes [N, A]."""
        return self.endpoint("classify")(frames=tf.constant(frames))["probabilities"].numpy()

    def _predict_movies(self, movies: Sequence[Movie]) -> Iterator[tuple[Movie, np.ndarray]]:
        """Each movie with the probabilities of the classes [A]. They are predicted in batches, as there may be a thousand."""
        size = self.settings.training.batch_size
        for first in range(0, len(movies), size):
            part = movies[first : first + size]
            yield from zip(part, self.predict(np.stack([movie.frames[: self.window] for movie in part])), strict=True)

    def predict_clips(self, dataset, share=ALL) -> Iterator[PredictedActions]:
        commonest, _ = Counter(movie.action for movie in dataset.train).most_common(1)[0]
        # Every worker classifies all windows: in other batches the last bits of a probability would be others.
        for movie, probabilities in list(self._predict_movies(dataset.test))[share]:
            yield PredictedActions(
                clip=movie.id,
                action=movie.action,
                distance=np.zeros(1, int),
                probabilities=probabilities,
                label=dataset.classes.index(movie.action),
                commonest=dataset.classes.index(commonest),
                clip_length=movie.length,
            )

    def sample_panels(self, dataset):
        """The panels of the base class, and the confusion matrix of the test windows."""
        yield from super().sample_panels(dataset)
        counts = np.zeros([len(dataset.classes)] * 2, int)
        for movie, probabilities in self._predict_movies(dataset.test):
            counts[dataset.classes.index(movie.action), probabilities[: len(dataset.classes)].argmax()] += 1
        yield Panels("test", "all", "confusion", [Column("confusion matrix", confusion_matrix(counts, dataset.classes))])

    def panel_columns(self, dataset, movie: Movie):
        """The window's last frame; its title is the predicted action with its probability."""
        ((_, probabilities),) = self._predict_movies([movie])
        number = int(probabilities.argmax())
        name = dataset.classes[number] if number < len(dataset.classes) else f"class {number}"
        return [Column(f"{name} {probabilities.max():.2f}", np.asarray(movie.frames[self.window - 1]))]

    def protocol(self, dataset) -> str:
        read = {
            "c4": "all states of C4", "c13": "every 128th state of C1 to C3",
            "c4_c13": "all states of C4 and every 128th of C1 to C3", "pixels": "the last frame's pixels alone",
        }[self.settings.network.features]  # fmt: skip
        after = (
            f"{self.window} frames" if self.settings.full_video
            else f"{self.context} frames and {self.horizon} of the predictor's own"
        )  # fmt: skip
        if self.settings.network.features != "pixels":
            read = f"{read} after {after}"
        return (
            f"{name_with_notes(dataset)}: {len(dataset.classes)} actions, {len(dataset.test)} test windows; {read}; accuracy "
            f"over windows; baseline: the commonest action in training; seed {self.settings.seed}"
        )

    # ---------------------------------------------------------------- export

    def endpoints(self):
        @graph_function(input_signature=[tf.TensorSpec([None, self.window, *self.frame], tf.uint8, "frames")])
        def classify(frames):
            """A window of frames -> probabilities of the actions, in the order of their names."""
            return {"probabilities": tf.nn.softmax(self.network(self._features(frames)))}

        return {"classify": classify}
