"""Opens the dataset synthetic_actors: it is rendered once and then read like Penn Action."""

from __future__ import annotations

import logging
from pathlib import Path

from analogy.data.clips import ClipDataset
from analogy.data.movies import MovieDataset
from analogy.data.poses import PoseDataset
from analogy.files.locks import making
from analogy.files.paths import cache_folder
from data_prep.penn_action import opening as penn_action
from data_prep.penn_action.source import PennActionSource
from data_prep.synthetic_actors import VERSION, write_synthetic_actors

log = logging.getLogger("analogy")


def open_frames(folder: Path | None, cache: Path, settings) -> ClipDataset:
    """Open frames and labels; see `penn_action.opening.open_frames`. folder: None, or a folder in Penn Action's layout."""
    return penn_action.open_frames(folder or rendered_actors(cache_folder(settings.data.cache)), cache, settings)


def open_poses(folder: Path | None, cache: Path, settings) -> PoseDataset:
    """Open labels without frames; see `penn_action.opening.open_poses`. folder: None, or a folder in Penn Action's layout."""
    return penn_action.open_poses(folder or rendered_actors(cache_folder(settings.data.cache)), cache, settings)


def open_movies(folder: Path | None, cache: Path, settings) -> MovieDataset:
    """Open the videos; see `penn_action.opening.open_movies`. folder: None, or a folder in Penn Action's layout."""
    return penn_action.open_movies(folder or rendered_actors(cache_folder(settings.data.cache)), cache, settings)


def actors_source(cache: Path) -> PennActionSource:
    """The source for the frame store: the dataset, rendered into the cache folder in Penn Action's layout."""
    return PennActionSource(rendered_actors(cache), "synthetic_actors")


def actors_folder(cache: Path) -> Path:
    """The folder of the rendered dataset; it may not exist yet."""
    return cache / "synthetic_actors" / f"version-{VERSION}-seed-0"


def rendered_actors(cache: Path) -> Path:
    """The folder of the rendered dataset, in Penn Action's layout. At first use it is rendered into the cache folder."""
    source = actors_folder(cache)
    with making(source) as missing:
        if missing:
            log.info("rendering synthetic_actors into %s", source)
            write_synthetic_actors(source)
    return source
