"""The frames of a prepared dataset, brought to another size when they are read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import tensorflow as tf

from analogy.data.prepared import Clip, PreparedClips
from analogy.data.python_calls import call_python
from data_prep.video_source import fit_frame


class FittedClips:
    """A prepared dataset whose frames are brought to one size: what `StoredMovie` and `window_batches` need of it.

    A dataset that other systems use at its own size is so stored only once.

    Args:
        prepared: the prepared dataset.
        size: (height, width) of the frames in pixels.
        fit: how frames of another shape are brought to it; see `data_prep.video_source.fit_frame`.
    """

    def __init__(self, prepared: PreparedClips, size: tuple[int, int], fit: str):
        self.folder, self.name, self.doubts, self.format = prepared.folder, prepared.name, prepared.doubts, prepared.format
        self.clips = tuple(replace(clip, height=size[0], width=size[1]) for clip in prepared.clips)
        self._prepared, self._size, self._fit = prepared, size, fit
        self._firsts = np.sort([clip.first_record for clip in prepared.clips])

    def frames(self, clip: Clip, numbers: Iterable[int] | None = None) -> np.ndarray:
        """As `PreparedClips.frames`: uint8 [n, H, W, C]."""
        return self._fitted(self._prepared.frames(clip, numbers))

    def frames_in_graph(self, records: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
        """As `PreparedClips.frames_in_graph`: record numbers int64 [n] -> frames uint8 [n, H, W, C]."""
        frames = call_python(self._read, records, tf.uint8)
        return tf.ensure_shape(frames, [*records.shape, *size, self.format.channels])

    def _read(self, records: np.ndarray) -> np.ndarray:
        clips = np.searchsorted(self._firsts, records, side="right")
        parts = np.split(records, np.flatnonzero(np.diff(clips)) + 1)  # of one clip each: clips may differ in size
        return np.concatenate([self._fitted(self._prepared.frames_of_records(part)) for part in parts])

    def _fitted(self, frames: np.ndarray) -> np.ndarray:
        return np.stack([fit_frame(frame, self._size, self._fit) for frame in frames])
