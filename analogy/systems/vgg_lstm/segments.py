"""What both systems of the paper share: features of VGG-16, the errors that are trained, and figures of the training clips."""

from __future__ import annotations

from types import MappingProxyType

import keras
import tensorflow as tf

from analogy.data.movies import MovieDataset, windows_that_train
from analogy.losses import mean_per_example
from analogy.metrics.collapse import collapse_index, moving_psnr
from analogy.models.building import build
from analogy.pretrained.vgg16 import vgg16_name
from analogy.systems.movies import mean_figures
from analogy.systems.vgg_lstm.kept_features import KeptFeatures
from analogy.systems.vgg_lstm.networks.features import Features, perceptual_error


class ReadsSegments:
    """The part of a system that reads segments through VGG-16. The system has `settings`, `frame` and `predict_windows`, and
    calls `make_features` in its constructor.

    Where VGG-16 is not trained, the features of the training clips are computed once and kept (`encoder.keep_features`), so
    that a training step holds no VGG-16.
    """

    reads_features = True  # whether its networks read features at all
    further_metrics = MappingProxyType({"collapse_index": collapse_index, "moving_psnr": moving_psnr})

    def make_features(self) -> Features:
        encoder = self.settings.encoder
        how = {"pretrained": encoder.weights is not None, "trained": encoder.trained}
        features = Features(width=encoder.width, scale=encoder.scale, **how)
        build(features, (None, 1, *self.frame))
        return features

    def trained_networks(self) -> list[keras.layers.Layer]:
        """The networks, or parts of them, whose weights are trained, beside VGG-16."""
        raise NotImplementedError

    def plan_optimizers(self):
        networks = [*self.trained_networks(), *([self.features] if self.settings.encoder.trained else [])]
        return {"network": (self.settings.optimizer, [v for network in networks for v in network.trainable_variables])}

    def prepare_training(self):
        if weights := self.settings.encoder.weights:
            self.features.load(weights)
        super().prepare_training()

    # ---------------------------------------------------------------- training

    def train_batches(self, dataset, context):
        batches, encoder = dataset.batches(context), self.settings.encoder
        if not self.reads_features or encoder.trained or not encoder.keep_features or not isinstance(dataset, MovieDataset):
            return batches
        return KeptFeatures(dataset.train, self.features, self.settings.data.fit).added_to(batches)

    def read_features(self, batch, count: int | None = None):
        """The features of a batch of segments, [B, S, N]: of the frames up to `count`, or of all. Call it under the tape."""
        return batch["features"][:, :count] if "features" in batch else self.features(batch["values"][:, :count])

    def error_terms(self, truth, prediction) -> dict[str, tf.Tensor]:
        """The weighted errors of each example; frames [B, S, H, W, C] in 0..1: name -> [B]."""
        return self.weighted(
            {
                "mse": lambda: mean_per_example(tf.square(truth - prediction)),
                "mae": lambda: mean_per_example(tf.abs(truth - prediction)),
                "perceptual": lambda: perceptual_error(self.features, truth, prediction),
            }
        )

    # ---------------------------------------------------------------- the clips that trained

    def training_samples(self, dataset):
        return windows_that_train(dataset, self.settings.train_windows)

    def training_figures(self, dataset):
        return mean_figures(self.predict_windows(self.training_samples(dataset), ()))

    def features_in_words(self) -> str:
        """A clause for the protocol: what VGG-16 is here."""
        encoder = self.settings.encoder
        if encoder.weights:
            times = "" if encoder.scale == 1 else f", features times {encoder.scale:g}"
            return f"{vgg16_name(encoder.weights)}, {'trained further' if encoder.trained else 'frozen'}{times}"
        how = "trained along" if encoder.trained else "random and frozen"
        return f"no published weights: an encoder of VGG-16's form with {encoder.width:g} of its channels, {how}"

    def training_in_words(self, dataset) -> str:
        """A clause for the protocol: what trained."""
        return f"{len(dataset.train)} clips trained, whose own windows are measured apart (training_clips)"
