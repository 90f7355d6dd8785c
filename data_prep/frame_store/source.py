"""The interface between a dataset and the frame store: it lists the videos, checks them, and reads their frames."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from analogy.data.prepared import Clip, FrameFormat
from analogy.errors import UserError
from analogy.files.reading import NO_FILE

FORMAT = "2.0.0"  # of the prepared data; with a new number, all sources are prepared again


@dataclass(frozen=True)
class Problem:
    """Why a clip is left out. `file` is relative to the source's folder."""

    clip: str
    reason: str
    file: str
    detail: str


@dataclass(frozen=True)
class Checked:
    """The outcome of checking one item of a source.

    item: name of the item.
    clips: its clips, in their order and all of the same split; empty where it has problems.
    image_bytes: approximate number of bytes of the encoded frames.
    problems: why it cannot be used; empty where it can.
    """

    item: str
    clips: tuple[Clip, ...] = ()
    image_bytes: int = 0
    problems: tuple[Problem, ...] = ()

    @property
    def split(self) -> str:
        return self.clips[0].split

    @property
    def length(self) -> int:
        """Number of frames of all its clips."""
        return sum(clip.length for clip in self.clips)

    @classmethod
    def from_json(cls, content: Mapping) -> Checked:
        """Read an outcome from JSON, as written by way of `dataclasses.asdict`. Raises TypeError or KeyError."""
        clips, problems = (Clip.from_json(clip) for clip in content["clips"]), (Problem(**p) for p in content["problems"])
        return cls(**{**content, "clips": tuple(clips), "problems": tuple(problems)})


class Source(Protocol):
    """A dataset in its published layout.

    A source should be a small frozen dataclass, because it is pickled and sent to the workers of a cluster. An *item* is the
    unit that is read at once: the folder or file of one clip, or a file that holds many clips.

    name: of the prepared folder. It includes all settings that change what is stored, as in "kth-64".
    folder: of the dataset.
    layout: the files that the folder should hold, for messages.
    format: how frames are stored.
    """

    name: str
    folder: Path
    layout: str
    format: FrameFormat

    def items(self) -> Mapping[str, Sequence[os.DirEntry | Path]]:
        """Item -> its files, in the order in which clips are stored. Called whenever the dataset is opened; reads no file.

        Raises:
            UserError: the folder has another layout.
        """

    def check(self, item: str) -> Checked:
        """Read an item, decode all its frames, and report its clips or its problems. Called from several threads.

        Raises:
            OSError: the item may be sound, but cannot be read now.
        """

    def read(self, item: str) -> Iterator[dict[str, Any]]:
        """Read the frames of an item that passed its check, clip after clip. Called from several threads.

        Yields:
            For each frame a dict with "image": encoded bytes, or uint8 [H, W, C] to be encoded. With labels also "joints":
            float32 [13, 2], "visibility": float32 [13], and "box": float32 [4].
        """


@dataclass(frozen=True)
class Listing:
    """The items of a source, and a fingerprint of the state of their files."""

    items: tuple[str, ...]
    fingerprint: str


def list_items(source: Source, settings: str = "") -> Listing:
    """List a source's items. The fingerprint covers `settings`, and the names, sizes and times of all files.

    Raises:
        UserError: the folder has another layout, or is not readable.
    """
    digest = hashlib.sha256(f"{FORMAT} {source.name} {source.format} {settings}\n".encode())
    items = source.items()
    try:
        for item, files in items.items():
            for file in files:
                line = f"{item}/{file.name} {_state(file)}\n"
                digest.update(line.encode(errors="surrogateescape"))  # a name may be no UTF-8
    except OSError as error:
        raise UserError(
            f"{source.folder}: not readable ({error.strerror}: {error.filename}); expected {source.layout}"
        ) from error
    return Listing(tuple(items), digest.hexdigest())


def _state(file: os.DirEntry | Path) -> str:
    """Size and time of a file. A broken link has none; its check says so. Raises OSError where it cannot be known now."""
    try:
        status = file.stat()
    except OSError as error:
        if error.errno not in NO_FILE:
            raise
        return error.strerror
    return f"{status.st_size} {status.st_mtime_ns}"


def count_clips(problems: Sequence[Problem]) -> dict[str, int]:
    """reason -> number of clips that are left out for it, most frequent first."""
    pairs = {(problem.reason, problem.clip) for problem in problems}
    return dict(Counter(reason for reason, _ in sorted(pairs)).most_common())
