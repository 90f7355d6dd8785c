"""A dataset ready for a system: which clips train and test, training pairs, and whole clips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from analogy.data.batches import ReplicaContext
from analogy.data.doubts import doubts_about_selected
from analogy.data.frames import FrameReader
from analogy.data.pairs import pair_batches
from analogy.data.prepared import Clip, PreparedClips
from analogy.data.selection import select_clips


@dataclass(frozen=True)
class LoadedClip:
    """frames uint8 [T, H, W, C]; joints [T, 13, 2] in pixels of the frames; visibility [T, 13]; crop [T, 2] = the source
    pixels (width, height) that a frame shows."""

    frames: np.ndarray
    joints: np.ndarray
    visibility: np.ndarray
    crop: np.ndarray


class ClipDataset:
    """A prepared dataset seen through `data:` settings.

    Args:
        prepared: the prepared dataset.
        settings: a FrameDataSettings.
        seed: of the training pairs.
    """

    notes = ""

    def __init__(self, prepared: PreparedClips, settings, *, seed: int):
        self.name, self.settings, self.seed = prepared.name, settings, seed
        self.train, self.test = select_clips(
            prepared.clips,
            actions=settings.actions,
            train_clips=settings.train_clips,
            test_clips=settings.test_clips,
        )
        self.doubts = [*prepared.doubts, *doubts_about_selected(self.train, self.test, settings)]
        self.reader = FrameReader(
            prepared,
            crop=settings.crop,
            padding=settings.padding,
            image_size=tuple(settings.image_size),
            gray=settings.gray,
        )
        signature = [tf.TensorSpec([None], tf.int64), tf.TensorSpec([4], tf.int32)]
        self._decode = tf.function(self._decode_frames, input_signature=signature)

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
        )

    def load(self, clip: Clip, numbers: np.ndarray | None = None) -> LoadedClip:
        """Decode a whole clip, or the frames with the given numbers."""
        numbers = np.arange(clip.length) if numbers is None else np.asarray(numbers)
        decoded = self._decode(tf.constant(clip.first_record + numbers, tf.int64), self.reader.clip_boxes([clip])[0])
        return LoadedClip(**{{"image": "frames"}.get(key, key): value.numpy() for key, value in decoded.items()})

    def _decode_frames(self, records, box):
        raw = self.reader.read(records)
        return tf.map_fn(lambda one: self.reader.decode(one, box), raw, fn_output_signature=self.reader.signature)
