"""What the ladder network and ours share: they predict the frames of a video one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import tensorflow as tf

from analogy.data.movies import Movie
from analogy.predictions.frames import UnroundedFrames
from analogy.predictions.motion import motion_continued
from analogy.systems.base import System
from analogy.systems.lvln.settings import LadderSettings, PlusSettings
from analogy.systems.movies import movie_columns, predicted_movie
from data_prep.datasets import find_opening


class FramePredictor(System):
    """A system whose endpoint `predict` takes any number of observed frames and answers with the next ones.

    Its predictions are measured beside the last observed frame copied and beside its motion continued.

    Args:
        settings: the experiment's.
    """

    paints = True
    protocol_notes = ""  # a clause for the protocol, with a semicolon and a space at its end

    def __init__(self, settings: LadderSettings | PlusSettings):
        super().__init__(settings)
        data = settings.data
        self.context, self.horizon = data.context, data.horizon
        self.trained_horizon = settings.training_horizon or data.horizon
        self.frame = [*data.size, find_opening(settings).channels]

    def _weighted(self, terms: Mapping[str, Callable], shape, over_frames: Callable) -> dict[str, tf.Tensor]:
        """The terms of the loss with their weights: name -> [B]. A term of weight 0 is not computed.

        Args:
            terms: name -> function without arguments that gives the term of every frame [B T].
            shape: of the predicted frames, [B, T, ...].
            over_frames: `tf.reduce_sum` or `tf.reduce_mean`, over the frames of an example.
        """
        weights = {name: getattr(self.settings.loss, name) for name in terms}
        return {
            name: weight * over_frames(tf.reshape(terms[name](), shape[:2]), 1) for name, weight in weights.items() if weight
        }

    # ---------------------------------------------------------------- prediction

    def _answer(self, observed_frames: np.ndarray, count: int) -> dict[str, np.ndarray]:
        """What the endpoint `predict` answers to observed frames uint8 [N, k, H, W, C]."""
        answer = self.endpoint("predict")(frames=tf.constant(observed_frames), count=tf.constant(count))
        return {name: value.numpy() for name, value in answer.items()}

    def predict(self, observed_frames: np.ndarray, count: int) -> np.ndarray:
        """Observed frames uint8 [N, k, H, W, C] -> the next `count` frames uint8 [N, count, H, W, C]."""
        return self._answer(observed_frames, count)["future"]

    def _further_pictures(self, answer: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Title -> pictures uint8 [T, H, W, 3] that are shown beside the predicted frames. answer: of one movie."""
        return {}

    def _predict_movie(self, movie: Movie) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The future frames of a movie, [T, H, W, C] in 0..1, which the endpoint has rounded to bytes; and further pictures."""
        answer = self._answer(np.asarray(movie.frames[None, : self.context]), self.horizon)
        return answer["future"][0] / np.float32(255.0), self._further_pictures(answer)

    def predict_clips(self, dataset) -> Iterator[UnroundedFrames]:
        pictured_ids = {movie.id for movie in self.selected_clips(dataset.test)}
        for movie in dataset.test:
            future, pictures = self._predict_movie(movie)
            yield predicted_movie(
                movie,
                self.context,
                future,
                other_methods={"motion_continued": motion_continued(np.asarray(movie.frames[: self.context]), self.horizon)},
                extra_columns=pictures,
                with_pictures=movie.id in pictured_ids,
            )

    def panel_columns(self, dataset, movie: Movie):
        return movie_columns(movie, self.context, *self._predict_movie(movie))

    def protocol(self, dataset) -> str:
        notes = f" ({dataset.notes})" if dataset.notes else ""
        height, width, _ = self.frame
        return (
            f"{dataset.name}{notes}: {len(dataset.test)} test windows of {self.context} observed and {self.horizon} predicted "
            f"frames, {height} x {width}; PSNR, SSIM (11 x 11 Gaussian) and mean squared error of uint8 frames; averaged over "
            f"frames, then over windows; {self.protocol_notes}baselines: the last observed frame copied, and half of the "
            f"motion between the last two observed frames continued (OpenCV's DIS flow); seed {self.settings.seed}"
        )

    # ---------------------------------------------------------------- export

    def input_specs(self) -> list[tf.TensorSpec]:
        """The inputs of its endpoints: frames, and how many."""
        return [tf.TensorSpec([None, None, *self.frame], tf.uint8, "frames"), tf.TensorSpec([], tf.int32, "count")]


def named_states(levels: list) -> dict[str, tf.Tensor]:
    """The states of lateral blocks, the finest first -> "c1", "c2", ...: those of a block's cells one after the other, float32
    [B, H', W', units]."""
    merged = [tf.concat([hidden for (hidden,) in level], -1) for level in levels]
    return {f"c{index}": tf.cast(value, tf.float32) for index, value in enumerate(merged, 1)}
