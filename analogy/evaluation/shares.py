"""A worker's share of the test clips: what it has measured, in a file that loses no bit of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path
from typing import IO

import numpy as np

from analogy.evaluation.evaluate import MeasuredClip
from analogy.files.writing import replacing


def write_share(path: Path, clips: Iterable[MeasuredClip]) -> None:
    """Write measured clips one after the other, as they come. The file appears when it is complete."""
    with replacing(path) as partial, open(partial, "wb") as file:
        for clip in clips:
            names = {method: list(metrics) for method, metrics in clip.figures.items()}
            facts = {**clip._asdict(), "distance": None, "figures": names}
            arrays = (clip.figures[method][metric] for method in names for metric in names[method])
            for array in (np.array(json.dumps(facts)), clip.distance, *arrays):
                np.save(file, array, allow_pickle=False)


def read_shares(paths: Sequence[Path]) -> Iterator[MeasuredClip]:
    """The clips of all shares in the order of all clips. paths: of the shares `slice(0, None, n)`, `slice(1, None, n)`, ..."""
    with ExitStack() as opened:
        shares = [_clips(opened.enter_context(open(path, "rb"))) for path in paths]
        for turn in zip_longest(*shares):
            yield from (clip for clip in turn if clip is not None)


def _clips(file: IO[bytes]) -> Iterator[MeasuredClip]:
    while file.peek(1):
        facts = json.loads(np.load(file).item())
        distance, names = np.load(file), facts["figures"]
        figures = {method: {name: np.load(file) for name in metrics} for method, metrics in names.items()}
        yield MeasuredClip(**{**facts, "distance": distance, "figures": figures})
