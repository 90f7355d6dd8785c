"""What a dataset tells the frame store: which videos there are, whether one can be used, and its frames."""

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

FORMAT = "2.0.0"  # of the prepared data; a new number prepares every source anew


@dataclass(frozen=True)
class Problem:
    """Why a clip is left out. `file` is relative to the source's folder."""

    clip: str
    reason: str
    file: str
    detail: str


@dataclass(frozen=True)
class Checked:
    """Outcome of checking one item of a source: its clips in their order, all of one split, or its problems.

    image_bytes: about how many bytes the encoded frames take.
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
        """Number of frames."""
        return sum(clip.length for clip in self.clips)

    @classmethod
    def from_json(cls, content: Mapping) -> Checked:
        """The outcome that `dataclasses.asdict` has made into JSON. Raises TypeError or KeyError."""
        clips, problems = (Clip.from_json(clip) for clip in content["clips"]), (Problem(**p) for p in content["problems"])
        return cls(**{**content, "clips": tuple(clips), "problems": tuple(problems)})


class Source(Protocol):
    """A dataset in its published layout. It is pickled and sent to the workers of a cluster: a small frozen dataclass.

    An *item* is what is read at once: the folder or file of one clip, or a file that holds many.

    name: of the prepared folder, with all settings that change what is stored ("kth-64"). folder: of the dataset. layout: what
    the folder should hold, for messages. format: how frames are stored.
    """

    name: str
    folder: Path
    layout: str
    format: FrameFormat

    def items(self) -> Mapping[str, Sequence[os.DirEntry | Path]]:
        """Every item with its files, in the order in which their clips are stored. Called at each opening: no file is read.

        Raises:
            UserError: the folder has another layout.
        """

    def check(self, item: str) -> Checked:
        """Read an item and decode all its frames: its clips, or what is wrong with it. Called from several threads.

        Raises:
            OSError: the item may be sound, but cannot be read now.
        """

    def read(self, item: str) -> Iterator[dict[str, Any]]:
        """The frames of a sound item, clip after clip: `image`, encoded bytes or uint8 [H, W, C], which are then encoded; and
        with labels joints float32 [13, 2], visibility float32 [13] and box float32 [4]. Called from several threads."""


@dataclass(frozen=True)
class Listing:
    """The items of a source, and a fingerprint of the state of their files."""

    items: tuple[str, ...]
    fingerprint: str


def list_items(source: Source, settings: str = "") -> Listing:
    """List a source's items; the fingerprint covers `settings`, and the names, sizes and times of all files.

    Raises:
        UserError: the folder has another layout, or a file cannot be looked at.
    """
    digest = hashlib.sha256(f"{FORMAT} {source.name} {source.format} {settings}\n".encode())
    items = source.items()
    try:
        for item, files in items.items():
            for file in files:
                status = file.stat()
                digest.update(f"{item}/{file.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    except OSError as error:
        raise UserError(
            f"{source.folder}: not readable ({error.strerror}: {error.filename}); expected {source.layout}"
        ) from error
    return Listing(tuple(items), digest.hexdigest())


def count_clips(problems: Sequence[Problem]) -> dict[str, int]:
    """Number of clips with each reason, most frequent first."""
    pairs = {(problem.reason, problem.clip) for problem in problems}
    return dict(Counter(reason for reason, _ in sorted(pairs)).most_common())
