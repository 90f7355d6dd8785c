"""Features of the training clips: computed once, and kept beside the prepared frames."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from analogy.data.doubts import fingerprint
from analogy.data.kept_arrays import KeptArrays
from analogy.data.prepared import Clip
from analogy.data.python_calls import call_python
from analogy.data.windows import StoredMovie
from analogy.graphs import as_written, graph_function
from analogy.models.pixels import to_fraction
from analogy.systems.vgg_lstm.networks.features import Features

FOLDER = "vgg_features"  # in the folder of the prepared frames
FRAMES_PER_CALL = 8
log = logging.getLogger("analogy")


class KeptFeatures:
    """The features of all frames of some clips, float32, in files (`KeptArrays`) under a checksum of the network's weights, of
    the precision in which it computes, and of how frames are brought to their size: where one differs, they are made anew.

    Args:
        movies: whose clips are read, all of one prepared dataset.
        features: the network, which must not be trained any more.
        fit: how frames are brought to their size (`data.fit`).
    """

    def __init__(self, movies: Sequence[StoredMovie], features: Features, fit: str):
        self._prepared, self._features = movies[0].prepared, features
        clips = sorted({movie.clip.first_record: movie.clip for movie in movies}.items())
        self._firsts = np.array([first for first, _ in clips])
        weights = (variable.numpy().tobytes() for variable in features.variables)
        how = f"{movies[0].size} {fit} {features.pretrained} {features.scale} {features.compute_dtype}"
        self.folder = self._prepared.folder / FOLDER / fingerprint([how.encode(), *weights])
        self._compute = graph_function(self._compute_frames, reduce_retracing=True)
        self.width = self._compute_frames(self._prepared.frames(clips[0][1], [0])).shape[-1]
        arrays = KeptArrays(self.folder, (self.width,), self._of_clip)
        made = arrays.make_missing([clip for _, clip in clips], "features of VGG-16")
        self._rows = [arrays.load(clip, mapped=True) for _, clip in clips]
        size = sum(rows.nbytes for rows in self._rows) / 1e6
        log.info("features of %d clips, %.1f MB in %s, %d of them made now", len(clips), size, self.folder, made)

    def read(self, records: np.ndarray) -> np.ndarray:
        """Record numbers int64 [n] -> features float32 [n, N]."""
        clips = np.searchsorted(self._firsts, records, side="right") - 1
        return np.stack([self._rows[clip][record - self._firsts[clip]] for clip, record in zip(clips, records, strict=True)])

    def added_to(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """Batches of windows, each with `features` float32 [b, S, N] of its frames too."""

        def with_features(batch):
            records = batch["records"]
            rows = call_python(self.read, tf.reshape(records, [-1]), tf.float32)
            return {**batch, "features": tf.reshape(rows, [*records.shape, self.width])}

        return batches.map(as_written(with_features)).prefetch(2)

    def _of_clip(self, clip: Clip) -> np.ndarray:
        """The features of all its frames, float32 [T, N]."""
        firsts = range(0, clip.length, FRAMES_PER_CALL)
        numbers = [range(first, min(first + FRAMES_PER_CALL, clip.length)) for first in firsts]
        return np.concatenate([self._compute(tf.constant(self._prepared.frames(clip, part))).numpy() for part in numbers])

    def _compute_frames(self, frames):
        """uint8 [n, H, W, C] -> float32 [n, N]."""
        return tf.cast(self._features(to_fraction(frames)[None])[0], tf.float32)
