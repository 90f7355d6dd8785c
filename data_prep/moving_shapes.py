"""moving_shapes: discs and squares that move and bounce, drawn anew for every training batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from analogy.data.drawn_movies import DrawnMovies
from analogy.data.movies import Movie
from analogy.data.moving_shapes import draw_shapes
from analogy.random_streams import MOVIES_TO_LOOK_AT, TEST_MOVIES


def open_moving_shapes(folder: Path | None, cache: Path, settings) -> DrawnMovies:
    """Open moving_shapes: `data.test_count` fixed test movies, of which none occurs in training.

    Args:
        folder, cache: not used.
        settings: with `data` (a MovieDataSettings) and seed.
    """
    del folder, cache
    data, length = settings.data, settings.data.context + settings.data.horizon

    def draw(step, count):
        return draw_shapes(settings.seed, step, count, length, data.size)

    def movies(step: int, count: int) -> list[Movie]:
        drawn = np.rint(255.0 * draw(step, count).numpy()).astype(np.uint8)
        return [Movie(f"{index:05d}", "shapes", frames) for index, frames in enumerate(drawn)]

    train, test = movies(MOVIES_TO_LOOK_AT, 3), movies(TEST_MOVIES, data.test_count)
    notes = "discs and squares that bounce, drawn anew for every training batch"
    return DrawnMovies("moving_shapes", draw, train=train, test=test, notes=notes)
