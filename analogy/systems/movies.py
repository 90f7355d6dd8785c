"""What systems that predict the next frames of a movie share: how a prediction is measured and pictured."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analogy.data.movies import Movie
from analogy.data.windows import StoredMovie
from analogy.predictions.frames import UnroundedFrames
from analogy.systems.base import Column
from analogy.visualise.canvas import absolute_difference


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
