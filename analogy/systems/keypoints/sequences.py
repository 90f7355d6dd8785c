"""Sequences of keypoints of one length from clips of any length (spec section 1.4), and their augmentation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from analogy.data.batches import ReplicaContext, endless_batches, pick, step_uniform
from analogy.data.prepared import Clip
from analogy.random_streams import StepStream

DRAWS = 3  # number of random numbers for each example
STEPS_FROM_OTHER_START = 6  # in which a sequence goes from another start into its own motion


def pace(length, steps: int, largest: int | None = None):
    """The distance between neighbouring steps in frames of a clip: the largest whole number of which `steps` fit; a half, where
    the clip is shorter, so that midpoints of neighbours stand between its frames. Speeds are so made alike.

    length: int or int array, the number of the clip's frames. largest: the pace where it fits, such as 1 for every frame.
    """
    fitting = np.maximum(np.asarray(length) // steps, 0.5)
    return fitting if largest is None else np.minimum(fitting, largest)


def last_start(length, steps: int, largest: int | None = None):
    """The last frame at which a sequence of `steps` steps can begin; 0 where a clip is too short for half the pace."""
    length, distance = np.asarray(length), pace(length, steps, largest)
    if_long, if_short = length - distance * steps, length - np.ceil((steps + 1) / 2)
    return np.maximum(np.where(distance >= 1, if_long, if_short), 0).astype(int)


def places(length: int, steps: int, largest: int | None = None) -> np.ndarray:
    """Where the sequence of a test clip lies: float [steps], frame numbers from 0 on; .5 is between two frames. A clip that is
    too short ends with its last frame."""
    return np.minimum(np.arange(steps) * pace(length, steps, largest), length - 1)


def shown_frames(length: int, steps: int, largest: int | None = None) -> np.ndarray:
    """The numbers of the frames that are shown at the steps of a test clip's sequence, int [steps]: between two frames, the
    later one."""
    return np.ceil(places(length, steps, largest)).astype(int)


def who_acts(clip: Clip) -> str:
    """The clip's person. Where that is not known, each clip is taken for someone else's."""
    return clip.person or f"clip {clip.id}"


def shuffled(values: np.ndarray) -> np.ndarray:
    """The same values along the first axis, in another order: always the same one, which scatters neighbours. A baseline that
    has every frame of the truth, and none of its motion."""
    golden = (5**0.5 - 1) / 2
    return values[np.argsort(np.arange(1, len(values) + 1) * golden % 1.0)]


def between_frames(points: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Keypoints [T, K, 2] at places [S]: [S, K, 2]; between two frames, their mean."""
    return (points[np.floor(where).astype(int)] + points[np.ceil(where).astype(int)]) / 2.0


def sequence_batches(
    points: Sequence[np.ndarray],
    labels: Sequence[int],
    steps: int,
    context: ReplicaContext,
    *,
    seed: int,
    largest_pace: int | None = None,
    persons: Sequence[str] = (),
    other_start: float = 0.0,
) -> tf.data.Dataset:
    """Endless batches: step int64; position [b]; keypoints [b, steps, K, 2]; label int32 [b].

    For each, a clip and the beginning are drawn uniformly.

    Args:
        points: of each clip, [T, K, 2]. labels: the number of each clip's action. largest_pace: see `pace`.
        persons: who acts in each clip; by default someone else in each.
        other_start: the share of sequences whose first keypoints are those of any frame of the same person, from any of their
            clips. From there they go into the clip's motion in straight lines. So a network learns what an action looks like
            from where another one began.
    """
    lengths = np.array([len(part) for part in points])
    first = tf.constant(np.cumsum([0, *lengths[:-1]]), tf.int32)
    whole, label = tf.constant(np.concatenate(points), tf.float32), tf.constant(labels, tf.int32)
    starts = tf.constant(last_start(lengths, steps, largest_pace) + 1)
    distance = tf.constant(pace(lengths, steps, largest_pace), tf.float32)
    length = tf.constant(lengths, tf.int32)
    frame_of_person = _frames_of_persons(lengths, persons) if other_start else None

    def element(step, position):
        uniform = step_uniform(seed, step, StepStream.EXAMPLES, [context.batch_size, 2], tf.float64)
        u_clip, u_start = tf.unstack(tf.gather(uniform, position), axis=1)
        clip = pick(u_clip, len(points))
        start = tf.cast(pick(u_start, tf.gather(starts, clip)), tf.float32)
        where = start[:, None] + tf.range(steps, dtype=tf.float32) * tf.gather(distance, clip)[:, None]
        where = tf.minimum(where, tf.cast(tf.gather(length, clip) - 1, tf.float32)[:, None])
        low, high = (
            tf.gather(first, clip)[:, None] + tf.cast(rounded(where), tf.int32) for rounded in (tf.floor, tf.math.ceil)
        )
        keypoints = (tf.gather(whole, low) + tf.gather(whole, high)) / 2.0
        if frame_of_person:
            uniform = step_uniform(seed, step, StepStream.OTHER_START, [context.batch_size, 2], tf.float64)
            u_elsewhere, u_frame = tf.unstack(tf.gather(uniform, position), axis=1)
            led = _led_from(tf.gather(whole, frame_of_person(clip, u_frame)), keypoints)
            keypoints = tf.where((u_elsewhere < other_start)[:, None, None, None], led, keypoints)
        return {"step": step, "position": position, "keypoints": keypoints, "label": tf.gather(label, clip)}

    return endless_batches(element, context)


def _frames_of_persons(lengths: np.ndarray, persons: Sequence[str]) -> Callable:
    """A function: numbers of clips [b] and uniform numbers [b] in 0..1 -> of each clip's person any frame, from any of their
    clips; its number [b], counted through all clips."""
    who = np.unique(persons or np.arange(len(lengths)), return_inverse=True)[1]
    frames = np.argsort(np.repeat(who, lengths), kind="stable")
    of_person = tf.RaggedTensor.from_row_lengths(frames, np.bincount(who, lengths).astype(int))

    def frame_of_person(clip, uniform):
        person = tf.gather(tf.constant(who), clip)
        chosen = pick(uniform, tf.gather(of_person.row_lengths(), person))
        return tf.gather(of_person.values, tf.gather(of_person.row_starts(), person) + tf.cast(chosen, tf.int64))

    return frame_of_person


def _led_from(start, keypoints):
    """Sequences [b, steps, K, 2] that go from other keypoints [b, K, 2] in straight lines into their own motion."""
    left = tf.nn.relu(1.0 - tf.range(keypoints.shape[1], dtype=tf.float32) / STEPS_FROM_OTHER_START)[:, None, None]
    return left * start[:, None] + (1.0 - left) * keypoints


def augmented(keypoints, draws, *, rotation: float, scale: tuple[float, float], flip: bool):
    """Sequences of keypoints [B, T, K, 2], each turned, mirrored and scaled about the frame's centre.

    Args:
        draws: [B, DRAWS], uniform in 0..1. rotation: the largest angle in degrees. scale: the smallest and the largest factor.
        flip: whether half of the sequences are mirrored. Keypoints have no sides, so that none are exchanged.
    """
    angle = math.radians(rotation) * (2.0 * draws[:, 0] - 1.0)
    factor = scale[0] + (scale[1] - scale[0]) * draws[:, 1]
    mirrored = tf.where(flip & (draws[:, 2] < 0.5), -1.0, 1.0)
    cos, sin = factor * tf.cos(angle), factor * tf.sin(angle)
    matrix = tf.stack([tf.stack([mirrored * cos, -sin], -1), tf.stack([mirrored * sin, cos], -1)], 1)
    return tf.einsum("bij,btkj->btki", matrix, keypoints)
