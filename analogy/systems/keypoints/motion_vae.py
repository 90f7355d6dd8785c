"""The published motion generator (Kim et al. 2019, section 3.2): a conditional variational auto-encoder of keypoints."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from analogy.data.batches import draw_uniform, normal
from analogy.losses import mean_per_example
from analogy.models.building import build
from analogy.random_streams import StepStream
from analogy.systems.keypoints.motion import MotionSystem
from analogy.systems.keypoints.networks.motion import MotionDecoder, MotionEncoder, SequenceDiscriminator, divergence
from analogy.systems.keypoints.settings import MotionSettings


class MotionVaeSystem(MotionSystem):
    """Encoder and decoder of sequences of keypoints, and a discriminator of them.

    Args:
        settings: the experiment's. used: see `MotionSystem`.
    """

    def __init__(self, settings: MotionSettings, used: Mapping[str, object]):
        super().__init__(settings, used)
        network = settings.network
        self.latent_size = network.latent_size
        units = {"units": network.units}
        self.encoder = MotionEncoder(latent=network.latent_size, activation=network.fc_activation, **units)
        self.decoder = MotionDecoder(keypoints=self.keypoints, horizon=self.horizon, output=network.output, **units)
        future, first, action = (None, self.horizon, self.keypoints, 2), (None, self.keypoints, 2), (None, len(self.actions))
        build(self.encoder, future, first, action)
        build(self.decoder, (None, network.latent_size), first, action)
        self.models, self.exported = {"encoder": self.encoder, "decoder": self.decoder}, [self.decoder]
        if settings.loss.adversarial:
            self.discriminator = SequenceDiscriminator(activation=network.fc_activation, **units)
            build(self.discriminator, future)
            self.models["discriminator"] = self.discriminator
            self.adversaries = ("discriminator",)

    def plan_optimizers(self):
        generator = [*self.encoder.trainable_variables, *self.decoder.trainable_variables]
        plan = {"generator": (self.settings.optimizer, generator)}
        if self.adversaries:
            plan["discriminator"] = (self.settings.discriminator_optimizer, self.discriminator.trainable_variables)
        return plan

    def train_step(self, batch):
        loss = self.settings.loss
        first, truth, action = self._sequence(batch)
        noise = normal(draw_uniform(self.settings, batch, StepStream.LATENT, [self.latent_size]))
        with tf.GradientTape(persistent=bool(self.adversaries)) as tape:
            mean, deviation = self.encoder(truth, first, action)
            answer = self.decoder(mean + deviation * noise, first, action)
            terms = {"reconstruction": loss.reconstruction * mean_per_example(tf.abs(truth - answer))}
            if loss.divergence:
                terms["divergence"] = loss.divergence * divergence(mean, deviation)
            if self.adversaries:
                real, generated = tf.split(self.discriminator(tf.concat([truth, answer], 0)), 2)
                terms["adversarial"] = loss.adversarial * tf.nn.softplus(-generated)
                judged = {"real": tf.nn.softplus(-real), "generated": tf.nn.softplus(generated)}
        report = self.descend("generator", tape, terms)
        return {**report, **self.descend("discriminator", tape, judged)} if self.adversaries else report

    def future(self, latent, first, action):
        return self.decoder(latent, first, action)

    def generator_in_words(self) -> str:
        network = self.settings.network
        return f"fc_activation {network.fc_activation}, output {network.output}"
