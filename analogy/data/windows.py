"""Windows of k observed and T future frames, cut from the clips of a prepared dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from analogy.data.batches import ReplicaContext, endless_batches, pick, step_uniform
from analogy.data.doubts import fingerprint
from analogy.data.prepared import Clip, PreparedClips
from analogy.random_streams import StepStream


@dataclass(frozen=True)
class WindowPlan:
    """How windows are cut from a clip.

    First some of the clip's frames are taken, evenly spaced in time; then windows of neighbouring ones among them.

    length: the number of frames in a window, k + T.
    stride: the distance between the starts of neighbouring windows, in frames of a window.
    skip: the distance between neighbouring frames of a window, in frames of the clip; 1 uses every frame.
    fps: instead of `skip`, the frames per second of a window; the nearest frames of the clip are used.
    leave_out_repeats: leave out windows in which a frame nearly equals the one before it.
    curriculum: (training steps, fps) of the stages with which training begins; after the last, `fps` or `skip` holds.
    """

    length: int
    stride: int = 1
    skip: int = 1
    fps: float | None = None
    leave_out_repeats: bool = False
    curriculum: tuple[tuple[int, float], ...] = ()

    @classmethod
    def from_settings(cls, data) -> WindowPlan:
        """The plan that a MovieDataSettings describes."""
        length, curriculum = data.context + data.horizon, tuple((stage.steps, stage.fps) for stage in data.curriculum)
        rate = {"stride": data.stride, "skip": data.skip, "fps": data.fps}
        return cls(length, **rate, leave_out_repeats=data.leave_out_repeats, curriculum=curriculum)

    def stages(self, clip_fps: float) -> list[WindowPlan]:
        """The plans of one clip in the stages of the curriculum, then the plan of all later steps.

        In a stage with more frames per second than the clip has, every frame of the clip is used.
        """
        plain = replace(self, curriculum=())
        return [*(replace(plain, fps=min(fps, clip_fps)) for _, fps in self.curriculum), plain]

    def pace(self, clip_fps: float = 0.0) -> float:
        """The distance between neighbouring frames of a window, in frames of the clip.

        clip_fps: the frames per second of the clip; 0 if unknown.

        Raises:
            ValueError: `fps` is set, and the rate of the clip is unknown or lower.
        """
        if self.fps is None:
            return float(self.skip)
        if clip_fps < self.fps * SAME_RATE:
            rate = f"has {clip_fps:g}" if clip_fps else "does not say its frames per second"
            raise ValueError(f"windows of {self.fps:g} frames per second cannot be cut: the clip {rate}")
        return max(1.0, clip_fps / self.fps)

    def numbers(self, start: int, clip_fps: float = 0.0) -> np.ndarray:
        """The numbers of the clip's frames in the window that begins at `start`: int64 [length]. Errors: see `pace`.

        start: an element of `starts`.
        """
        return _nearest(start + np.arange(self.length), self.pace(clip_fps))

    def starts(self, frames: int, clip_fps: float = 0.0, repeats: Sequence[int] = ()) -> np.ndarray:
        """Where windows begin in a clip, counted in frames of a window: int64 [windows]. Errors: see `pace`.

        frames: the number of the clip's frames. repeats: the numbers of those that nearly equal the one before them.
        """
        pace = self.pace(clip_fps)
        taken = _nearest(np.arange(frames), pace)  # as many or more than there are
        taken = taken[taken < frames]
        starts = np.arange(0, len(taken) - self.length + 1, self.stride, dtype=np.int64)
        if not (self.leave_out_repeats and len(repeats) and len(starts)):
            return starts
        repeated = np.zeros(frames, np.int64)
        repeated[list(repeats)] = 1
        # Two frames that are taken nearly equal each other where all frames after the first, up to the second, are repeats.
        same = np.diff(np.cumsum(repeated)[taken]) == np.diff(taken)
        until = np.concatenate([[0], np.cumsum(same)])
        return starts[until[starts + self.length - 1] == until[starts]]


SAME_RATE = 0.99  # a clip of 29.97 frames a second can give windows of 30


def _nearest(places: np.ndarray, pace: float) -> np.ndarray:
    return np.floor(places * pace + 0.5).astype(np.int64)


NO_CENTRES = np.zeros([0, 2])  # of movies in which it is unknown where the object is


@dataclass(frozen=True, eq=False)
class StoredMovie:
    """Some frames of a prepared clip, read from disk when needed. numbers: the numbers of the frames, in their order."""

    id: str
    prepared: PreparedClips
    clip: Clip
    numbers: Sequence[int]
    label_fingerprint = ""  # it has no labels
    centres = NO_CENTRES

    @property
    def action(self) -> str:
        return self.clip.action

    @property
    def length(self) -> int:
        return len(self.numbers)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of its frames in pixels."""
        return self.clip.size

    @property
    def fingerprint(self) -> str:
        return fingerprint([self.clip.fingerprint.encode(), np.asarray(self.numbers, np.int64).tobytes()])

    @property
    def frames(self) -> np.ndarray:
        """uint8 [T, H, W, C]."""
        return self.prepared.frames(self.clip, self.numbers)

    def starts(self, plan: WindowPlan) -> np.ndarray:
        """Where the windows that `plan` cuts from these frames begin: see `WindowPlan.starts`."""
        place = {number: index for index, number in enumerate(self.numbers)} if plan.leave_out_repeats else {}
        repeats = [place[number] for number in self.clip.repeats if number in place]
        return plan.starts(self.length, self.clip.fps, repeats)

    def window(self, plan: WindowPlan, start: int, name: str) -> StoredMovie:
        """The window that `plan` cuts from these frames at `start`, an element of `starts`. name: its id."""
        numbers = [self.numbers[i] for i in plan.numbers(start, self.clip.fps)]
        return StoredMovie(name, self.prepared, self.clip, numbers)


def window_batches(
    movies: Sequence[StoredMovie], labels: Sequence[int], plan: WindowPlan, context: ReplicaContext, *, seed: int
) -> tf.data.Dataset:
    """Endless batches of training windows. For each, a movie and one of its windows are drawn uniformly.

    The stage of the curriculum is a function of the step alone, so that a resumed run draws the same windows.

    Each batch: step int64; position [b]; values float32 [b, k + T, H, W, C] in 0..1; label int32 [b]; records int64 [b, k + T],
    the frames' numbers in the prepared dataset.

    Args:
        movies: movies of consecutive frames, each long enough for a window in every stage, and all of the same frame size.
        labels: a number for each movie.
        plan: how windows are cut.
        seed: the seed of the draws.

    Raises:
        ValueError: the movies differ in frame size.
    """
    prepared, clips = movies[0].prepared, [movie.clip for movie in movies]
    if len(sizes := {(clip.height, clip.width) for clip in clips}) > 1:
        raise ValueError(f"{prepared.folder}: windows need frames of one size, these have {sorted(sizes)} (height, width)")
    (size,) = sizes
    shape = [plan.length, *size, prepared.format.channels]
    label = tf.constant(labels, tf.int32)
    first_record = tf.constant([movie.clip.first_record + movie.numbers[0] for movie in movies], tf.int64)
    plans = list(zip(*(plan.stages(clip.fps) for clip in clips), strict=True))  # of each stage, of each movie in it
    pace = tf.constant([[p.pace(clip.fps) for p, clip in zip(stage, clips, strict=True)] for stage in plans], tf.float64)
    starts = [movie.starts(p) for stage in plans for p, movie in zip(stage, movies, strict=True)]
    sizes = [len(of_movie) for of_movie in starts]
    counts, first_start = (tf.reshape(tf.constant(n), pace.shape) for n in (sizes, np.cumsum([0, *sizes[:-1]], dtype=np.int32)))
    all_starts = tf.constant(np.concatenate(starts))
    ends = tf.constant(np.cumsum([steps for steps, _ in plan.curriculum]), tf.int64)  # the first step after each stage

    def element(step, position):
        uniform = step_uniform(seed, step, StepStream.EXAMPLES, [context.batch_size, 2], tf.float64)
        u_movie, u_start = tf.unstack(tf.gather(uniform, position), axis=1)
        movie, stage = pick(u_movie, len(movies)), tf.reduce_sum(tf.cast(step >= ends, tf.int32))
        start = tf.gather(all_starts, tf.gather(first_start[stage], movie) + pick(u_start, tf.gather(counts[stage], movie)))
        places = tf.cast(start[:, None] + tf.range(plan.length, dtype=tf.int64), tf.float64)
        numbers = tf.cast(tf.floor(places * tf.gather(pace[stage], movie)[:, None] + 0.5), tf.int64)  # as in WindowPlan.numbers
        records = tf.gather(first_record, movie)[:, None] + numbers  # [b, k + T]
        windows = tf.reshape(prepared.frames_in_graph(tf.reshape(records, [-1]), size), [-1, *shape])
        values = tf.cast(windows, tf.float32) / 255.0
        number = tf.gather(label, movie)
        return {"step": step, "position": position, "values": values, "label": number, "records": records}

    return endless_batches(element, context)
