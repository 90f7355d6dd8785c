"""A source of the frame store for tests, whose clips are arrays of pixels. Run as a program, it prepares a folder."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analogy.data.prepared import Clip, FrameFormat
from data_prep.frame_store import Checked, Problem, prepare_frames
from data_prep.video_source import check_frames


@dataclass(frozen=True)
class ToySource:
    """A folder of files CLIP.npy, uint8 [T, H, W, C] each. A clip whose name begins with "test" belongs to the test set."""

    folder: Path
    encoding: str = "raw"
    channels: int = 1
    name = "toy"
    layout = "CLIP.npy"

    @property
    def format(self) -> FrameFormat:
        return FrameFormat(self.encoding, self.channels)

    def items(self) -> dict[str, list[Path]]:
        return {path.stem: [path] for path in sorted(self.folder.glob("*.npy"))}

    def check(self, item: str) -> Checked:
        frames = self._load(item)
        if len(frames) == 0:
            return Checked(item, problems=(Problem(item, "empty", f"{item}.npy", "it has no frame"),))
        split = "test" if item.startswith("test") else "train"
        return check_frames(item, [(Clip(item, "moving", 0, 0, 0, split, person=item[-1], fps=25.0), frames)], self.format)

    def read(self, item: str) -> Iterator[dict]:
        for frame in self._load(item):
            yield {"image": frame}

    def _load(self, item: str) -> np.ndarray:
        return np.load(self.folder / f"{item}.npy")


class StuckSource(ToySource):
    """Reading reports that it has begun, and never ends."""

    def read(self, item: str) -> Iterator[dict]:
        print("at work", flush=True)
        time.sleep(600)
        yield {}


if __name__ == "__main__":
    kind, folder, cache = sys.argv[1:]
    print("ready", flush=True)
    print(prepare_frames({"toy": ToySource, "stuck": StuckSource}[kind](Path(folder)), Path(cache)), flush=True)
