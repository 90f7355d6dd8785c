"""Pseudo labels: the keypoints of all frames of clips, found once by a used detector and kept beside the prepared frames."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np

from analogy.data.clips import ClipDataset
from analogy.data.doubts import fingerprint
from analogy.data.kept_arrays import KeptArrays
from analogy.data.prepared import Clip

FOLDER = "keypoints"  # in the folder of the prepared frames
log = logging.getLogger("analogy")


class KeptKeypoints:
    """The keypoints of clips, in files (`KeptArrays`) under a checksum of the detector's weights and of how frames are cropped:
    for a detector that was trained again they are made anew.

    Args:
        dataset: loads the clips.
        detect: frames uint8 [T, H, W, C] -> keypoints float32 [T, K, 2].
        weights: of the detector.
        keypoints: K.
    """

    def __init__(self, dataset: ClipDataset, detect: Callable, weights: Sequence, keypoints: int):
        reader = dataset.reader
        how = f"{reader.crop} {reader.padding} {reader.image_size} {reader.gray}".encode()
        checksum = fingerprint([how, *(variable.numpy().tobytes() for variable in weights)])
        self.folder = reader.prepared.folder / FOLDER / checksum
        self._arrays = KeptArrays(self.folder, (keypoints, 2), lambda clip: detect(dataset.load(clip).frames))

    def read(self, clips: Sequence[Clip]) -> list[np.ndarray]:
        """The keypoints of clips, float32 [T, K, 2] each, in -1..1. Those that are not kept are made."""
        made = self._arrays.make_missing(clips, "pseudo labels")
        log.info("pseudo labels of %d clips in %s, %d of them made now", len(clips), self.folder, made)
        return [self._arrays.load(clip) for clip in clips]
