"""Preparing a source once, in a way that survives kills, full disks and other processes doing the same."""

from __future__ import annotations

import os
import shutil
from itertools import chain
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from analogy.errors import UserError
from analogy.files import making
from analogy.ownership import PREPARED, kind_of, mark_folder, refuse_foreign
from data_prep.frame_store.beam import check_on_beam, download_config
from data_prep.frame_store.builder import FrameStore
from data_prep.frame_store.checking import check_items
from data_prep.frame_store.source import Checked, Listing, Problem, Source, count_clips, list_items

SHARD_BYTES = 64 << 20
_EXAMPLES = 5  # ids of left-out clips shown per reason
_MOST_THREADS = 4  # that read items ahead of the writer: each holds the frames of two

console = Console()


def prepare_frames(
    source: Source, cache: Path, *, shard_bytes: int = SHARD_BYTES, beam_options: list[str] | None = None
) -> Path:
    """Prepares the usable clips of a source for random access, unless that is done already.

    The result is `cache/NAME-FINGERPRINT`, where the fingerprint covers the names, sizes and times of the source
    files: changed data is prepared anew. The folder appears complete or not at all. Until then the work is kept in
    `...partial` beside it, from where a later call continues. One process works, others wait for it.

    Args:
        cache: folder for prepared data, made if missing.
        shard_bytes: size of the shard files, in bytes of encoded frames.
        beam_options: check and write on Apache Beam, with these options of its pipelines; None is this machine.

    Returns:
        The folder to open with `analogy.data.prepared.PreparedClips`.

    Raises:
        UserError: the source has another layout or no usable clip, or the cache cannot be written.
    """
    listing = list_items(source, f"{shard_bytes}")
    target = Path(cache).absolute() / f"{source.name}-{listing.fingerprint[:12]}"
    work = target.with_name(f"{target.name}.partial")
    try:
        with making(target) as missing:
            if missing:
                _prepare(source, listing, work, shard_bytes, beam_options).rename(target)
    except OSError as error:
        raise UserError(
            f"{source.folder} cannot be prepared in {cache} ({error}); make the folder writable or free space, "
            "then run again: finished work is kept"
        ) from error
    if kind_of(work) == PREPARED:
        shutil.rmtree(work, ignore_errors=True)  # also what was left by a process killed after the renaming
    return target


def prepare_on_beam(source: Source, cache: Path, beam_options: list[str]) -> Path:
    """`prepare_frames` on Apache Beam: the same checks, the same records.

    The source's folder and `cache` must be on a disk that every worker has at the same path.

    Args:
        beam_options: of the pipelines, as on a command line: ["--runner=FlinkRunner", "--flink_master=HOST:8081", ...].

    Raises:
        UserError: Apache Beam is not installed or does not know an option; and as `prepare_frames`.
    """
    return prepare_frames(source, cache, beam_options=beam_options)


def _prepare(source: Source, listing: Listing, work: Path, shard_bytes: int, beam_options: list[str] | None) -> Path:
    """Checks and writes inside `work`, continuing what is there; returns the finished folder."""
    refuse_foreign(work, PREPARED)
    parts = work / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    mark_folder(work, PREPARED)
    for unfinished in parts.glob("*.unfinished"):  # of a process that was killed
        unfinished.unlink(missing_ok=True)
    checked = _check(source, listing, work, beam_options)
    usable = [item for item in checked if not item.problems]

    frames = sum(item.length for item in usable)
    with _progress() as progress:
        task = progress.add_task("Writing frames", total=frames)
        here = beam_options is None
        builder = FrameStore(
            source=source,
            checked=usable,
            problems=list(chain.from_iterable(item.problems for item in checked)),
            parts=parts,
            shard_bytes=shard_bytes,
            threads=min(os.cpu_count() or 1, _MOST_THREADS) if here else 0,  # a worker of a cluster has one processor
            advance=(lambda frames: progress.advance(task, frames)) if here else None,
            data_dir=work,
        )
        builder.download_and_prepare(download_config=None if here else download_config(beam_options))
        progress.update(task, completed=frames)
    if list_items(source, f"{shard_bytes}") != listing:
        shutil.rmtree(work)
        raise UserError(f"{source.folder}: files changed while they were prepared; run again when they are at rest")
    clips = sum(len(item.clips) for item in usable)
    console.print(f"{clips} clips with {frames} frames prepared.", highlight=False)
    mark_folder(Path(builder.data_dir), PREPARED)
    return Path(builder.data_dir)


def _check(source: Source, listing: Listing, work: Path, beam_options: list[str] | None) -> list[Checked]:
    journal = work / "checked.jsonl"
    with _progress() as progress:
        if beam_options is not None:
            check_on_beam(source, listing, journal, beam_options)
        checked = check_items(
            source,
            listing,
            journal,
            track=lambda outcomes, total: progress.track(outcomes, total, description="Checking clips"),
        )
    problems = list(chain.from_iterable(item.problems for item in checked))
    for line in _summary(problems):
        console.print(line, highlight=False, soft_wrap=True)
    if all(item.problems for item in checked):
        shutil.rmtree(work)
        counts = ", ".join(f"{count} {reason}" for reason, count in count_clips(problems).items())
        first = f"{problems[0].file}: {problems[0].detail}"
        raise UserError(f"{source.folder}: no usable clip ({counts}); expected {source.layout}; the first: {first}")
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
