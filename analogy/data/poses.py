"""Pose sequences of clips, and windows of k observed and T future poses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from analogy.data.batches import ReplicaContext, endless_batches, pick, step_uniform
from analogy.data.doubts import Inspection, doubts_about_selected, fingerprint, share_outside
from analogy.data.selection import select_clips
from analogy.errors import UserError
from analogy.random_streams import StepStream


@dataclass(frozen=True, eq=False)
class PoseClip:
    """The labels of one clip of N frames, in pixels of the source frame (`width` x `height`).

    joints: float32 [N, 13, 2]; the position of a hidden joint has no meaning. visibility: float32 [N, 13], 1 visible or
    0 hidden. union_box: (x_min, y_min, x_max, y_max), the smallest box around the person's boxes in all frames.
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
    def inspection(self) -> Inspection:
        content = fingerprint([self.joints.tobytes(), self.visibility.tobytes()])
        outside = share_outside(self.joints, self.visibility, self.width, self.height)
        return Inspection(self.id, self.action, content, joints_outside=outside)

    @property
    def facts(self) -> dict[str, np.ndarray]:
        """Arrays about the whole clip.

        box [4]: `union_box`. size [2]: (width, height). survives [13]: 1 for a joint that is visible in every frame, else 0.
        origin [13, 2]: the joints of frame 0; (0, 0) for hidden ones.
        """
        x_min, y_min, x_max, y_max = self.union_box
        return {
            # Sides of at least 1 pixel: lengths are divided by them, and five clips of Penn Action have an empty box.
            "box": np.array([x_min, y_min, max(x_max, x_min + 1), max(y_max, y_min + 1)], np.float32),
            "size": np.array([self.width, self.height], np.float32),
            "survives": self.visibility.prod(0),
            "origin": self.joints[0] * self.visibility[0][:, None],
        }


class PoseDataset:
    """The pose clips of a dataset, selected as settings say.

    train, test, validation: lists of clips. The validation clips are taken out of the training clips; with them a system
    selects its best weights.

    Args:
        clips: all clips of the dataset.
        settings: a PoseDataSettings.
        seed: the seed of the training windows.

    Raises:
        UserError: no clip fits the settings, or they name an unknown clip.
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
                f"and data.min_frames {settings.min_frames} frames (the longest has {max(clip.length for clip in clips)}); "
                "choose another viewpoint or fewer frames"
            )
        selection = {"train_clips": settings.train_clips, "test_clips": settings.test_clips}
        train, self.test = select_clips(fitting, actions=settings.actions, **selection)
        self.doubts = doubts_about_selected(train, self.test, settings)
        share = settings.validation_share  # taken evenly from the clips in the order of their names, hence from all actions
        self.validation = [clip for i, clip in enumerate(train) if int((i + 1) * share) > int(i * share)]
        self.train = [clip for clip in train if clip not in self.validation]
        if not self.train or (settings.validation_share and not self.validation):
            raise UserError(
                f"data.validation_share {settings.validation_share} of {len(train)} clips leaves one side empty; "
                "choose another share, or more clips"
            )
        self.actions = sorted({clip.action for clip in clips}) if settings.actions == "all" else list(settings.actions)

    def batches(self, context: ReplicaContext) -> tf.data.Dataset:
        """Endless training windows.

        Each batch: step int64; position [b]; joints [b, k + T, 13, 2]; visibility [b, k + T, 13]; valid [b, k + T], 0 after
        the clip's end, where the last pose is repeated; action [b], its index in `actions`; and the keys of `PoseClip.facts`.
        """
        settings = self.settings
        lengths = tf.constant([clip.length for clip in self.train])
        first = tf.math.cumsum(lengths, exclusive=True)
        joints = tf.constant(np.concatenate([clip.joints for clip in self.train]))
        visibility = tf.constant(np.concatenate([clip.visibility for clip in self.train]))
        clip_facts = [clip.facts for clip in self.train]
        facts = {name: tf.constant(np.stack([entry[name] for entry in clip_facts])) for name in clip_facts[0]}
        actions = tf.constant([self.actions.index(clip.action) for clip in self.train])

        def element(step, position):
            windows = draw_windows(self.seed, step, lengths, context.batch_size, settings)
            clip, times, valid = (tf.gather(x, position) for x in windows)
            # A pose between two frames is interpolated from them.
            earlier = tf.cast(tf.floor(times), tf.int32)
            share = times - tf.floor(times)  # [b, k + T]: the position between the earlier and the later frame
            later = tf.where(share > 0.0, earlier + 1, earlier)
            rows = [tf.gather(first, clip)[:, None] + frame for frame in (earlier, later)]
            earlier_joints, later_joints = (tf.gather(joints, row) for row in rows)
            visible = tf.gather(visibility, rows[0]) * tf.gather(visibility, rows[1])
            return {
                "step": step,
                "position": position,
                "joints": earlier_joints + (later_joints - earlier_joints) * share[..., None, None],
                "visibility": visible,
                "valid": valid,
                "action": tf.gather(actions, clip),
                **{name: tf.gather(fact, clip) for name, fact in facts.items()},
            }

        return endless_batches(element, context)

    def windows(self, clip: PoseClip) -> dict[str, np.ndarray]:
        """All windows of a clip, with the starts 0, 1, ...; the keys are those of `batches` without step and position."""
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
    """Draw the windows of a step.

    Args:
        lengths: [N], the number of frames of each clip.
        settings: context: k. horizon: T.
            min_future: the smallest number of future frames in a window, if the clip is long enough.
            order: "random" (clips are drawn uniformly with replacement) or "passes" (one clip after another, repeatedly).
            first_share: the share of windows that begin at frame 0; the others begin anywhere.
            time_stretch: the natural logarithm of the largest change of pace. 0: every frame in turn.

    Returns:
        clip: int32 [B], the numbers of the clips.
        times: float32 [B, k + T], in frames of the clip, at most its last frame.
        valid: float32 [B, k + T], 0 after the end of the clip, else 1.
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
