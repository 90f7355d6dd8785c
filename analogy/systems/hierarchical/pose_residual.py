"""Our own pose predictor, experiment pose_lstm_residual (see `analogy.systems.hierarchical.networks.pose_residual`)."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from analogy.data.batches import draw_uniform, dropout_mask, normal
from analogy.data.poses import PoseDataset
from analogy.graphs import graph_function
from analogy.joints import JOINTS
from analogy.metrics.pose import measure_poses
from analogy.models.building import build
from analogy.random_streams import StepStream
from analogy.systems.hierarchical.networks.pose_residual import PoseResidual, last_visible, mirrored_where
from analogy.systems.hierarchical.networks.pose_units import box_extent
from analogy.systems.hierarchical.pose_forecaster import PoseForecaster
from analogy.systems.hierarchical.settings.pose import PoseResidualSettings

ACTION_DROPOUT = 0.1  # share of the training windows where a conditioned network gets zeros instead of the action


class Best(keras.Model):
    """The lowest validation error so far. It is a model so that it becomes part of the checkpoint."""

    def __init__(self):
        super().__init__(name="score")
        self.lowest = self.add_weight(name="lowest", initializer=keras.initializers.Constant(np.inf), trainable=False)
        self.built = True


class PoseResidualSystem(PoseForecaster):
    """Trains on augmented windows, and predicts with the weights that had the lowest error on the validation clips.

    Args:
        settings: the experiment's.
    """

    def __init__(self, settings: PoseResidualSettings):
        super().__init__(settings)
        self.conditions = len(settings.data.actions) if settings.network.conditioned else 0
        self.network, self.best = self._build("network"), self._build("best")
        self.score = Best()
        self.models, self.state = {"network": self.network}, {"best": self.best, "score": self.score}
        self.exported = [self.best]
        self._predict_now = graph_function(
            lambda joints, visibility, action: self.network.steady(joints, visibility, self._condition(action)),
            reduce_retracing=True,
        )

    def _build(self, name: str) -> PoseResidual:
        sizes = self.settings.network.model_dump(include={"units", "basis", "members"})
        network = PoseResidual(horizon=self.horizon, name=name, **sizes)
        # The weights do not depend on the number of observed poses: one pose is the fastest to trace.
        build(network, (None, 1, JOINTS, 2), (None, 1, JOINTS), (None, self.conditions))
        return network

    def _condition(self, action):
        """The network's condition [B, A]: the one-hot action; zeros if the action [B] is -1 (unknown). A = 0 if the network is
        not conditioned."""
        return tf.one_hot(action, self.conditions) if self.conditions else tf.zeros([tf.shape(action)[0], 0])

    # ---------------------------------------------------------------- training

    def _condition_with_dropout(self, batch):
        """The condition [b, A], set to zeros for a share of the windows, so that the network learns to predict an unknown
        action too."""
        keep = draw_uniform(self.settings, batch, StepStream.TOLD_ACTION, [1]) >= ACTION_DROPOUT
        return self._condition(batch["action"]) * tf.cast(keep, tf.float32)

    def _augmented(self, batch):
        """Augment windows: mirror and stretch them, and hide joints of the input.

        Returns:
            joints [b, k + T, 13, 2]; visibility [b, k + T, 13]; input_visibility [b, k, 13], which is 0 also for the joints
            that the augmentation hides; and the extent of the stretched box [b, 1, 1, 2].
        """
        how, k = self.settings.augmentation, self.context
        joints, visibility = batch["joints"], batch["visibility"]
        draws = draw_uniform(self.settings, batch, StepStream.AUGMENTATION, [3 + JOINTS + k * JOINTS])
        if how.mirror:
            joints, visibility = mirrored_where(draws[:, 0] < 0.5, joints, visibility)
        stretch = tf.exp(how.stretch * (2.0 * draws[:, 1:3] - 1.0))[:, None, None]  # [b, 1, 1, 2]
        _, extent = box_extent(batch["box"])
        whole = draws[:, None, 3 : 3 + JOINTS] >= how.hide
        single = tf.reshape(draws[:, 3 + JOINTS :], [-1, k, JOINTS]) >= how.hide
        input_visibility = visibility[:, :k] * tf.cast(whole & single, tf.float32)
        return joints * stretch, visibility, input_visibility, extent * stretch

    def _noise(self, batch):
        """For each member: the noise [b, k, features] to add to its features, and two dropout masks [b, units]."""
        network, k, features = self.settings.network, self.context, 7 * JOINTS
        for member in range(network.members):
            draws = draw_uniform(self.settings, batch, StepStream.MEMBERS + member, [k * features + 2 * network.units])
            noise = network.noise * normal(tf.reshape(draws[:, : k * features], [-1, k, features]), tail=1e-4)
            keep = dropout_mask(draws[:, k * features :], network.dropout)
            yield noise, *tf.split(keep, 2, -1)

    def train_step(self, batch):
        k = self.context
        joints, visibility, input_visibility, extent = self._augmented(batch)
        _, ever_visible = last_visible(joints[:, :k], input_visibility)
        weights = visibility[:, k:] * batch["valid"][:, k:, None] * ever_visible[:, None]
        with tf.GradientTape() as tape:
            condition, noise = self._condition_with_dropout(batch), list(self._noise(batch))
            predicted = self.network(joints[:, :k], input_visibility, condition, noise)
            # tf.where instead of a product with the weights: the label of a hidden joint may be anything, even NaN.
            error = tf.where(weights[..., None] > 0.0, (predicted - joints[:, k:]) / extent, 0.0)  # [M, b, T, 13, 2]
            terms = {"loss": tf.reduce_mean(tf.square(error), [0, 2, 3, 4])}
        return self.descend("network", tape, terms)

    def validate(self, dataset: PoseDataset) -> dict[str, float]:
        """Copy the weights to `best` if their validation error is the lowest so far; without validation clips, always."""
        score = self._score(dataset) if dataset.validation else np.inf
        if score < self.score.lowest.value.numpy() or score == np.inf:
            self.score.lowest.assign(score)
            for best, current in zip(self.best.variables, self.network.variables, strict=True):
                best.assign(current)
        return {"validation/pose_mse": score} if np.isfinite(score) else {}

    def _score(self, dataset: PoseDataset) -> float:
        """The pose error of the current weights, averaged over all windows of the validation clips. Infinite if no joint in
        them is visible all the time."""
        errors = []
        for clip in dataset.validation:
            windows = dataset.windows(clip)
            observed = (windows[name][:, : self.context] for name in ("joints", "visibility"))
            joints = self._predict_now(*map(tf.constant, (*observed, windows["action"]))).numpy()
            truth, valid = windows["joints"][:, self.context :], windows["valid"][:, self.context :]
            measured = measure_poses(truth, joints, windows["survives"][0], windows["box"][0], valid)
            errors.append(measured.get("pose_mse", np.empty(0)).ravel())
        errors = np.concatenate(errors)
        return float(np.nanmean(errors)) if np.isfinite(errors).any() else np.inf

    # ---------------------------------------------------------------- prediction

    def forecast(self, observed):
        joints, visibility = observed["joints"], observed["visibility"]
        future = self.best.steady(joints, visibility, self._condition(observed["action"]))
        _, ever_visible = last_visible(joints, visibility)
        return future, tf.repeat(ever_visible[:, None], self.horizon, 1)
