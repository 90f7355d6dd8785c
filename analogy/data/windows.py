"""Windows of k observed and T future frames, cut from the clips of a prepared dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from analogy.data.batches import ReplicaContext, endless_batches, pick, step_uniform
from analogy.data.doubts import fingerprint
from analogy.data.prepared import Clip, PreparedClips
from analogy.random_streams import StepStream


@dataclass(frozen=True)
class WindowPlan:
    """How windows are cut from a clip.

    length: the number of frames in a window, k + T.
    stride: the distance between the starts of neighbouring windows, in frames of the clip.
    skip: the distance between neighbouring frames of a window, in frames of the clip; 1 uses every frame.
    fps: instead of `skip`, the frames per second of a window; the nearest frames of the clip are used.
    """

    length: int
    stride: int = 1
    skip: int = 1
    fps: float | None = None

    def offsets(self, clip_fps: float = 0.0) -> np.ndarray:
        """The distances of a window's frames from its first frame, in frames of the clip: int64 [length].

        clip_fps: the frames per second of the clip; 0 if unknown.

        Raises:
            ValueError: `fps` is set, and the rate of the clip is unknown or lower.
        """
        if self.fps is None:
            return np.arange(self.length) * self.skip
        if clip_fps < self.fps:
            rate = f"has {clip_fps:g}" if clip_fps else "does not say its frames per second"
            raise ValueError(f"windows of {self.fps:g} frames per second cannot be cut: the clip {rate}")
        return np.floor(np.arange(self.length) * (clip_fps / self.fps) + 0.5).astype(np.int64)

    def count(self, frames: int, clip_fps: float = 0.0) -> int:
        """The number of windows in a clip of `frames` frames. Window i begins at frame i * stride."""
        span = int(self.offsets(clip_fps)[-1]) + 1
        return max(0, (frames - span) // self.stride + 1)


@dataclass(frozen=True, eq=False)
class StoredMovie:
    """Some frames of a prepared clip, read from disk when needed. numbers: the numbers of the frames, in their order."""

    id: str
    prepared: PreparedClips
    clip: Clip
    numbers: Sequence[int]
    label_fingerprint = ""  # it has no labels

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

    def window(self, plan: WindowPlan, index: int, name: str) -> StoredMovie:
        """The window number `index` that `plan` cuts from these frames. name: its id."""
        start = index * plan.stride
        return StoredMovie(name, self.prepared, self.clip, [self.numbers[start + i] for i in plan.offsets(self.clip.fps)])


def window_batches(movies: Sequence[StoredMovie], plan: WindowPlan, context: ReplicaContext, *, seed: int) -> tf.data.Dataset:
    """Endless batches of training windows. For each, a movie and one of its windows are drawn uniformly.

    Each batch: step int64; position [b]; values float32 [b, k + T, H, W, C] in 0..1.

    Args:
        movies: movies of consecutive frames, each long enough for a window, and all of the same frame size.
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
    counts = tf.constant([plan.count(movie.length, movie.clip.fps) for movie in movies])
    first_record = tf.constant([movie.clip.first_record + movie.numbers[0] for movie in movies], tf.int64)
    offsets = tf.constant(np.stack([plan.offsets(clip.fps) for clip in clips]), tf.int64)

    def element(step, position):
        uniform = step_uniform(seed, step, StepStream.EXAMPLES, [context.batch_size, 2], tf.float64)
        u_movie, u_start = tf.unstack(tf.gather(uniform, position), axis=1)
        movie = pick(u_movie, len(movies))
        start = tf.cast(pick(u_start, tf.gather(counts, movie)), tf.int64) * plan.stride
        records = (tf.gather(first_record, movie) + start)[:, None] + tf.gather(offsets, movie)  # [b, k + T]
        windows = tf.reshape(prepared.frames_in_graph(tf.reshape(records, [-1]), size), [-1, *shape])
        return {"step": step, "position": position, "values": tf.cast(windows, tf.float32) / 255.0}

    return endless_batches(element, context)
