"""A prepared dataset of labelled frames as `data:` settings select it: its clips, training pairs, and whole clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from analogy.data.batches import ReplicaContext
from analogy.data.doubts import doubts_about_selected
from analogy.data.frames import FrameReader
from analogy.data.pairs import pair_batches
from analogy.data.prepared import Clip, PreparedClips
from analogy.data.selection import absent_clips, one_frame_clips, select_clips
from analogy.graphs import graph_function


@dataclass(frozen=True)
class LoadedClip:
    """The decoded frames of a clip, with their labels.

    frames: uint8 [T, H, W, C]. joints: float32 [T, 13, 2], x then y in pixels of `frames`. visibility: float32 [T, 13], 1 or 0.
    crop: float32 [T, 2], the width and height of the shown area in pixels of the source video.
    """

    frames: np.ndarray
    joints: np.ndarray
    visibility: np.ndarray
    crop: np.ndarray


class ClipDataset:
    """The clips of a prepared dataset, selected, cropped and resized as settings say.

    Args:
        prepared: the prepared dataset.
        settings: a FrameDataSettings.
        seed: the seed of the training pairs.
        clips: those of the prepared dataset, where their split is decided elsewhere.

    Raises:
        UserError: see `analogy.data.selection.select_clips`.
    """

    notes = ""

    def __init__(self, prepared: PreparedClips, settings, *, seed: int, clips: Sequence[Clip] | None = None):
        self.name, self.settings, self.seed = prepared.name, settings, seed
        clips = clips or prepared.clips
        self.train, self.test = select_clips(
            clips,
            actions=settings.actions,
            train_clips=settings.train_clips,
            test_clips=settings.test_clips,
        )
        absent = absent_clips(clips, settings.train_clips, settings.test_clips)
        left_out = [*absent, *one_frame_clips(clips)]
        self.doubts = [*prepared.doubts, *left_out, *doubts_about_selected(self.train, self.test, settings)]
        self.reader = FrameReader(
            prepared,
            crop=settings.crop,
            padding=settings.padding,
            image_size=tuple(settings.image_size),
            gray=settings.gray,
        )
        signature = [tf.TensorSpec([None], tf.int64), tf.TensorSpec([4], tf.int32)]
        self._decode = graph_function(self._decode_frames, input_signature=signature)

    def batches(self, context: ReplicaContext) -> tf.data.Dataset:
        """Training pairs: see `analogy.data.pairs.pair_batches`."""
        return pair_batches(
            self.reader,
            self.train,
            context,
            seed=self.seed,
            min_frame_distance=self.settings.min_frame_distance,
            flip=self.settings.flip,
            flip_exchanges_joints=self.settings.flip_exchanges_joints,
            frame_distance=self.settings.frame_distance,
        )

    def load(self, clip: Clip, numbers: np.ndarray | None = None) -> LoadedClip:
        """Decode a clip. numbers: the numbers of the frames to decode, from 0; None decodes all."""
        numbers = np.arange(clip.length) if numbers is None else np.asarray(numbers)
        decoded = self._decode(tf.constant(clip.first_record + numbers, tf.int64), self.reader.clip_boxes([clip])[0])
        return LoadedClip(**{{"image": "frames"}.get(key, key): value.numpy() for key, value in decoded.items()})

    def _decode_frames(self, records, box):
        raw = self.reader.read(records)
        return tf.map_fn(lambda record: self.reader.decode(record, box), raw, fn_output_signature=self.reader.signature)
