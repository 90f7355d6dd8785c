"""What both auto-encoders share: figures of segments painted from their own latents and from others, and the endpoints."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from analogy.data.batches import normal, step_uniform
from analogy.data.contract import name_with_notes
from analogy.graphs import graph_function
from analogy.models.pixels import fraction_to_bytes, to_fraction
from analogy.predictions.frames import UnroundedFrames
from analogy.random_streams import StepStream
from analogy.systems.base import ALL, Column, System
from analogy.systems.vgg_lstm.latent_study import study_latents
from analogy.systems.vgg_lstm.segments import ReadsSegments
from analogy.visualise.canvas import absolute_difference
from data_prep.datasets import find_opening


class LatentSystem(ReadsSegments, System):
    """Encodes a segment of frames into latents and paints the segment from them.

    It is measured by how well it paints test segments from the means of their latents, beside the mean frame of each segment.
    Three methods tell whether the latent is used at all: latents of another segment, latents drawn from N(0, 1), and zeros.

    Attributes:
        length: the number of frames in a segment.
        latent_shape: of a segment's latents; a subclass's constructor sets it.

    Args:
        settings: the experiment's.
    """

    paints = True

    def __init__(self, settings):
        super().__init__(settings)
        self.length = settings.data.context
        self.frame = [*settings.data.size, find_opening(settings).channels]
        self.features = self.make_features()

    def encode_values(self, values) -> tuple[tf.Tensor, tf.Tensor]:
        """Frames in 0..1 [B, S, H, W, C] -> mean and log-variance of their latents, [B, *latent_shape] each."""
        raise NotImplementedError

    def paint(self, latents) -> tf.Tensor:
        """Latents [B, *latent_shape] -> frames [B, S, H, W, C], about in 0..1."""
        raise NotImplementedError

    def prior_latents(self, count, seed) -> tf.Tensor:
        """`count` latents drawn from N(0, 1) by this seed."""
        shape = tf.stack([count, *self.latent_shape])
        return normal(step_uniform(seed, 0, StepStream.LATENT, shape))

    # ---------------------------------------------------------------- prediction

    def predict_clips(self, dataset, share=ALL):
        return self.predict_windows(dataset.test, {movie.id for movie in self.selected_clips(dataset.test)}, share)

    def predict_windows(self, windows, pictured_ids, share=ALL):
        """Each segment painted, beside its mean frame and what is painted from other latents."""
        for index in range(len(windows))[share]:
            movie, other = windows[index], windows[(index + 1) % len(windows)]
            yield self._predicted(movie, other, movie.id in pictured_ids)

    def _predicted(self, movie, other, with_pictures: bool) -> UnroundedFrames:
        truth = self._segment(movie)
        unrounded, methods = self._reconstruct(truth), {}
        if self.reads_features:
            methods = {f"{name}_latent": self.decode(latent) for name, latent in self._other_latents(truth, other).items()}
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

    def encode(self, frames: np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
        """uint8 [S, H, W, C] -> mean and log-variance of its latents, [1, *latent_shape] each."""
        answer = self.endpoint("encode")(frames=tf.constant(frames[None]))
        return answer["latent"], answer["log_variance"]

    def decode(self, latent) -> np.ndarray:
        """Latents [1, *latent_shape] -> what is painted of them, uint8 [S, H, W, C]."""
        return self.endpoint("decode")(latent=latent)["frames"].numpy()[0]

    def _other_latents(self, frames: np.ndarray, other) -> dict[str, tf.Tensor]:
        """Latents that are not those of this segment: of the next test segment, of N(0, 1), and zeros. Of the only segment
        there is, the latents in reverse order stand for another's; there are none where it has a single latent."""
        another = self._segment(other)
        shuffled, _ = self.encode(another)
        prior = self.prior_latents(1, self.settings.seed)
        others = {"shuffled": shuffled, "prior": prior, "constant": tf.zeros_like(prior)}
        if np.array_equal(frames, another):
            others["shuffled"] = shuffled[:, ::-1]
            if self.latent_shape[0] == 1:
                del others["shuffled"]
        return others

    def study(self, dataset):
        """Of a decoder that reads ones: nothing."""
        return study_latents(self, dataset.test) if self.reads_features else super().study(dataset)

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

    def what_is_painted(self) -> str:
        """A clause for the protocol: from what segments are painted."""
        return (
            "painted from the means of their latents; beside it from latents of another segment (shuffled; of a single "
            "segment, its own in reverse order), of N(0, 1) (prior), and zeros (constant)"
        )

    def protocol(self, dataset) -> str:
        return (
            f"{name_with_notes(dataset)}: {len(dataset.test)} test segments of {self.length} frames, {self.frame[0]} x "
            f"{self.frame[1]}, {self.what_is_painted()}; PSNR, SSIM (11 x 11 Gaussian) and mean squared error of uint8 frames, "
            f"averaged over frames, then over segments; baseline: the mean frame of each segment; {self.features_in_words()}; "
            f"{self.training_in_words(dataset)}; seed {self.settings.seed}"
        )

    # ---------------------------------------------------------------- export

    def endpoints(self):
        frames_spec = tf.TensorSpec([None, self.length, *self.frame], tf.uint8, "frames")
        latent_spec = tf.TensorSpec([None, *self.latent_shape], tf.float32, "latent")
        numbers = [tf.TensorSpec([], tf.int32, name) for name in ("count", "seed")]

        @graph_function(input_signature=[frames_spec])
        def reconstruct(frames):
            """Segments of frames -> what is painted from the means of their latents."""
            mean, _ = self.encode_values(to_fraction(frames))
            return {"frames": fraction_to_bytes(self.paint(mean))}

        @graph_function(input_signature=[frames_spec])
        def encode(frames):
            """Segments of frames -> the means of their latents, and the logarithms of their variances."""
            mean, log_variance = self.encode_values(to_fraction(frames))
            return {"latent": mean, "log_variance": log_variance}

        @graph_function(input_signature=[latent_spec])
        def decode(latent):
            """Latents -> segments of frames."""
            return {"frames": fraction_to_bytes(self.paint(latent))}

        @graph_function(input_signature=numbers)
        def sample(count, seed):
            """`count` segments from latents that are drawn from N(0, 1) by this seed."""
            with tf.control_dependencies([tf.debugging.assert_positive(count, "count: draw at least 1 segment")]):
                return {"frames": fraction_to_bytes(self.paint(self.prior_latents(count, seed)))}

        return {"reconstruct": reconstruct, "encode": encode, "decode": decode, "sample": sample}
