"""Ours: the auto-encoder whose latents are maps, trained on a true bound. What it can and cannot do is in docs/vgg_lstm.md."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from analogy.data.batches import draw_uniform, normal
from analogy.losses import SMALLEST_ERROR, mean_per_example
from analogy.models.building import build
from analogy.random_streams import StepStream
from analogy.systems.vgg_lstm.latents import LatentSystem
from analogy.systems.vgg_lstm.networks.vae import divergence, sampled
from analogy.systems.vgg_lstm.networks.vae_plus import REDUCTION, MapDecoder, MapEncoder
from analogy.systems.vgg_lstm.settings import VaePlusSettings


class VaePlusSystem(LatentSystem):
    """The auto-encoder of segments with latent maps.

    Its loss is the negative evidence bound in nats for each number of a segment: of a Gaussian decoder with one variance a
    segment, the best one, and the divergence of its latents, as a sum (Rybkin, Daniilidis & Levine, arXiv:2006.13202). No
    weight between the two has to be chosen.

    Args:
        settings: the experiment's.
    """

    def __init__(self, settings: VaePlusSettings):
        super().__init__(settings)
        network, (height, width, channels) = settings.network, self.frame
        self.latent_shape = [self.length, height // REDUCTION, width // REDUCTION, network.latents]
        self.encoder = MapEncoder(units=network.units, latents=network.latents)
        self.decoder = MapDecoder(channels=channels, units=network.units)
        segment = (None, self.length)
        build(self.encoder, (*segment, *self.frame), (*segment, self.features.count(self.frame)))
        build(self.decoder, (None, *self.latent_shape))
        self.models = {"features": self.features, "encoder": self.encoder, "decoder": self.decoder}
        self.exported = list(self.models.values())

    def trained_networks(self):
        return [self.encoder, self.decoder]

    def train_step(self, batch):
        values, size = batch["values"], self.length * np.prod(self.frame)
        with tf.GradientTape() as tape:
            mean, log_variance = self.encoder(values, self.read_features(batch))
            noise = normal(draw_uniform(self.settings, batch, StepStream.LATENT, self.latent_shape))
            painted = self.paint(sampled(mean, log_variance, noise))
            error = mean_per_example(tf.square(values - painted)) + SMALLEST_ERROR
            terms = {
                "negative_log_likelihood": 0.5 * tf.math.log(error),  # without its constant
                "divergence": self._share_of_divergence(batch["step"]) * divergence(mean, log_variance) / size,
            }
        return self.descend("network", tape, terms)

    def _share_of_divergence(self, step):
        """It grows from 0 to 1 in the first steps, so that latents are used before they cost anything; 1 without warm-up."""
        steps = self.settings.loss.warmup_steps
        return tf.minimum(1.0, tf.cast(step, tf.float32) / steps) if steps else tf.constant(1.0)

    def encode_values(self, values):
        return self.encoder(values, self.features(values))

    def paint(self, latents):
        return self.decoder(latents)
