"""Samples per second of the frame store, and how time and memory grow with the number of videos; at most 256 open files.

`--kth` and `--penn-action` name folders in the official layouts. Without them only growth is measured (about 2 minutes).
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from common import parser

from analogy.data.batches import ReplicaContext
from analogy.data.clips import ClipDataset
from analogy.data.prepared import PreparedClips
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from analogy.visualise.video import write_mp4
from data_prep.kth import ACTIONS, open_kth
from data_prep.penn_action import prepare_penn_action

OPEN_FILES = 256
WARM_UP = 20  # batches


def settings_of(experiment: str, *overrides: str):
    return load_settings(find_experiment(experiment), SYSTEMS, scale="paper", overrides=list(overrides))


def rate(dataset, size: int, batches: int) -> dict[str, float]:
    """Samples per second of wall time, and of processor time; medians of five measurements of `batches` batches."""
    iterator, measured = iter(dataset.batches(ReplicaContext(batch_size=size))), []
    for _ in range(WARM_UP):
        next(iterator)
    for _ in range(5):
        wall, processor = time.perf_counter(), time.process_time()
        for _ in range(batches):
            next(iterator)
        measured.append((time.perf_counter() - wall, time.process_time() - processor))
    wall, processor = np.median(measured, axis=0)
    return {
        "samples_per_second": float(size * batches / wall),
        "samples_per_processor_second": float(size * batches / processor),
    }


def repeat_video(folder: Path, count: int) -> Path:
    """A folder in KTH's layout whose `count` videos are links to one small video."""
    video = folder / "video.mp4"
    frames = np.random.default_rng(0).integers(0, 256, (24, 120, 160, 3), dtype=np.uint8)
    write_mp4(video, frames, 25)
    tree = folder / f"kth{count}"
    for number in range(count):
        person, clip = divmod(number, 4 * len(ACTIONS))
        action, scene = ACTIONS[clip // 4], clip % 4 + 1
        (tree / action).mkdir(parents=True, exist_ok=True)
        os.link(video, tree / action / f"person{person + 1:02d}_{action}_d{scene}_uncomp.avi")
    return tree


def measure_growth(tree: Path, cache: Path) -> dict[str, float]:
    """Prepare videos and read batches in this process, which may open at most OPEN_FILES files."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    settings = settings_of("convlstm_kth_l1", "data.test_persons=[1]")
    began = time.perf_counter()
    dataset = open_kth(tree, cache, settings)
    row = {"videos": len(list(tree.glob("*/*"))), "prepare_seconds": time.perf_counter() - began}
    row["prepare_megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began = time.perf_counter()
    open_kth(tree, cache, settings)
    row["open_again_seconds"] = time.perf_counter() - began
    row |= rate(dataset, 4, 100)
    row["open_files"] = len(os.listdir("/proc/self/fd"))
    row["train_megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return row


def main() -> None:
    options = parser(__doc__, kth="", penn_action="")
    options.add_argument("--videos", type=int, nargs="*", default=[100, 500, 2000], help=" ")
    options.add_argument("--grow", nargs=2, help="used by the script itself: a folder of KTH, a cache")
    o = options.parse_args()
    if o.grow:
        print(json.dumps(measure_growth(*map(Path, o.grow))))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if o.kth:
            for size in (4, 16):
                dataset = open_kth(Path(o.kth), folder / "cache", settings_of("convlstm_kth_l1", "data.test_persons=[15]"))
                print("kth", "batches of", size, rate(dataset, size, 100))
        if o.penn_action:
            prepared = PreparedClips.open(prepare_penn_action(Path(o.penn_action), folder / "cache"))
            ids = [json.dumps([clip.id for clip in prepared.clips[i::2]]) for i in (0, 1)]
            settings = settings_of("analogy_pool3", f"data.train_clips={ids[0]}", f"data.test_clips={ids[1]}")
            print("penn_action", "batches of 4 pairs", rate(ClipDataset(prepared, settings.data, seed=0), 4, 20))
        for count in o.videos:
            command = [sys.executable, __file__, "--grow", repeat_video(folder, count), folder / f"cache{count}"]
            print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1], flush=True)


if __name__ == "__main__":
    main()
