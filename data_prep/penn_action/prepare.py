"""Preparing Penn Action once, in a way that survives kills, full disks and a second process doing the same."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from analogy.errors import UserError
from analogy.files import try_lock
from data_prep.penn_action.builder import PennAction
from data_prep.penn_action.checks import LAYOUT, CheckedClip, Problem, Source, check_clips, count_clips, scan_source

SHARD_BYTES = 64 << 20
_EXAMPLES = 5  # ids of left-out clips shown per reason

console = Console()


def prepare_penn_action(source: Path, cache: Path, *, name: str = "penn_action", shard_bytes: int = SHARD_BYTES) -> Path:
    """Prepares the usable clips of a Penn Action folder for random access, unless that is done already.

    The result is `cache/NAME-FINGERPRINT`, where the fingerprint covers the names, sizes and times of the source
    files: changed data is prepared anew. The folder appears complete or not at all. Until then the work is kept in
    `...partial` beside it, from where a later call continues.

    Args:
        source: folder with `frames/NNNN/NNNNNN.jpg` and `labels/NNNN.mat`.
        cache: folder for prepared data, made if missing.
        name: what the prepared data is called.
        shard_bytes: size of the shard files, in bytes of JPEG data.

    Returns:
        The folder to open with `analogy.data.prepared.PreparedClips`.

    Raises:
        UserError: the source has another layout or no usable clip, or the cache cannot be written.
    """
    scanned = scan_source(Path(source), settings=f"{name} {shard_bytes}")
    target = Path(cache).absolute() / f"{name}-{scanned.fingerprint[:12]}"
    work = target.with_name(f"{target.name}.partial")
    if target.exists() and not work.exists():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _lock(target.with_name(f"{target.name}.lock")):
            if not target.exists():
                _prepare(scanned, work, name, shard_bytes).rename(target)
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise UserError(
            f"{source} cannot be prepared in {cache} ({error}); make the folder writable or free space, "
            "then run again: finished work is kept"
        ) from error
    return target


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Holds the lock file; it is never deleted, since another process may be waiting for this very file."""
    with path.open("w") as file:
        if not try_lock(file):
            console.print("Another process prepares the same data; waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _prepare(source: Source, work: Path, name: str, shard_bytes: int) -> Path:
    """Checks and writes inside `work`, continuing what is there; returns the finished folder."""
    parts = work / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    checked = _check(source, work)
    clips = [clip for clip in checked if not clip.problems]
    problems = list(chain.from_iterable(clip.problems for clip in checked))

    frames = sum(clip.length for clip in clips)
    with _progress() as progress:
        task = progress.add_task("Writing frames", total=frames)
        builder = PennAction(
            source=source.folder,
            clips=clips,
            problems=problems,
            dataset=name,
            parts=parts,
            shard_bytes=shard_bytes,
            advance=lambda frames: progress.advance(task, frames),
            data_dir=work,
        )
        builder.download_and_prepare()
    if scan_source(source.folder, settings=f"{name} {shard_bytes}") != source:
        shutil.rmtree(work)
        raise UserError(f"{source.folder}: files changed while they were prepared; run again when they are at rest")
    console.print(f"{len(clips)} clips with {frames} frames prepared.")
    return Path(builder.data_dir)


def _check(source: Source, work: Path) -> list[CheckedClip]:
    with _progress() as progress:
        checked = check_clips(
            source,
            work / "checked.jsonl",
            track=lambda outcomes, total: progress.track(outcomes, total, description="Checking clips"),
        )
    problems = list(chain.from_iterable(clip.problems for clip in checked))
    for line in _summary(problems):
        console.print(line, highlight=False, soft_wrap=True)
    if all(clip.problems for clip in checked):
        shutil.rmtree(work)
        counts = ", ".join(f"{count} {reason}" for reason, count in count_clips(problems).items())
        raise UserError(f"{source.folder}: no usable clip ({counts}); expected {LAYOUT}")
    return checked


def _summary(problems: list[Problem]) -> list[str]:
    """One line per reason: how many clips are left out, and the first of them."""
    lines = []
    for reason, count in count_clips(problems).items():
        ids = sorted({problem.clip for problem in problems if problem.reason == reason})
        lines.append(f"{count} clips left out, {reason}: {', '.join(ids[:_EXAMPLES])}{', ...' * (count > _EXAMPLES)}")
    if lines:
        lines.append("The prepared folder lists them all in problems.json.")
    return lines


def _progress() -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console)
