"""Ours: pose_lstm_residual (see `analogy.systems.hierarchical.networks.pose_residual`)."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from analogy.data.batches import draw_uniform
from analogy.data.poses import PoseDataset
from analogy.joints import JOINTS
from analogy.metrics.pose import measure_poses
from analogy.models.building import build
from analogy.random_streams import StepStream
from analogy.systems.hierarchical.networks.pose_residual import PoseResidual, last_seen, mirrored_where
from analogy.systems.hierarchical.networks.pose_units import box_extent
from analogy.systems.hierarchical.pose_forecaster import PoseForecaster
from analogy.systems.hierarchical.settings.pose import PoseResidualSettings

UNTOLD = 0.1  # share of the windows of which a conditioned network is not told the action


class Best(keras.Model):
    """The score of the best weights so far; a model, so that a checkpoint holds it."""

    def __init__(self):
        super().__init__(name="score")
        self.lowest = self.add_weight(name="lowest", initializer=keras.initializers.Constant(np.inf), trainable=False)
        self.built = True


class PoseResidualSystem(PoseForecaster):
    """Trains on windows seen from many sides; keeps the weights that were best on clips kept back.

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
        self._now = tf.function(lambda j, v, a: self.network.steady(j, v, self._condition(a)), reduce_retracing=True)

    def _build(self, name: str) -> PoseResidual:
        chosen = self.settings.network
        sizes = {"units": chosen.units, "basis": chosen.basis, "members": chosen.members}
        network = PoseResidual(horizon=self.horizon, name=name, **sizes)
        build(network, (None, 1, JOINTS, 2), (None, 1, JOINTS), (None, self.conditions))  # one observed pose is enough
        return network

    def _condition(self, action):
        """action [B], -1 where it is not known -> [B, A]."""
        return tf.one_hot(action, self.conditions) if self.conditions else tf.zeros([tf.shape(action)[0], 0])

    # ---------------------------------------------------------------- training

    def _told(self, batch):
        """The condition; a share of the windows does without, so that an unknown action is nothing new."""
        kept = draw_uniform(self.settings, batch, StepStream.TOLD_ACTION, [1]) >= UNTOLD
        return self._condition(batch["action"]) * tf.cast(kept, tf.float32)

    def _augmented(self, batch):
        """Windows in a mirror, stretched, with joints hidden -> joints, visibility, what of it the network sees [b, k, 13],
        and the box's extent."""
        how, k = self.settings.augmentation, self.context
        joints, visibility = batch["joints"], batch["visibility"]
        draws = draw_uniform(self.settings, batch, StepStream.AUGMENTATION, [3 + JOINTS + k * JOINTS])
        if how.mirror:
            joints, visibility = mirrored_where(draws[:, 0] < 0.5, joints, visibility)
        stretch = tf.exp(how.stretch * (2.0 * draws[:, 1:3] - 1.0))[:, None, None]  # [b, 1, 1, 2]
        _, extent = box_extent(batch["box"])
        whole = draws[:, None, 3 : 3 + JOINTS] >= how.hide
        single = tf.reshape(draws[:, 3 + JOINTS :], [-1, k, JOINTS]) >= how.hide
        shown = visibility[:, :k] * tf.cast(whole & single, tf.float32)
        return joints * stretch, visibility, shown, extent * stretch

    def _noise(self, batch):
        """For each member: what is added to the features, and two dropout masks."""
        chosen, k, features = self.settings.network, self.context, 7 * JOINTS
        for member in range(chosen.members):
            draws = draw_uniform(self.settings, batch, StepStream.MEMBERS + member, [k * features + 2 * chosen.units])
            # The inverse of the normal distribution's integral; the clipping keeps it finite.
            normal = tf.math.ndtri(tf.clip_by_value(tf.reshape(draws[:, : k * features], [-1, k, features]), 1e-4, 1 - 1e-4))
            keep = tf.cast(draws[:, k * features :] >= chosen.dropout, tf.float32) / (1.0 - chosen.dropout)
            yield chosen.noise * normal, *tf.split(keep, 2, -1)

    def train_step(self, batch):
        k = self.context
        joints, visibility, shown, extent = self._augmented(batch)
        _, ever = last_seen(joints[:, :k], shown)
        weights = visibility[:, k:] * batch["valid"][:, k:, None] * ever[:, None]
        with tf.GradientTape() as tape:
            predicted = self.network(joints[:, :k], shown, self._told(batch), list(self._noise(batch)))
            # Not a product: where a joint is hidden, its label may be anything.
            error = tf.where(weights[..., None] > 0.0, (predicted - joints[:, k:]) / extent, 0.0)  # [M, b, T, 13, 2]
            terms = {"loss": tf.reduce_mean(tf.square(error), [0, 2, 3, 4])}
        return self.descend("network", tape, terms)

    def validate(self, dataset: PoseDataset) -> dict[str, float]:
        """Take the weights over as the best ones if they are, on the clips kept back; without such clips, always."""
        score = self._score(dataset) if dataset.validation else np.inf
        if score < self.score.lowest.value.numpy() or score == np.inf:
            self.score.lowest.assign(score)
            for best, now in zip(self.best.variables, self.network.variables, strict=True):
                best.assign(now)
        return {"validation/pose_mse": score} if np.isfinite(score) else {}

    def _score(self, dataset: PoseDataset) -> float:
        """Pooled MSE of the clips kept back, by the weights of now; infinite where none of them has a joint that lasts."""
        errors = []
        for clip in dataset.validation:
            windows = dataset.windows(clip)
            observed = (windows[name][:, : self.context] for name in ("joints", "visibility"))
            joints = self._now(*map(tf.constant, (*observed, windows["action"]))).numpy()
            truth, valid = windows["joints"][:, self.context :], windows["valid"][:, self.context :]
            measured = measure_poses(truth, joints, windows["survives"][0], windows["box"][0], valid)
            errors.append(measured.get("pose_mse", np.empty(0)).ravel())
        errors = np.concatenate(errors)
        return float(np.nanmean(errors)) if np.isfinite(errors).any() else np.inf

    # ---------------------------------------------------------------- prediction

    def forecast(self, observed):
        joints, visibility = observed["joints"], observed["visibility"]
        future = self.best.steady(joints, visibility, self._condition(observed["action"]))
        _, ever = last_seen(joints, visibility)
        return future, tf.repeat(ever[:, None], self.horizon, 1)
