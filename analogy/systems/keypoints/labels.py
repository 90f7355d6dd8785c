"""Pseudo labels: the keypoints of all frames of clips, found once by a used detector and kept beside the prepared frames."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from rich.progress import track

from analogy.data.clips import ClipDataset
from analogy.data.doubts import fingerprint
from analogy.data.prepared import Clip
from analogy.files import making, replacing

FOLDER = "keypoints"  # in the folder of the prepared frames
log = logging.getLogger("analogy")


class KeptKeypoints:
    """The keypoints of clips, one file a clip.

    The files lie in a folder whose name is a checksum of the detector's weights and of how frames are cropped: for a detector
    that was trained again they are made anew. A file is called by the fingerprint of its clip.

    Args:
        dataset: loads the clips.
        detect: frames uint8 [T, H, W, C] -> keypoints float32 [T, K, 2].
        weights: of the detector.
        keypoints: K.
    """

    def __init__(self, dataset: ClipDataset, detect: Callable, weights: Sequence, keypoints: int):
        self._dataset, self._detect, self._keypoints = dataset, detect, keypoints
        reader = dataset.reader
        how = f"{reader.crop} {reader.padding} {reader.image_size} {reader.gray}".encode()
        checksum = fingerprint([how, *(variable.numpy().tobytes() for variable in weights)])
        self.folder = reader.prepared.folder / FOLDER / checksum

    def read(self, clips: Sequence[Clip]) -> list[np.ndarray]:
        """The keypoints of clips, float32 [T, K, 2] each, in -1..1. Those that are not kept are made."""
        missing = [clip for clip in clips if not self._is_kept(clip)]
        for clip in track(missing, "pseudo labels", disable=not sys.stdout.isatty() or not missing):
            self._make(clip)
        log.info("pseudo labels of %d clips in %s, %d of them made now", len(clips), self.folder, len(missing))
        return [np.load(self._file(clip)) for clip in clips]

    def _file(self, clip: Clip) -> Path:
        return self.folder / f"{clip.fingerprint}.npy"

    def _is_kept(self, clip: Clip) -> bool:
        """Whether the clip's file is there and whole."""
        try:
            return np.load(self._file(clip), mmap_mode="r").shape == (clip.length, self._keypoints, 2)
        except (OSError, ValueError):
            return False

    def _make(self, clip: Clip) -> None:
        file = self._file(clip)
        if file.exists():  # it is damaged
            file.unlink()
        with making(file) as missing:
            if missing:
                points = self._detect(self._dataset.load(clip).frames)
                with replacing(file) as temporary:
                    np.save(temporary, points)
