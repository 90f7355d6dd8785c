"""Videos, as training windows and test clips of k observed and T future frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter

import numpy as np
import tensorflow as tf

from analogy.data.batches import ReplicaContext
from analogy.data.contract import Dataset
from analogy.data.doubts import fingerprint, some
from analogy.data.windows import NO_CENTRES, SAME_RATE, StoredMovie, WindowPlan, window_batches
from analogy.errors import UserError
from analogy.one_line import counted
from analogy.random_streams import DatasetStream, generator
from analogy.settings.sections import MovieDataSettings


@dataclass(frozen=True)
class Movie:
    """A video in memory.

    frames: uint8 [T, H, W, C].
    source: the fingerprint of the images from which it was generated.
    centres: [T, 2], x then y in pixels: the centre of the only object in each frame; [0, 2] where it is unknown.
    """

    id: str
    action: str
    frames: np.ndarray
    source: str = ""
    centres: np.ndarray = field(default_factory=lambda: NO_CENTRES)
    label_fingerprint = ""  # it has no labels

    @property
    def length(self) -> int:
        return len(self.frames)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of its frames in pixels."""
        return self.frames.shape[1:3]

    @property
    def fingerprint(self) -> str:
        return fingerprint([self.source.encode(), self.frames.tobytes()])


class MovieDataset:
    """Random windows of the training movies, and fixed test movies.

    Args:
        train: movies of consecutive frames, each long enough for a window. Those that are too short for a window in a stage of
            the curriculum are left out.
        test: movies of k + T frames each.
        plan: how training windows are cut.
        seed: the seed of the training windows.
        doubts: one line for each thing that looks wrong in the movies.
        notes: text for the protocol.
        classes: the names of all actions, in the order of their numbers; None takes those of the movies, sorted.

    Raises:
        UserError: see `following_curriculum`.
    """

    def __init__(
        self,
        name: str,
        train: Sequence[StoredMovie],
        test: Sequence[StoredMovie],
        *,
        plan: WindowPlan,
        seed: int,
        doubts: Sequence[str],
        notes: str = "",
        classes: Sequence[str] | None = None,
    ):
        self.name, self.plan, self.seed = name, plan, seed
        self.train, said = following_curriculum(train, plan)
        self.test, self.notes = list(test), "; ".join(filter(None, [notes, *said]))
        self.doubts = list(doubts)
        self.classes = list(classes or sorted({movie.action for movie in (*train, *test)}))

    def batches(self, context: ReplicaContext) -> tf.data.Dataset:
        """Endless training windows: see `analogy.data.windows.window_batches`. The label is the number of the action."""
        labels = [self.classes.index(movie.action) for movie in self.train]
        return window_batches(self.train, labels, self.plan, context, seed=self.seed)


def drawn_share(movies: Sequence[StoredMovie], share: float, seed: int) -> list[StoredMovie]:
    """The movies of a share of the clips, in their order. The clips are drawn from the seed, without replacement.

    share: of the clips, above 0 and up to 1; at least one clip is drawn.
    """
    if share == 1:
        return list(movies)
    clips = list(dict.fromkeys(movie.clip.id for movie in movies))
    count = max(1, round(share * len(clips)))
    drawn = generator(seed, DatasetStream.SHARE_OF_CLIPS).choice(len(clips), count, replace=False)
    names = {clips[index] for index in drawn}
    return [movie for movie in movies if movie.clip.id in names]


def chosen_movies(movies: Sequence[StoredMovie], data: MovieDataSettings, seed: int) -> list[StoredMovie]:
    """The training movies that `data` asks for: those of `train_clips`, its share of them, or the first `train_count` by name.

    Raises:
        UserError: a clip of `train_clips` is not among them.
    """
    if data.train_clips is not None:
        present = {movie.clip.id for movie in movies}
        if missing := [name for name in data.train_clips if name not in present]:
            raise UserError(
                f"data.train_clips: {', '.join(missing)}: no such training video is long enough for a window; there are "
                f"{len(present)}: {some(sorted(present))}"
            )
        return [movie for movie in movies if movie.clip.id in data.train_clips]
    movies = drawn_share(movies, data.share, seed)
    return movies if data.train_count is None else sorted(movies, key=lambda movie: movie.id)[: data.train_count]


def long_enough(movies: Sequence[StoredMovie], plan: WindowPlan) -> tuple[list[StoredMovie], list[str]]:
    """The movies from which `plan` cuts at least one window, and one line for each reason why others are left out."""
    kept: list[StoredMovie] = []
    slow: list[StoredMovie] = []
    short: list[StoredMovie] = []
    for movie in movies:
        try:
            (kept if len(movie.starts(plan)) else short).append(movie)
        except ValueError:
            slow.append(movie)
    without = " without repeated ones" if plan.leave_out_repeats else ""
    reasons = (
        (slow, f"have fewer than data.fps {plan.fps} frames per second, or do not say their rate"),
        (short, f"have no window of {plan.length} frames{without}"),
    )
    lines = [
        f"{len(movies)} videos {what}, and are left out: {some([movie.id for movie in movies])}{_longest(movies)}"
        for movies, what in reasons
        if movies
    ]
    return kept, lines


def _longest(movies: Sequence[StoredMovie]) -> str:
    """How long the longest of some movies is, and what is known of why."""
    movie = max(movies, key=lambda movie: movie.length)
    why = f": {movie.clip.notes}" if movie.clip.notes else ""
    return f" (the longest, {movie.id}, has {counted(movie.length, 'frame')}{why})"


def following_curriculum(movies: Sequence[StoredMovie], plan: WindowPlan) -> tuple[list[StoredMovie], list[str]]:
    """The movies that have a window in every stage of the curriculum, and what is to be noted of it for the protocol.

    Raises:
        UserError: a movie does not say its frames per second, or no movie has windows in every stage.
    """
    if not plan.curriculum:
        return list(movies), []
    if silent := [movie.id for movie in movies if not movie.clip.fps]:
        raise UserError(
            f"data.curriculum: {len(silent)} of {len(movies)} training videos do not say their frames per second "
            f"({some(silent)}); leave data.curriculum out"
        )
    said = [
        "training begins with " + ", ".join(f"{steps} steps at {fps:g} frames per second" for steps, fps in plan.curriculum)
    ]
    for fps in dict.fromkeys(fps for _, fps in plan.curriculum):
        if slow := sum(movie.clip.fps < fps * SAME_RATE for movie in movies):
            said.append(f"at {fps:g}, {slow} of {len(movies)} training videos have fewer and use every frame")
    kept = [movie for movie in movies if all(len(movie.starts(stage)) for stage in plan.stages(movie.clip.fps))]
    if not kept:
        raise UserError(f"data.curriculum: no training video has a window of {plan.length} frames in every stage")
    if len(kept) < len(movies):
        said.append(f"{len(movies) - len(kept)} training videos too short for a stage are left out")
    return kept, said


def windows_that_train(dataset: Dataset, count: int) -> list[StoredMovie | Movie]:
    """At most `count` windows of the clips that train, spread over them: to measure how well they are remembered.

    Of movies that are drawn anew at every step: some that were made to look at.
    """
    if isinstance(dataset, MovieDataset):
        return spread_windows(dataset.train, dataset.plan, count, dataset.seed)
    return list(dataset.train[:count])


def spread_windows(movies: Sequence[StoredMovie], plan: WindowPlan, count: int, seed: int) -> list[StoredMovie]:
    """At most `count` test windows, spread over the movies: no window twice, and no movie has two more than another that has
    windows left. They are drawn from the seed, and sorted by movie and time."""
    random = generator(seed, DatasetStream.TEST_WINDOWS)
    starts = [random.permutation(movie.starts(plan)) for movie in movies]
    turns = ((turn, index) for index in random.permutation(len(movies)) for turn in range(len(starts[index])))
    chosen = sorted((index, starts[index][turn]) for turn, index in sorted(turns, key=itemgetter(0))[:count])
    return [
        movies[index].window(plan, start, f"{movies[index].id}_{plan.numbers(start, movies[index].clip.fps)[0]}")
        for index, start in chosen
    ]
