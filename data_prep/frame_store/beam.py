"""Preparation on Apache Beam, for datasets that are too large for one machine. It needs the extra `[beam]`."""

from __future__ import annotations

import shutil
from contextlib import redirect_stderr
from functools import partial
from io import StringIO
from pathlib import Path

from analogy.errors import UserError
from data_prep.frame_store.checking import check_item, journal_line, read_journal
from data_prep.frame_store.source import Listing, Source


def check_on_beam(source: Source, listing: Listing, journal: Path, beam_options: list[str]) -> None:
    """Check all items that are not in the journal yet, and append the outcomes to it."""
    options = pipeline_options(beam_options)
    import apache_beam as beam

    done = read_journal(journal)
    waiting = [item for item in listing.items if item not in done]
    if not waiting:
        return
    folder = journal.with_name("checked_on_beam")
    shutil.rmtree(folder, ignore_errors=True)
    with beam.Pipeline(options=options) as pipeline:
        outcomes = pipeline | "Items" >> beam.Create(waiting) | "Spread" >> beam.Reshuffle()
        lines = outcomes | "Check" >> beam.Map(partial(_check, source))
        _ = lines | "Write" >> beam.io.WriteToText(str(folder / "outcomes"))
    with journal.open("a", encoding="utf-8") as log:
        for file in sorted(folder.glob("outcomes*")):
            log.write(file.read_text(encoding="utf-8"))
    shutil.rmtree(folder)


def _check(source: Source, item: str) -> str:
    return journal_line(check_item(source, item)).rstrip("\n")


def download_config(beam_options: list[str]):
    """The DownloadConfig with which TensorFlow Datasets writes the shards on Beam."""
    import tensorflow_datasets as tfds
    from apache_beam.options.pipeline_options import StandardOptions

    options = pipeline_options(beam_options)
    runner = options.view_as(StandardOptions).runner or "DirectRunner"
    return tfds.download.DownloadConfig(beam_runner=runner, beam_options=options)


def pipeline_options(beam_options: list[str]):
    """Beam's PipelineOptions. Raises UserError where Beam is missing, or refuses a runner or a value."""
    try:
        from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
        from apache_beam.runners.runner import create_runner
    except ImportError as error:
        raise UserError('--beam-options needs Apache Beam: pip install "analogy-video[beam]"') from error
    printed = StringIO()
    try:
        with redirect_stderr(printed):  # for a wrong value Beam prints all its options, and ends the process
            options = PipelineOptions(beam_options)
            create_runner(options.view_as(StandardOptions).runner or "DirectRunner")
            options.get_all_options()
    except (SystemExit, ValueError, ImportError) as error:
        why = printed.getvalue().strip().splitlines()[-1:] if isinstance(error, SystemExit) else [str(error)]
        raise UserError(f"--beam-options: {''.join(why).removeprefix('-: error: ')}") from error
    return options
