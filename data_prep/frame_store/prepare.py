"""Prepares a source once. It may be interrupted, the disk may be full, and other processes may prepare the same source."""

from __future__ import annotations

import shutil
from itertools import chain
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from analogy.errors import UserError
from analogy.files.locks import making
from analogy.files.marks import PREPARED, kind_of, mark_folder
from analogy.files.patterns import has_wildcards
from analogy.memory import count_processors
from analogy.one_line import printable
from analogy.ownership import refuse_foreign
from data_prep.frame_store.beam import check_on_beam, download_config, pipeline_options
from data_prep.frame_store.builder import FrameStore
from data_prep.frame_store.checking import check_items
from data_prep.frame_store.source import Checked, Listing, Problem, Source, count_clips, list_items

SHARD_BYTES = 64 << 20
_REASONS = 4  # that are shown with an example where no clip is usable
_EXAMPLES = 5  # ids of left-out clips that are printed for each reason
_MOST_THREADS = 4  # threads that read items ahead of the writer; each holds the frames of two items

console = Console()


def prepare_frames(
    source: Source, cache: Path, *, shard_bytes: int = SHARD_BYTES, beam_options: list[str] | None = None
) -> Path:
    """Write the usable clips of a source into the frame store, unless that is already done.

    The result is the folder `cache/NAME-FINGERPRINT`. The fingerprint covers the names, sizes and times of the source files, so
    that changed data are prepared again. The folder appears only when it is complete. Until then the work is in the folder
    `...partial` next to it, and a later call continues it. If several processes prepare the same source, one works and the
    others wait.

    Args:
        source: the dataset.
        cache: folder of prepared data, made if it is missing.
        shard_bytes: the most bytes of encoded frames in a shard.
        beam_options: options of Apache Beam's pipelines, which then check and write. None: this process does it.

    Returns:
        The folder, to be opened with `analogy.data.prepared.PreparedClips`.

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
        shutil.rmtree(work, ignore_errors=True)  # a process killed after the renaming may have left it
    return target


def prepare_on_beam(source: Source, cache: Path, beam_options: list[str]) -> Path:
    """Like `prepare_frames`, but on Apache Beam. It makes the same checks and writes the same records.

    The source's folder and `cache` must be on a disk that every worker has at the same path.

    Args:
        beam_options: options of the pipelines, as on a command line: ["--runner=FlinkRunner", "--flink_master=HOST:8081", ...].

    Raises:
        UserError: Apache Beam is not installed, or refuses a runner, a value or the cache; and as `prepare_frames`.
    """
    pipeline_options(beam_options)  # refused before anything is checked
    if has_wildcards(Path(cache).absolute()):
        raise UserError(f"{cache}: Apache Beam takes * ? [ ] {{ }} and \\ in a path for patterns; choose another --cache")
    return prepare_frames(source, cache, beam_options=beam_options)


def _prepare(source: Source, listing: Listing, work: Path, shard_bytes: int, beam_options: list[str] | None) -> Path:
    """Check the items and write the shards inside the folder `work`, continuing earlier work. Returns the finished folder."""
    refuse_foreign(work, PREPARED)
    work.mkdir(parents=True, exist_ok=True)
    mark_folder(work, PREPARED)  # first: a process that is killed here must not leave a folder that looks foreign
    parts = work / "parts"
    parts.mkdir(exist_ok=True)
    for unfinished in parts.glob("*.unfinished"):  # from a process that was killed
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
            threads=min(count_processors(), _MOST_THREADS) if here else 0,  # a worker of a cluster has one processor
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
    """The outcomes of all items; what is left out is printed. Raises UserError where no clip is usable."""
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
    if all(item.problems for item in checked):
        shutil.rmtree(work)
        raise UserError(f"{source.folder}: {_no_usable_clip(problems, source.layout)}")
    for line in _summary(problems):
        console.out(printable(line), highlight=False)  # not `print`, to which [ ] and : : in a name mean something
    return checked


def _no_usable_clip(problems: list[Problem], layout: str) -> str:
    """Why no clip is usable: the number of clips and an example for each reason."""
    counts = count_clips(problems)
    examples = {problem.reason: f"{problem.file}: {problem.detail}" for problem in reversed(problems)}
    first = "; ".join(examples[reason] for reason in list(counts)[:_REASONS])
    said = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    return f"no usable clip ({said}); expected {layout}; the first: {first}"


def _summary(problems: list[Problem]) -> list[str]:
    """For each reason one line: how many clips are left out, the first few of them, and what is wrong with the first."""
    lines = []
    for reason, count in count_clips(problems).items():
        alike = [problem for problem in problems if problem.reason == reason]
        ids, first = sorted({problem.clip for problem in alike}), f"{alike[0].file}: {alike[0].detail}"
        listed = f"{', '.join(ids[:_EXAMPLES])}{', ...' * (count > _EXAMPLES)}"
        lines.append(f"{count} clips left out, {reason}: {listed}; the first: {first}")
    if lines:
        lines.append("The prepared folder lists them all in problems.json.")
    return lines


def _progress() -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console)
