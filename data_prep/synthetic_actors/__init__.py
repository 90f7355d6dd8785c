"""Synthetic actors: rendered videos of articulated people who perform the actions of Penn Action, in its file layout.

With them one can try, teach and test pose-driven video prediction without the 3 GB of real clips. The same code reads both:

    folder/frames/NNNN/NNNNNN.jpg   clips from 0001, frames from 000001
    folder/labels/NNNN.mat          action, pose, x, y, visibility, train, bbox, dimensions, nframes

Every clip has its own person and its own place, so that no person or background of the test set occurs in training.
"""

import os
import shutil
import threading
import time
from functools import cache
from pathlib import Path

import cv2
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from analogy.errors import UserError
from analogy.files.marks import MARK, PREPARED, mark_folder
from analogy.files.writing import partial_name, remove_leftovers
from analogy.memory import count_processors
from analogy.ownership import AN_HOUR
from data_prep.synthetic_actors.clip import ClipPlan, write_clip
from data_prep.synthetic_actors.motions import MOTIONS

__all__ = ["MOTIONS", "VERSION", "write_synthetic_actors"]
VERSION = 1  # of the pictures: raise it when the same seed gives other bytes, so that old renderings are not used any longer
MOST_CLIPS = 9999  # clip names have four digits


def write_synthetic_actors(
    folder: Path,
    *,
    seed: int = 0,
    train_clips: int = 96,
    test_clips: int = 24,
    frames: int = 40,
    size: int = 160,
    workers: int | None = None,
) -> Path:
    """Render a dataset and return its folder, which appears only when it is complete.

    Args:
        folder: the folder to write; it must not exist yet.
        seed: the same seed gives the same bytes, whatever `workers` is.
        train_clips, test_clips: numbers of clips; each split goes through all actions in turn.
        frames: number of frames of each clip.
        size: side of the square frames in pixels.
        workers: number of processes; None is one for each processor, 1 is this process alone.

    Raises:
        UserError: the folder exists, or a number is out of range.
    """
    folder = Path(folder)
    if folder.exists():
        raise UserError(f"{folder} already exists. Use it, remove it to write it anew, or name another folder.")
    check_range("train_clips + test_clips", train_clips + test_clips, 1, MOST_CLIPS)
    check_range("frames", frames, 2, 9999)
    check_range("size", size, 32, 2048)
    plans = plan_clips(seed, train_clips, test_clips, frames, size)
    folder.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder.parent, older_than=AN_HOUR, recursive=False)
    unfinished = folder.with_name(partial_name())
    try:
        (unfinished / "labels").mkdir(parents=True)
        mark_folder(unfinished, PREPARED)  # of a process that is killed, the next one knows what it may delete
        write_clips(unfinished, plans, workers or count_processors())
        (unfinished / MARK).unlink()
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return folder


def check_range(name: str, value: int, lowest: int, highest: int):
    if not lowest <= value <= highest:
        raise UserError(f"{name} is {value}; choose a number from {lowest} to {highest}.")


def plan_clips(seed: int, train_clips: int, test_clips: int, frames: int, size: int) -> list[ClipPlan]:
    """The plans of all clips, training clips first. Each split goes through the actions in turn."""
    actions = list(MOTIONS)
    turns = [(True, k) for k in range(train_clips)] + [(False, k) for k in range(test_clips)]
    return [
        ClipPlan(number, actions[k % len(actions)], train, seed, frames, size)
        for number, (train, k) in enumerate(turns, start=1)
    ]


def write_clips(folder: Path, plans: list[ClipPlan], workers: int):
    """Render all clips in `workers` processes, with a progress bar."""
    columns = (TextColumn("clips"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        bar = progress.add_task("clips", total=len(plans))
        if workers == 1:
            for plan in plans:
                write_clip(folder, plan)
                progress.advance(bar)
            return
        # joblib's processes are not forked, so threads of the caller (of TensorFlow or OpenCV) do no harm; and they do not run
        # the user's script again, which may have no `if __name__ == "__main__"`.
        try:
            pool = Parallel(workers, return_as="generator_unordered")
            for _ in pool(delayed(write_clip_alone)(folder, plan, os.getpid()) for plan in plans):
                progress.advance(bar)
        finally:
            get_reusable_executor().shutdown(kill_workers=True)  # joblib would keep its processes for the next call


def write_clip_alone(folder: Path, plan: ClipPlan, parent: int):
    """`write_clip` on one processor, for one of several processes. parent: the number of the process that started it."""
    cv2.setNumThreads(1)
    end_with(parent)
    write_clip(folder, plan)


@cache  # once in a process
def end_with(parent: int) -> None:
    """Let this process end within a second of its parent, which may have been killed and could tell it nothing."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
