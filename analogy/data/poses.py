"""Windows of pose sequences: k observed poses and the T that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from analogy.data.batches import ReplicaContext, endless_batches, pick, step_uniform
from analogy.data.doubts import Look, doubts_about_selected, fingerprint, share_outside
from analogy.data.selection import select_clips
from analogy.errors import UserError
from analogy.random_streams import StepStream


@dataclass(frozen=True, eq=False)
class PoseClip:
    """The labels of one clip of N frames, in pixels of the source frame (`width` x `height`).

    joints: float32 [N, 13, 2]; a hidden joint may lie anywhere. visibility: float32 [N, 13], 1 seen or 0 hidden.
    union_box: (x_min, y_min, x_max, y_max) around the person's boxes of all frames.
    """

    id: str
    action: str
    viewpoint: str
    split: str
    joints: np.ndarray
    visibility: np.ndarray
    union_box: tuple[int, int, int, int]
    width: int
    height: int
    fingerprint = ""  # it has no frames

    @property
    def length(self) -> int:
        return len(self.joints)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the source frames in pixels."""
        return self.height, self.width

    @property
    def label_fingerprint(self) -> str:
        return fingerprint([self.joints.tobytes(), self.visibility.tobytes(), str(self.union_box).encode()])

    @property
    def look(self) -> Look:
        content = fingerprint([self.joints.tobytes(), self.visibility.tobytes()])
        outside = share_outside(self.joints, self.visibility, self.width, self.height)
        return Look(self.id, self.action, content, joints_outside=outside)

    @property
    def facts(self) -> dict[str, np.ndarray]:
        """What is known of the whole clip: box [4]; size [2] = (width, height); survives [13], 1 for joints that are visible in
        every frame; origin [13, 2], the joints of frame 0, (0, 0) where hidden."""
        x_min, y_min, x_max, y_max = self.union_box
        return {
            # A degenerate box (five clips of Penn Action) would make units of nothing.
            "box": np.array([x_min, y_min, max(x_max, x_min + 1), max(y_max, y_min + 1)], np.float32),
            "size": np.array([self.width, self.height], np.float32),
            "survives": self.visibility.prod(0),
            "origin": self.joints[0] * self.visibility[0][:, None],
        }


class PoseDataset:
    """Pose clips seen through `data:` settings.

    train, test, validation: lists of clips; validation holds the training clips kept back to choose the best weights by.

    Args:
        clips: all of them. settings: a PoseDataSettings. seed: of the training windows.

    Raises:
        UserError: no clip is left, or one is named that is not there.
    """

    notes = ""

    def __init__(self, name: str, clips: Sequence[PoseClip], settings, *, seed: int):
        self.name, self.settings, self.seed = name, settings, seed
        fitting = [
            clip for clip in clips if clip.length >= settings.min_frames and settings.viewpoint in ("all", clip.viewpoint)
        ]
        if not fitting:
            views = ", ".join(sorted({clip.viewpoint for clip in clips}))
            raise UserError(
                f"no clip has data.viewpoint {settings.viewpoint} (there are {views}) "
                f"and data.min_frames {settings.min_frames} frames"
            )
        chosen = {"train_clips": settings.train_clips, "test_clips": settings.test_clips}
        train, self.test = select_clips(fitting, actions=settings.actions, **chosen)
        self.doubts = doubts_about_selected(train, self.test, settings)
        share = settings.validation_share  # spread evenly over the clips in order of their names, hence over the actions
        self.validation = [clip for i, clip in enumerate(train) if int((i + 1) * share) > int(i * share)]
        self.train = [clip for clip in train if clip not in self.validation]
        if not self.train or (settings.validation_share and not self.validation):
            raise UserError(f"data.validation_share {settings.validation_share} of {len(train)} clips leaves one side empty")
        self.actions = sorted({clip.action for clip in clips}) if settings.actions == "all" else list(settings.actions)

    def batches(self, context: ReplicaContext) -> tf.data.Dataset:
        """Endless training windows.

        Each element: step int64; position [b]; joints [b, k + T, 13, 2]; visibility [b, k + T, 13]; valid [b, k + T], 0 past
        the clip's end, where the last pose is repeated; action [b], its place in `actions`; and `PoseClip.facts`.
        """
        settings = self.settings
        lengths = tf.constant([clip.length for clip in self.train])
        first = tf.math.cumsum(lengths, exclusive=True)
        joints = tf.constant(np.concatenate([clip.joints for clip in self.train]))
        visibility = tf.constant(np.concatenate([clip.visibility for clip in self.train]))
        known = [clip.facts for clip in self.train]
        facts = {name: tf.constant(np.stack([one[name] for one in known])) for name in known[0]}
        actions = tf.constant([self.actions.index(clip.action) for clip in self.train])

        def element(step, position):
            drawn = draw_windows(self.seed, step, lengths, context.batch_size, settings)
            clip, times, valid = (tf.gather(x, position) for x in drawn)
            before = tf.cast(tf.floor(times), tf.int32)
            share = times - tf.floor(times)  # [b, k + T]: how far towards the next frame
            after = tf.where(share > 0.0, before + 1, before)
            rows = [tf.gather(first, clip)[:, None] + frame for frame in (before, after)]
            at, then = (tf.gather(joints, row) for row in rows)
            seen = tf.gather(visibility, rows[0]) * tf.gather(visibility, rows[1])
            return {
                "step": step,
                "position": position,
                "joints": at + (then - at) * share[..., None, None],
                "visibility": seen,
                "valid": valid,
                "action": tf.gather(actions, clip),
                **{name: tf.gather(fact, clip) for name, fact in facts.items()},
            }

        return endless_batches(element, context)

    def windows(self, clip: PoseClip) -> dict[str, np.ndarray]:
        """Every window of a clip, from each start 0, 1, ...: the keys of `batches` but step and position."""
        k, horizon, shortest = self.settings.context, self.settings.horizon, self.settings.min_future
        starts = np.arange(max(1, clip.length - k - shortest + 1))
        frames = starts[:, None] + np.arange(k + horizon)
        valid = (frames < clip.length).astype(np.float32)
        frames = np.minimum(frames, clip.length - 1)
        return {
            "joints": clip.joints[frames],
            "visibility": clip.visibility[frames],
            "valid": valid,
            "action": np.full(len(starts), self.actions.index(clip.action), np.int32),
            **{name: np.repeat(fact[None], len(starts), 0) for name, fact in clip.facts.items()},
        }


def draw_windows(seed: int, step, lengths, batch_size: int, settings):
    """Draw a step's windows.

    Args:
        lengths: [N] frames of each clip.
        settings: context k; horizon T; min_future, the fewest future frames that a window has, where the clip is long enough;
            order: "random" (clips uniformly, with replacement) or "passes" (clip after clip, round and round); first_share, of
            the windows that begin with the clip, the others anywhere; time_stretch, the natural logarithm by which the pace may
            change.

    Returns:
        clip [B] int32; times [B, k + T] float32, at most the last frame's; valid [B, k + T], 0 where the clip has ended.
    """
    uniform = step_uniform(seed, step, StepStream.EXAMPLES, [batch_size, 4], tf.float64)
    u_clip, u_start, u_pace, u_first = tf.unstack(uniform, axis=1)
    u_start = tf.where(u_first < settings.first_share, tf.zeros_like(u_start), u_start)
    count = tf.shape(lengths)[0]
    if settings.order == "passes":
        turn = step * batch_size + tf.range(batch_size, dtype=tf.int64)
        clip = tf.cast(turn % tf.cast(count, tf.int64), tf.int32)
    else:
        clip = pick(u_clip, count)
    last = tf.gather(lengths, clip) - 1  # [B]
    needed = settings.context + settings.min_future - 1
    if settings.time_stretch:
        pace = tf.exp(settings.time_stretch * (2.0 * u_pace - 1.0))
        pace = tf.minimum(pace, tf.cast(last, tf.float64) / needed)
        start = u_start * tf.maximum(tf.cast(last, tf.float64) - needed * pace, 0.0)
    else:
        pace = tf.ones_like(u_pace)
        start = tf.cast(pick(u_start, tf.maximum(last - needed + 1, 1)), tf.float64)
    offsets = tf.range(settings.context + settings.horizon, dtype=tf.float64)
    times, last = start[:, None] + pace[:, None] * offsets, tf.cast(last, tf.float64)[:, None]
    valid = tf.cast(times <= last + 1e-6, tf.float32)
    return clip, tf.cast(tf.minimum(times, last), tf.float32), valid
