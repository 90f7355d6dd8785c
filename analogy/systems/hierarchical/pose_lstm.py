"""The published pose predictors: pose_lstm and its variants."""

from __future__ import annotations

import tensorflow as tf

from analogy.joints import JOINTS
from analogy.models.building import build
from analogy.systems.hierarchical.networks.pose_lstm import PoseLstm
from analogy.systems.hierarchical.networks.pose_units import UNITS
from analogy.systems.hierarchical.pose_forecaster import FACTS, PoseForecaster
from analogy.systems.hierarchical.settings.pose import PoseLstmSettings


class PoseLstmSystem(PoseForecaster):
    """An LSTM that is trained on the mean squared error of the setting `network.coordinates`.

    Args:
        settings: the experiment's.
    """

    future_knowledge = "as published, the forecast is given the clip's whole box and which joints it will never hide"

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
            if self.settings.mask_hidden:  # the mean still divides by the number of all coordinates, as in Villegas' code
                error *= tf.repeat(batch["visibility"][:, k:], 2, -1)
            terms = {"loss": tf.reduce_mean(error, [1, 2])}
        return self.descend("network", tape, terms)

    def forecast(self, observed):
        facts = {name: observed[name] for name in FACTS}
        values = self.to_units(observed["joints"], observed["visibility"], facts)
        values = self.network(tf.reshape(values, [-1, self.context, 2 * JOINTS]), horizon=self.horizon)
        joints = self.from_units(tf.reshape(values, [-1, self.horizon, JOINTS, 2]), facts)
        # Displacements are trained only for joints that are visible in every frame. The other coordinates give a joint's place
        # if it was visible in the last observed frame.
        displacement = self.settings.network.coordinates == "displacement"
        visibility = facts["survives"] if displacement else observed["visibility"][:, -1]
        return joints, tf.repeat(visibility[:, None], self.horizon, 1)
