"""Makes a large dataset by repeating the clips of a small one, to measure what grows with the number of clips."""

import os
import shutil
from itertools import cycle
from pathlib import Path


def repeat_clips(source: Path, folder: Path, clips: int) -> Path:
    """Write `clips` clips in Penn Action's layout by repeating those of `source`. Returns the folder.

    Files are hard links where the disk has them, so that 10,000 clips take hardly any space.
    """
    labels = sorted((source / "labels").glob("*.mat"))
    (folder / "labels").mkdir(parents=True)
    for number, label in zip(range(1, clips + 1), cycle(labels), strict=False):
        _link(label, folder / "labels" / f"{number:05d}.mat")
        frames = folder / "frames" / f"{number:05d}"
        frames.mkdir(parents=True)
        for frame in (source / "frames" / label.stem).iterdir():
            _link(frame, frames / frame.name)
    return folder


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # on another disk, on a disk without hard links, or if a file has too many links
        shutil.copyfile(source, target)
