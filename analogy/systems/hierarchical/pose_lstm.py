"""The published pose predictors: pose_lstm and its variants (spec section 1)."""

from __future__ import annotations

import tensorflow as tf

from analogy.joints import JOINTS
from analogy.models.building import build
from analogy.systems.hierarchical.networks.pose_lstm import PoseLstm
from analogy.systems.hierarchical.networks.pose_units import UNITS
from analogy.systems.hierarchical.pose_forecaster import FACTS, PoseForecaster
from analogy.systems.hierarchical.settings.pose import PoseLstmSettings


class PoseLstmSystem(PoseForecaster):
    """An LSTM trained on the mean squared error of its coordinates.

    Args:
        settings: the experiment's.
    """

    knows = "as published, the forecast is given the clip's whole box and which joints it will never hide"

    def __init__(self, settings: PoseLstmSettings):
        super().__init__(settings)
        network = settings.network.model_dump(exclude={"coordinates"})
        self.network = PoseLstm(values=2 * JOINTS, **network)
        build(self.network, (None, self.context, 2 * JOINTS), horizon=1)
        self.models, self.exported = {"network": self.network}, [self.network]
        self.to_units, self.from_units = UNITS[settings.network.coordinates]

    def train_step(self, batch):
        k, facts = self.context, {name: batch[name] for name in FACTS}
        values = self.to_units(batch["joints"], batch["visibility"], facts)  # [b, k + T, 13, 2]
        flat = tf.reshape(values, [-1, k + self.horizon, 2 * JOINTS])
        with tf.GradientTape() as tape:
            error = tf.square(self.network(flat[:, :k], horizon=self.horizon) - flat[:, k:])
            if self.settings.mask_hidden:  # masked coordinates still count in the mean, as in Villegas' code
                error *= tf.repeat(batch["visibility"][:, k:], 2, -1)
            terms = {"loss": tf.reduce_mean(error, [1, 2])}
        return self.descend("network", tape, terms)

    def forecast(self, observed):
        facts = {name: observed[name] for name in FACTS}
        values = self.to_units(observed["joints"], observed["visibility"], facts)
        values = self.network(tf.reshape(values, [-1, self.context, 2 * JOINTS]), horizon=self.horizon)
        joints = self.from_units(tf.reshape(values, [-1, self.horizon, JOINTS, 2]), facts)
        # Only displacements need a joint in every frame; the others say where it was not hidden in the last one.
        known = facts["survives"] if self.settings.network.coordinates == "displacement" else observed["visibility"][:, -1]
        return joints, tf.repeat(known[:, None], self.horizon, 1)
