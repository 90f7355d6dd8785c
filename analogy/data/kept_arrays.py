"""Arrays that a fixed network makes of clips: computed once, and kept beside the prepared frames."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from rich.progress import track

from analogy.data.prepared import Clip
from analogy.files.locks import locked
from analogy.files.writing import replacing


class KeptArrays:
    """An array of each clip, with a row for each of its frames, in one file a clip that is called by the clip's fingerprint.

    Args:
        folder: of the files. Its name says what they are made of and how, such as a checksum of the network's weights, so that
            they are made anew where that changes.
        row: the shape of a row.
        compute: clip -> its array [T, *row].
    """

    def __init__(self, folder: Path, row: tuple[int, ...], compute: Callable[[Clip], np.ndarray]):
        self.folder, self._row, self._compute = folder, row, compute

    def make_missing(self, clips: Sequence[Clip], title: str) -> int:
        """Make the arrays of clips that are not kept yet. title: of the progress bar. Returns how many were made."""
        missing = [clip for clip in clips if not self._is_kept(clip)]
        for clip in track(missing, title, disable=not sys.stdout.isatty() or not missing):
            self._make(clip)
        return len(missing)

    def load(self, clip: Clip, *, mapped: bool = False) -> np.ndarray:
        """The array of a clip. mapped: its values stay on the disk until they are read."""
        return np.load(self._file(clip), mmap_mode="r" if mapped else None)

    def _file(self, clip: Clip) -> Path:
        return self.folder / f"{clip.fingerprint}.npy"

    def _is_kept(self, clip: Clip) -> bool:
        """Whether the clip's file is there and whole. Changed values are not noticed: that would mean to read all at each
        start."""
        try:
            return self.load(clip, mapped=True).shape == (clip.length, *self._row)
        except (OSError, ValueError, EOFError):  # the last of an empty file, as a power cut leaves it
            return False

    def _make(self, clip: Clip) -> None:
        file = self._file(clip)
        with locked(file):
            if not self._is_kept(clip):  # another process may have just made it; a damaged one is replaced
                array = self._compute(clip)
                with replacing(file) as temporary:
                    np.save(temporary, array)
