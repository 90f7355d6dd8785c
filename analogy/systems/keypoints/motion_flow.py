"""Our motion generator: futures flow from noise, guided by the action (flow matching, Lipman et al. 2023).

From noise to each true future leads a straight way. The network sees a point of the way, and tells the truth at its end. A
future is sampled by going such a way in steps. So that the action is seen clearly, each step leads further away from what is
likely without the action (classifier-free guidance, Ho & Salimans 2022).
"""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from analogy.data.batches import draw_uniform, normal
from analogy.graphs import graph_function
from analogy.losses import mean_per_example
from analogy.models.building import build
from analogy.random_streams import StepStream
from analogy.systems.keypoints.motion import MotionSystem
from analogy.systems.keypoints.networks.flow import FutureFlow
from analogy.systems.keypoints.settings import FlowSettings

LEAST_TIME_LEFT = 0.1  # near the end of the way the loss would grow without bound
WITHOUT_ACTION = 0.1  # the share of training sequences that are not told their action


class MotionFlowSystem(MotionSystem):
    """One network, which is trained by the squared error of the velocity.

    Args:
        settings: the experiment's. used: see `MotionSystem`.
    """

    def __init__(self, settings: FlowSettings, used: Mapping[str, object]):
        super().__init__(settings, used)
        network = settings.network
        self.flow = FutureFlow(
            keypoints=self.keypoints, horizon=self.horizon, units=network.units, blocks=network.blocks, basis=network.basis
        )
        self.latent_size = self.flow.size
        build(self.flow, (None, self.flow.size), (None,), (None, self.keypoints, 2), (None, len(self.actions)))
        self.models, self.exported = {"flow": self.flow}, [self.flow]

    def plan_optimizers(self):
        return {"generator": (self.settings.optimizer, self.flow.trainable_variables)}

    def train_step(self, batch):
        first, truth, action = self._sequence(batch)
        end = self.flow.coefficients(truth)
        draws = draw_uniform(self.settings, batch, StepStream.LATENT, [self.flow.size + 2])
        noise, time, told = normal(draws[:, 2:]), draws[:, 0], draws[:, 1:2] >= WITHOUT_ACTION
        point = (1.0 - time[:, None]) * noise + time[:, None] * end
        with tf.GradientTape() as tape:
            answer = self.flow(point, time, first, tf.where(told, action, 0.0))
            error = mean_per_example(tf.square(answer - end))
            # The squared error of the velocity, (answer - end) / (1 - time), weighted by the time that is left.
            terms = {"velocity": error / tf.maximum(1.0 - time, LEAST_TIME_LEFT)}
        return self.descend("generator", tape, terms)

    def future(self, latent, first, action):
        """Go from noise to a future in equal steps (Euler's method)."""
        steps, point = self.settings.network.sampling_steps, latent
        guidance = self.settings.network.guidance if self.actions else 1.0
        # Traced once, so that an exported graph holds one step and as many calls; TensorFlow Lite cannot size a loop.
        end_at = graph_function(lambda point, time: self._guided_end(point, time, first, action, guidance))
        for step in range(steps):
            point += (end_at(point, tf.constant(step / steps)) - point) / (steps - step)
        return self.flow.future(point)

    def _guided_end(self, point, time, first, action, guidance: float):
        """What the network tells of the future's coefficients at a point of the way, led by the action: [B, size]."""
        if guidance == 1.0:
            return self.flow(point, tf.fill(tf.shape(point)[:1], time), first, action)
        point, first = tf.tile(point, [2, 1]), tf.tile(first, [2, 1, 1])
        action = tf.concat([action, tf.zeros_like(action)], 0)
        told, untold = tf.split(self.flow(point, tf.fill(tf.shape(point)[:1], time), first, action), 2)
        return untold + guidance * (told - untold)

    def generator_in_words(self) -> str:
        network = self.settings.network
        return f"flow matching, {network.sampling_steps} steps, guidance {network.guidance:g}"
