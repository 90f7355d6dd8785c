"""Frames per second of our reader of videos beside OpenCV's, in turn on the same files, both to RGB.

OpenCV reads twice: `plain` with one thread, as ours has for frames of up to 400,000 pixels; `timed` with its usual threads,
asked for the time of each frame, which our reader gives too. What is measured is the processor time of all threads.

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
from analogy.files.listing import files_below
from analogy.files.names import VIDEOS


def ours(path: Path) -> list[np.ndarray]:
    return read_video(path).frames


def plain(path: Path) -> list[np.ndarray]:
    return opencv(cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1]), timed=False)


def timed(path: Path) -> list[np.ndarray]:
    return opencv(cv2.VideoCapture(str(path)), timed=True)


def opencv(capture: cv2.VideoCapture, *, timed: bool) -> list[np.ndarray]:
    frames, times = [], []
    while True:
        there, frame = capture.read()
        if not there:
            return frames
        frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
        if timed:
            times.append(capture.get(cv2.CAP_PROP_POS_MSEC))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    options.add_argument("folders", type=Path, nargs="+")
    options.add_argument("--repeats", type=int, default=5, help=" ")
    o = options.parse_args()
    cv2.setNumThreads(1)
    for folder in o.folders:
        files = [path for path in files_below(folder) if path.suffix.lower() in VIDEOS]
        seconds = {ours: [], plain: [], timed: []}
        counts = {read: sum(len(read(path)) for path in files) for read in seconds}  # also warms the disk's cache
        for _ in range(o.repeats):
            for read, taken in seconds.items():
                began = time.process_time()
                for path in files:
                    read(path)
                taken.append(time.process_time() - began)
        print(f"{folder}: {len(files)} files, processor time, medians of {o.repeats}, OpenCV {cv2.__version__}")
        for read, taken in seconds.items():
            ratio = statistics.median(theirs / mine for mine, theirs in zip(seconds[ours], taken, strict=True))
            rate = counts[read] / statistics.median(taken)
            print(
                f"  {read.__name__:6} {counts[read]} frames, {rate:6.0f} frames/s; ours is {ratio:.2f} times as fast",
                flush=True,
            )


if __name__ == "__main__":
    main()
