"""The variational auto-encoder of segments (spec vgg_lstm)."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from analogy.data.batches import draw_uniform, normal, step_uniform
from analogy.models.building import build
from analogy.predictions.frames import UnroundedFrames
from analogy.random_streams import StepStream
from analogy.systems.base import Column, System
from analogy.systems.vgg_lstm.networks.vae import LatentEncoder, SegmentDecoder, divergence, sampled
from analogy.systems.vgg_lstm.segments import ReadsSegments
from analogy.systems.vgg_lstm.settings import VaeSettings
from analogy.visualise.canvas import absolute_difference
from data_prep.datasets import find_opening


class VaeSystem(ReadsSegments, System):
    """Encodes a segment of frames into latents and paints the segment from them.

    It is measured by how well it paints test segments from the means of their latents, beside the mean frame of each segment.
    Three methods tell whether the latent is used at all: latents of another segment, latents drawn from N(0, 1), and zeros.

    Args:
        settings: the experiment's.
    """

    paints = True

    def __init__(self, settings: VaeSettings):
        super().__init__(settings)
        data, network = settings.data, settings.network
        self.length = data.context
        self.frame = [*data.size, find_opening(settings).channels]
        self.features = self.make_features()
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

    # ---------------------------------------------------------------- training

    def train_step(self, batch):
        beta = self.settings.loss.beta
        with tf.GradientTape() as tape:
            if self.reads_features:
                mean, log_variance = self.encoder(self.read_features(batch))
                noise = normal(draw_uniform(self.settings, batch, StepStream.LATENT, self.latent_shape))
                terms = self.error_terms(batch["values"], self._paint(sampled(mean, log_variance, noise)))
                if beta:
                    terms["divergence"] = beta * divergence(mean, log_variance)
            else:
                terms = self.error_terms(batch["values"], self._paint_ones(tf.shape(batch["values"])[0]))
        return self.descend("network", tape, terms)

    def _paint(self, latents):
        """Latents [B, S or 1, size] -> frames in 0..1 [B, S, H, W, C]. A single latent is given at every step."""
        return self.decoder(latents if self.per_frame else tf.repeat(latents, self.length, 1))

    def _paint_ones(self, count):
        """`count` segments that the decoder paints from ones, or its transposed convolution alone."""
        if self.settings.network.decoder_input == "ones":
            return self.decoder(tf.ones([count, self.length, self.settings.network.latent_size]))
        painter = self.decoder.painter
        return painter([tf.ones([count, self.length, scale.units]) for scale in painter.scales])

    # ---------------------------------------------------------------- prediction

    def predict_clips(self, dataset):
        return self.predict_windows(dataset.test, {movie.id for movie in self.selected_clips(dataset.test)})

    def predict_windows(self, windows, pictured_ids):
        """Each segment painted, beside its mean frame and what is painted from other latents."""
        for index, movie in enumerate(windows):
            other = windows[(index + 1) % len(windows)]
            yield self._predicted(movie, other, movie.id in pictured_ids)

    def _predicted(self, movie, other, with_pictures: bool) -> UnroundedFrames:
        truth = self._segment(movie)
        unrounded, methods = self._reconstruct(truth), {}
        if self.reads_features:
            methods = {f"{name}_latent": self._decode(latent) for name, latent in self._other_latents(truth, other).items()}
        return UnroundedFrames(
            clip=movie.id,
            action=movie.action,
            distance=np.arange(1, self.length + 1),
            observed_frames=truth[:0],
            truth=truth,
            prediction=unrounded,
            baseline=np.repeat(np.rint(truth.mean(0, keepdims=True)).astype(np.uint8), self.length, 0),
            baseline_name="mean_frame",
            unrounded=unrounded / np.float32(255.0),
            other_methods=methods,
            with_pictures=with_pictures,
            further_metrics=self.further_metrics,
        )

    def _segment(self, movie) -> np.ndarray:
        return np.asarray(movie.frames[: self.length])

    def _reconstruct(self, frames: np.ndarray) -> np.ndarray:
        """uint8 [S, H, W, C] -> what is painted of it, uint8 of the same shape."""
        return self.endpoint("reconstruct")(frames=tf.constant(frames[None]))["frames"].numpy()[0]

    def _decode(self, latent) -> np.ndarray:
        return self.endpoint("decode")(latent=latent)["frames"].numpy()[0]

    def _other_latents(self, frames: np.ndarray, other) -> dict[str, tf.Tensor]:
        """Latents that are not those of this segment: of the next test segment, of N(0, 1), and zeros. Of the only segment
        there is, the latents in reverse order stand for another's."""
        another = self._segment(other)
        shuffled = self.endpoint("encode")(frames=tf.constant(another[None]))["latent"]
        if np.array_equal(frames, another):
            shuffled = shuffled[:, ::-1]
        prior = normal(step_uniform(self.settings.seed, 0, StepStream.LATENT, [1, *self.latent_shape]))
        return {"shuffled": shuffled, "prior": prior, "constant": tf.zeros_like(prior)}

    def panel_columns(self, dataset, movie):
        truth = self._segment(movie)
        painted, columns = self._reconstruct(truth), []
        for t in sorted({0, (self.length - 1) // 2, self.length - 1}):
            columns += [
                Column(f"truth {t + 1}", truth[t]),
                Column("painted", painted[t], predicted=True),
                Column("|difference|", absolute_difference(truth[t], painted[t])),
            ]
        return columns

    def protocol(self, dataset) -> str:
        notes = f" ({dataset.notes})" if dataset.notes else ""
        read = {
            "latent": "painted from the means of their latents; beside it from latents of another segment (shuffled; of a "
            "single segment, its own in reverse order), of N(0, 1) (prior), and zeros (constant)",
            "ones": "painted by a decoder that reads ones instead of latents",
            "ones_maps": "painted by a transposed convolution that reads ones",
        }[self.settings.network.decoder_input]
        return (
            f"{dataset.name}{notes}: {len(dataset.test)} test segments of {self.length} frames, {self.frame[0]} x "
            f"{self.frame[1]}, {read}; PSNR, SSIM (11 x 11 Gaussian) and mean squared error of uint8 frames, averaged over "
            f"frames, then over segments; baseline: the mean frame of each segment; {self.features_in_words()}; "
            f"{self.training_in_words(dataset)}; seed {self.settings.seed}"
        )

    # ---------------------------------------------------------------- export

    def endpoints(self):
        frames_spec = tf.TensorSpec([None, self.length, *self.frame], tf.uint8, "frames")
        latent_spec = tf.TensorSpec([None, *self.latent_shape], tf.float32, "latent")
        numbers = [tf.TensorSpec([], tf.int32, name) for name in ("count", "seed")]

        def to_bytes(frames):
            return {"frames": tf.cast(tf.round(255.0 * frames), tf.uint8)}

        def encoded(frames):
            return self.encoder(self.features(tf.cast(frames, tf.float32) / 255.0))

        @tf.function(input_signature=[frames_spec])
        def reconstruct(frames):
            """Segments of frames -> what is painted from the means of their latents."""
            return to_bytes(self._paint(encoded(frames)[0]) if self.reads_features else self._paint_ones(tf.shape(frames)[0]))

        @tf.function(input_signature=[frames_spec])
        def encode(frames):
            """Segments of frames -> the means of their latents, and the logarithms of their variances."""
            mean, log_variance = encoded(frames)
            return {"latent": mean, "log_variance": log_variance}

        @tf.function(input_signature=[latent_spec])
        def decode(latent):
            """Latents -> segments of frames."""
            return to_bytes(self._paint(latent))

        @tf.function(input_signature=numbers)
        def sample(count, seed):
            """`count` segments from latents that are drawn from N(0, 1) by this seed."""
            with tf.control_dependencies([tf.debugging.assert_positive(count, "count: draw at least 1 segment")]):
                shape = tf.stack([count, *self.latent_shape])
                return to_bytes(self._paint(normal(step_uniform(seed, 0, StepStream.LATENT, shape))))

        if not self.reads_features:
            return {"reconstruct": reconstruct}
        return {"reconstruct": reconstruct, "encode": encode, "decode": decode, "sample": sample}
