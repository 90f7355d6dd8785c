"""The variational auto-encoder of segments (spec vgg_lstm)."""

from __future__ import annotations

import tensorflow as tf

from analogy.data.batches import draw_uniform, normal
from analogy.graphs import graph_function
from analogy.models.building import build
from analogy.models.pixels import fraction_to_bytes
from analogy.random_streams import StepStream
from analogy.systems.vgg_lstm.latents import LatentSystem
from analogy.systems.vgg_lstm.networks.vae import LatentEncoder, SegmentDecoder, divergence, sampled
from analogy.systems.vgg_lstm.settings import VaeSettings


class VaeSystem(LatentSystem):
    """The paper's auto-encoder: one vector a frame, or one a segment, between two LSTMs.

    Args:
        settings: the experiment's.
    """

    def __init__(self, settings: VaeSettings):
        super().__init__(settings)
        network = settings.network
        self.per_frame, self.reads_features = network.latent == "frame", network.decoder_input == "latent"
        self.latent_shape = [self.length if self.per_frame else 1, network.latent_size]
        side, channels = self.frame[0], self.frame[-1]
        self.decoder = SegmentDecoder(side=side, channels=channels, units=network.decoder_units, scales=network.scales)
        build(self.decoder, (None, self.length, network.latent_size))
        self.models, self.exported = {"features": self.features, "decoder": self.decoder}, [self.decoder]
        if self.reads_features:
            self.encoder = LatentEncoder(units=network.encoder_units, size=network.latent_size, per_frame=self.per_frame)
            build(self.encoder, (None, self.length, self.features.count(self.frame)))
            self.models["encoder"] = self.encoder
            self.exported = [self.features, self.encoder, self.decoder]

    def trained_networks(self):
        if self.settings.network.decoder_input == "ones_maps":
            return [self.decoder.painter]
        return [self.encoder, self.decoder] if self.reads_features else [self.decoder]

    def train_step(self, batch):
        beta = self.settings.loss.beta
        with tf.GradientTape() as tape:
            if self.reads_features:
                mean, log_variance = self.encoder(self.read_features(batch))
                noise = normal(draw_uniform(self.settings, batch, StepStream.LATENT, self.latent_shape))
                terms = self.error_terms(batch["values"], self.paint(sampled(mean, log_variance, noise)))
                if beta:
                    # Summed over the numbers of a latent, mean over the latents.
                    terms["divergence"] = beta * divergence(mean, log_variance) / self.latent_shape[0]
            else:
                terms = self.error_terms(batch["values"], self._paint_ones(tf.shape(batch["values"])[0]))
        return self.descend("network", tape, terms)

    def encode_values(self, values):
        return self.encoder(self.features(values))

    def paint(self, latents):
        """A single latent is given at every step."""
        return self.decoder(latents if self.per_frame else tf.repeat(latents, self.length, 1))

    def _paint_ones(self, count):
        """`count` segments that the decoder paints from ones, or its transposed convolution alone."""
        if self.settings.network.decoder_input == "ones":
            return self.decoder(tf.ones([count, self.length, self.settings.network.latent_size]))
        painter = self.decoder.painter
        return painter([tf.ones([count, self.length, scale.units]) for scale in painter.scales])

    def what_is_painted(self):
        return {
            "latent": super().what_is_painted(),
            "ones": "painted by a decoder that reads ones instead of latents",
            "ones_maps": "painted by a transposed convolution that reads ones",
        }[self.settings.network.decoder_input]

    def endpoints(self):
        if self.reads_features:
            return super().endpoints()

        @graph_function(input_signature=[tf.TensorSpec([None, self.length, *self.frame], tf.uint8, "frames")])
        def reconstruct(frames):
            """Segments of frames -> what is painted of ones, whatever they show."""
            return {"frames": fraction_to_bytes(self._paint_ones(tf.shape(frames)[0]))}

        return {"reconstruct": reconstruct}
