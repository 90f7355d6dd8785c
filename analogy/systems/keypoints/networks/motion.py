"""The motion generator, a conditional variational auto-encoder, and the sequence discriminator (spec section 2.5).

A future is keypoints [B, T, K, 2]; those of the first frame, k0, are [B, K, 2]. The action is one-hot, [B, A], with A = 0 where
there is none.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from analogy.models.building import Composite
from analogy.models.recurrent import LstmCell, read, time_first

LAYERS = 2
CONDITION = 32  # units of the layer in front of the decoder's LSTM


def _cells(units: int) -> list[LstmCell]:
    return [LstmCell(units, forget_bias=1.0, name=f"lstm{index + 1}") for index in range(LAYERS)]


def _flat(points):
    """[..., K, 2] -> [..., 2 K]."""
    return tf.reshape(points, [*(-1 if side is None else side for side in points.shape[:-2]), 2 * points.shape[-2]])


class MotionEncoder(Composite, keras.Model):
    """A future, k0 and the action -> mean and standard deviation of the latent, [B, latent] each.

    Args:
        units: of both LSTM layers. latent: the number of values.
        activation: of the last layer: "relu", as the published code has it by its library's default, so that neither is ever
            negative; "linear", with softplus for the standard deviation.
    """

    def __init__(self, *, units: int, latent: int, activation: str, name: str = "motion_encoder"):
        super().__init__(name=name)
        self.cells, self.activation = _cells(units), activation
        self.last = keras.layers.Dense(2 * latent, dtype="float32", name="latent")

    def call(self, future, first, action):
        outputs, _ = read(self.cells, time_first(_flat(future)))
        mean, deviation = tf.split(self.last(tf.concat([outputs[-1], _flat(first), action], -1)), 2, -1)
        if self.activation == "relu":
            return tf.nn.relu(mean), tf.nn.relu(deviation)
        return mean, tf.nn.softplus(deviation)


class MotionDecoder(Composite, keras.Model):
    """A latent, k0 and the action -> a future [B, T, K, 2]. The LSTM reads them at its first step, and zeros later.

    Args:
        keypoints: K. horizon: T. units: of both LSTM layers.
        output: "absolute": keypoints are the tanh of the last layer. "offset": twice that is added to k0.
    """

    def __init__(self, *, keypoints: int, horizon: int, units: int, output: str, name: str = "motion_decoder"):
        super().__init__(name=name, autocast=False)  # k0 stays float32
        self.cells, self.horizon, self.output_kind, self.keypoints = _cells(units), horizon, output, keypoints
        self.first = keras.layers.Dense(CONDITION, activation="relu", name="condition")
        normal = keras.initializers.RandomNormal(stddev=0.02)
        self.last = keras.layers.Dense(2 * keypoints, kernel_initializer=normal, dtype="float32", name="keypoints")

    def call(self, latent, first, action):
        condition = self.first(tf.concat([latent, _flat(first), action], -1))
        silence = tf.zeros_like(condition)
        outputs, _ = read(self.cells, tf.stack([condition] + [silence] * (self.horizon - 1)))
        values = tf.tanh(self.last(time_first(outputs)))
        points = tf.reshape(values, [-1, self.horizon, self.keypoints, 2])
        return points if self.output_kind == "absolute" else first[:, None] + 2.0 * points


class SequenceDiscriminator(Composite, keras.Model):
    """A future [B, T, K, 2] -> the logit of "a true motion" [B].

    Args:
        units: of both LSTM layers.
        activation: of the logit: "relu" as in the published code, where the loss of false motions cannot fall below log 2, and
            its gradient dies; or "linear".
    """

    def __init__(self, *, units: int, activation: str, name: str = "sequence_discriminator"):
        super().__init__(name=name)
        self.cells = _cells(units)
        self.last = keras.layers.Dense(1, activation=activation, dtype="float32", name="logit")

    def call(self, future):
        outputs, _ = read(self.cells, time_first(_flat(future)))
        return self.last(outputs[-1])[:, 0]


def divergence(mean, deviation):
    """The Kullback-Leibler divergence of each latent from N(0, 1), summed over its values: [B]. As published, 1e-8 is added to
    the variance in the logarithm."""
    variance = tf.square(deviation)
    return 0.5 * tf.reduce_sum(tf.square(mean) + variance - tf.math.log(1e-8 + variance) - 1.0, -1)
