"""Frames per second of our reader of videos beside OpenCV's, in turn on the same files, both to RGB.

OpenCV has one thread, and so has ours for frames of up to 400,000 pixels. The time is that of the processor in all threads.

`python benchmarks/reading.py FOLDER ...`: all video files below each folder, such as that of KTH or UCF101.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import cv2
import numpy as np

from analogy.data.video import read_video
from analogy.files import VIDEOS, files_below


def ours(path: Path) -> list[np.ndarray]:
    return read_video(path).frames


def opencv(path: Path) -> list[np.ndarray]:
    capture, frames = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1]), []
    while True:
        there, frame = capture.read()
        if not there:
            return frames
        frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    options.add_argument("folders", type=Path, nargs="+")
    options.add_argument("--repeats", type=int, default=5, help=" ")
    o = options.parse_args()
    cv2.setNumThreads(1)
    for folder in o.folders:
        files = [path for path in files_below(folder) if path.suffix.lower() in VIDEOS]
        counts = {read: sum(len(read(path)) for path in files) for read in (ours, opencv)}  # also warms the disk's cache
        seconds = {ours: [], opencv: []}
        for _ in range(o.repeats):
            for read, taken in seconds.items():
                began = time.process_time()
                for path in files:
                    read(path)
                taken.append(time.process_time() - began)
        rates = {read: counts[read] / statistics.median(taken) for read, taken in seconds.items()}
        ratio = statistics.median(b / a for a, b in zip(seconds[ours], seconds[opencv], strict=True))
        print(
            f"{folder}: {len(files)} files, {counts[ours]} frames ({counts[opencv]} by OpenCV {cv2.__version__}): ours "
            f"{rates[ours]:.0f} frames/s, OpenCV {rates[opencv]:.0f}; ours / OpenCV {ratio:.2f} (processor time, medians of "
            f"{o.repeats})",
            flush=True,
        )


if __name__ == "__main__":
    main()
