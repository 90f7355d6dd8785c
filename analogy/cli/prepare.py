"""Prepare a dataset once, on this machine or with Apache Beam on a cluster. Runs then find it in the cache."""

from __future__ import annotations

import difflib
import re
import shlex
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name
from typing import Annotated

import typer

from analogy.cli.console import clear_errors
from analogy.errors import Mistakes, UserError
from analogy.files.paths import cache_folder, check_present, check_writable
from analogy.one_line import say
from analogy.ownership import refuse_inside_run
from analogy.settings.values import SMALLEST_SIDE
from analogy.training.progress import messages_shown
from data_prep.datasets import DATASETS, check_folder, folder_from_environment

PREPARED = [name for name, entry in DATASETS.items() if entry.source]


def main(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help=f"One of: {', '.join(PREPARED)}.")],
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="The folder of the dataset, as its authors distribute it. Default for Penn Action: $ANALOGY_DATA_DIR."
        ),
    ] = None,
    image_size: Annotated[
        str | None,
        typer.Option(
            metavar="SIDE|HEIGHTxWIDTH",
            help="Size of the stored frames in pixels, for datasets that are stored smaller: kth (usually 64), ucf101 and "
            "videos (usually 128x160).",
        ),
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="The folder of prepared data. Default: $ANALOGY_CACHE, else ~/.cache/analogy.")
    ] = None,
    beam_options: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OPTIONS",
            help='Prepare with Apache Beam and these pipeline options, such as "--runner=FlinkRunner '
            '--flink_master=HOST:8081". All workers must have access to the folders.',
        ),
    ] = None,
) -> None:
    with clear_errors():
        caches = cache_folder(str(cache) if cache else None)
    place = caches / "prepared"
    with clear_errors(place), messages_shown():
        options = [option for text in beam_options or [] for option in _split(text)]
        data_dir = data_dir or folder_from_environment(dataset)
        size = _check(dataset, data_dir, image_size, place, on_beam=beam_options is not None)

        from analogy.data.prepared import PreparedClips
        from data_prep.frame_store import prepare_frames, prepare_on_beam

        entry = DATASETS[dataset]
        source = resolve_name(entry.source)(caches if entry.generated else data_dir, *([size] if size else []))
        folder = prepare_frames(source, place) if beam_options is None else prepare_on_beam(source, place, options)
        clips = PreparedClips.open(folder).clips
        say(f"{dataset}: {len(clips)} clips with {sum(clip.length for clip in clips)} frames in {folder}")


def _split(beam_options: str) -> list[str]:
    """Split a text into options as a shell does. Raises UserError."""
    try:
        return shlex.split(beam_options)
    except ValueError as error:  # an unclosed quotation mark
        raise UserError(f"--beam-options {beam_options}: {error}") from error


def _check(name: str, data_dir: Path | None, image_size: str | None, place: Path, *, on_beam: bool) -> tuple | None:
    """Check the options without importing TensorFlow. Raises UserError.

    Returns:
        (height, width) of the stored frames; None where the dataset's own size is kept.
    """
    with Mistakes() as mistakes:
        with mistakes.noted():
            check_writable(place, "choose another --cache")
            refuse_inside_run(place)
        if on_beam and find_spec("apache_beam") is None:
            mistakes.add('--beam-options needs Apache Beam: pip install "analogy-video[beam]"')
        entry = DATASETS.get(name)
        if entry is None or entry.source is None:
            with mistakes.noted():
                check_present(data_dir, "--data-dir")
        if entry is None:
            near = difflib.get_close_matches(name, PREPARED, n=1)
            mean = f"did you mean {near[0]}?" if near else f"there are {', '.join(PREPARED)}"
            raise UserError(f"{name}: there is no dataset of that name; {mean}")
        if entry.source is None:
            raise UserError(
                f"{name}: it is read or made in seconds, there is nothing to prepare; {', '.join(PREPARED)} need it"
            )
        size = entry.stored_size
        if image_size is not None:
            with mistakes.noted():
                size = _stored_size(image_size, name)
        if entry.generated and data_dir:
            mistakes.add(f"--data-dir: {name} is generated; leave it out")
        elif not entry.generated and data_dir is None:
            mistakes.add(f"{name}: name its folder with --data-dir")
        elif data_dir:
            check_folder(name, next(iter(entry.openings)), data_dir)
    return size


def _stored_size(image_size: str, name: str) -> tuple[int, int]:
    """(height, width) in pixels, from the value of --image-size. Raises UserError."""
    if DATASETS[name].stored_size is None:
        raise UserError(f"--image-size {image_size}: {name} is stored as it is: leave it out")
    match = re.fullmatch(r"(\d{2,4})(?:x(\d{2,4}))?", image_size)
    size = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if min(size) < SMALLEST_SIDE:
        raise UserError(
            f"--image-size {image_size}: choose a side, or HEIGHTxWIDTH, of at least {SMALLEST_SIDE} pixels: 128x160"
        )
    return size
