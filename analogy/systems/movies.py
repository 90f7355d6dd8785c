"""What systems that predict the next frames of a movie share: how a prediction is measured and pictured."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import tensorflow as tf

from analogy.data.contract import name_with_notes
from analogy.data.movies import Movie
from analogy.data.windows import StoredMovie
from analogy.metrics.horizon import HorizonMetrics
from analogy.predictions.base import Predicted
from analogy.predictions.frames import UnroundedFrames
from analogy.predictions.motion import motion_continued
from analogy.settings.sections import Settings
from analogy.systems.base import ALL, Column, System
from analogy.visualise.canvas import absolute_difference
from data_prep.datasets import find_opening


def predicted_movie(movie: Movie | StoredMovie, context: int, future: np.ndarray, **more) -> UnroundedFrames:
    """A prediction beside the truth, and beside the last observed frame copied.

    Args:
        movie: k + T frames or more.
        context: k, the number of observed frames.
        future: the predicted frames, float32 [T, H, W, C] in 0..1.
        more: further fields of `UnroundedFrames`.
    """
    end = context + len(future)
    frames = np.asarray(movie.frames[:end])
    return UnroundedFrames(
        clip=movie.id,
        action=movie.action,
        distance=np.arange(1, len(future) + 1),
        observed_frames=frames[:context],
        truth=frames[context:],
        prediction=np.rint(255.0 * future).astype(np.uint8),
        baseline=np.repeat(frames[context - 1 : context], len(future), 0),
        baseline_name="copy_last_frame",
        unrounded=future,
        centres=movie.centres[context:end],
        **more,
    )


def movie_columns(
    movie: Movie | StoredMovie, context: int, future: np.ndarray, further: Mapping[str, np.ndarray] | None = None
) -> list[Column]:
    """The last observed frame, then truth, prediction and absolute difference at up to three times.

    Args:
        movie, context, future: as in `predicted_movie`.
        further: title -> pictures uint8 [T, H, W, 1 or 3], which follow at each of these times.
    """
    horizon, prediction = len(future), np.rint(255.0 * future).astype(np.uint8)
    columns = [Column("last observed", np.asarray(movie.frames[context - 1]))]
    for t in sorted({1, (horizon + 1) // 2, horizon}):
        truth, ours = np.asarray(movie.frames[context + t - 1]), prediction[t - 1]
        columns += [
            Column(f"truth +{t}", truth),
            Column("prediction", ours, predicted=True),
            Column("|difference|", absolute_difference(truth, ours)),
        ]
        columns += [Column(title, pictures[t - 1], predicted=True) for title, pictures in (further or {}).items()]
    return columns


def frame_shape(settings: Settings) -> list[int]:
    """Height, width and channels of the frames of an experiment, whose `data` is a MovieDataSettings."""
    return [*settings.data.size, find_opening(settings).channels]


class MovieSystem(System):
    """A system that predicts the frames that follow: how its predictions are measured and shown.

    They stand beside the last observed frame copied and beside its motion continued. A subclass sets `context`, `horizon` and
    `frame`, and implements `_predict_movie`.
    """

    context: int  # k, the number of observed frames
    horizon: int  # T, the number of predicted frames
    frame: list[int]  # height, width and channels
    paints = True
    further_metrics: Mapping[str, Callable] = MappingProxyType({})  # see `PredictedFrames.further_metrics`

    def _predict_movie(self, movie: Movie | StoredMovie) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The future frames of a movie, float32 [T, H, W, C] in 0..1; and title -> pictures uint8 [T, H, W, 3], which are shown
        beside them."""
        raise NotImplementedError

    def _other_methods(self, movie: Movie | StoredMovie) -> dict[str, np.ndarray]:
        """Name -> the future frames of a movie by other methods, uint8 [T, H, W, C], which are measured and shown too."""
        return {"motion_continued": motion_continued(np.asarray(movie.frames[: self.context]), self.horizon)}

    def _predicted(self, movie: Movie | StoredMovie, with_pictures: bool) -> UnroundedFrames:
        """The prediction of a movie beside the other methods."""
        future, pictures = self._predict_movie(movie)
        return predicted_movie(
            movie,
            self.context,
            future,
            other_methods=self._other_methods(movie),
            extra_columns=pictures,
            with_pictures=with_pictures,
            further_metrics=self.further_metrics,
        )

    def predict_clips(self, dataset, share=ALL) -> Iterator[UnroundedFrames]:
        return self.predict_windows(dataset.test, {movie.id for movie in self.selected_clips(dataset.test)}, share)

    def predict_windows(
        self, windows: Sequence[Movie | StoredMovie], pictured_ids: Collection[str], share: slice = ALL
    ) -> Iterator[UnroundedFrames]:
        """The predictions of a share of windows beside other methods. pictured_ids: the windows whose pictures are written."""
        return (self._predicted(movie, movie.id in pictured_ids) for movie in windows[share])

    def panel_columns(self, dataset, movie: Movie) -> list[Column]:
        return movie_columns(movie, self.context, *self._predict_movie(movie))


class MoviePredictor(MovieSystem):
    """A system whose endpoint `predict` takes any number of observed frames and answers with the next ones.

    Args:
        settings: the experiment's, with `data` (a MovieDataSettings).
    """

    protocol_notes = ""  # a clause for the protocol, with a semicolon and a space at its end

    def __init__(self, settings):
        super().__init__(settings)
        self.context, self.horizon = settings.data.context, settings.data.horizon
        self.frame = frame_shape(settings)

    # ---------------------------------------------------------------- training

    def weighted_over_frames(self, terms: Mapping[str, Callable], shape, over_frames: Callable) -> dict[str, tf.Tensor]:
        """`weighted`, of terms that are given frame by frame: name -> [B].

        Args:
            terms: name -> function without arguments that gives the term of every frame [B T].
            shape: of the predicted frames, [B, T, ...].
            over_frames: `tf.reduce_sum` or `tf.reduce_mean`, over the frames of an example.
        """

        def of_examples(term: Callable) -> Callable:
            return lambda: over_frames(tf.reshape(term(), shape[:2]), 1)

        return self.weighted({name: of_examples(term) for name, term in terms.items()})

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

    def _predict_movie(self, movie):
        """The endpoint has rounded the frames to bytes."""
        answer = self._answer(np.asarray(movie.frames[None, : self.context]), self.horizon)
        return answer["future"][0] / np.float32(255.0), self._further_pictures(answer)

    def protocol(self, dataset) -> str:
        height, width, _ = self.frame
        return (
            f"{name_with_notes(dataset)}: {len(dataset.test)} test windows of {self.context} observed and {self.horizon} "
            f"predicted frames, {height} x {width}; PSNR, SSIM (11 x 11 Gaussian) and mean squared error of uint8 frames; "
            f"averaged over frames, then over windows; {self.protocol_notes}baselines: the last observed frame copied, and "
            f"half of the motion between the last two observed frames continued (OpenCV's DIS flow); seed {self.settings.seed}"
        )

    # ---------------------------------------------------------------- export

    def input_specs(self) -> list[tf.TensorSpec]:
        """The inputs of its endpoints: frames, and how many."""
        return [tf.TensorSpec([None, None, *self.frame], tf.uint8, "frames"), tf.TensorSpec([], tf.int32, "count")]


def mean_figures(predictions: Iterable[Predicted]) -> dict[str, dict[str, float]]:
    """method -> metric -> mean over these predictions."""
    means, methods = HorizonMetrics(), ()
    for predicted in predictions:
        methods = means.add(predicted.distance, predicted.measure())
    return {method: means.mean(method) for method in methods}
